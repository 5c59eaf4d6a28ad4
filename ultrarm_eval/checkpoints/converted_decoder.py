"""A converted decoder of a family that needs padding, with its head in float32."""

from __future__ import annotations

from ultrarm_eval.checkpoints.conversion_record import recorded
from ultrarm_eval.checkpoints.known_head import KnownHead
from ultrarm_eval.checkpoints.sequence_classification import HEAD
from ultrarm_eval.checkpoints.stock_classes import CLASS_ENDING, family_prefix
from ultrarm_eval.checkpoints.survey import Survey


class ConvertedDecoder(KnownHead):
    """A checkpoint that `ultrarm-eval convert` wrote.

    transformers' own class computes the head in the body's dtype; the judge that the checkpoint was
    converted from computes it in float32.
    """

    known_as = "a converted reward model"
    reading = "a linear head at the last token"
    classes = frozenset()
    head = HEAD
    is_known_code = False

    def recognises(self, survey: Survey) -> bool:
        """See `Architecture.recognises`."""
        return recorded(survey.name, survey.values) is not None

    def known_classes(self, survey: Survey) -> frozenset[str]:
        """See `HeadedDecoder.known_classes`; the class that it was converted to."""
        return frozenset(one for one in survey.classes if one.endswith(CLASS_ENDING))

    def body_of(self, survey: Survey) -> str:
        """See `HeadedDecoder.body_of`; the family's own prefix."""
        return family_prefix(survey.model_type)

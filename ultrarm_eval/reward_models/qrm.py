"""QRM (nicolinho/QRM-Llama3-8B, -Llama3.1-8B, -Gemma-2-27B): quantiles of objectives, and a gate.

Sources: allenai/reward-bench, rewardbench/models/qrm.py, for the Llama models with nineteen
objectives; public ports of QRM-Gemma-2-27B for the one with five, which has no transform matrix but
has dropout, without effect here, between the gate's layers. arXiv 2409.10164.
"""

from __future__ import annotations

from typing import Any, cast

from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.reward_models.armorm import OBJECTIVES
from ultrarm_eval.reward_models.gated_decoder import (
    GATE,
    TRANSFORM,
    GatedDecoder,
    GatedObjectives,
    GatedReward,
)
from ultrarm_eval.reward_models.headed_judge import HeadedJudge

_QUANTILES = 19
#: HelpSteer2's objectives, in their order: those of models with five.
HELPSTEER = OBJECTIVES[:5]


class QRM(GatedDecoder):
    """A checkpoint of QRM."""

    known_as = "QRM"
    reading = (
        "the sum of its objectives at the last token (each the mean of its quantiles), weighted "
        "by a gate computed at the end of the prompt"
    )
    classes = frozenset(
        {
            "LlamaForRewardModelWithGating",
            "LlamaForRewardModelWithGating3",
            "LlamaForRewardModelWithGating31",
            "Gemma2ForQuantileSequenceClassification",
        }
    )
    counts = frozenset({len(OBJECTIVES), len(HELPSTEER)})
    shows_transformed = True

    def recognises(self, survey: Survey) -> bool:
        """See `Architecture.recognises`; ArmoRM has the same class and a gate without norms."""
        if not super().recognises(survey):
            return False
        return any(key.startswith(GATE) and key.endswith(".running_mean") for key in survey.keys)

    def is_transformed(self, survey: Survey) -> bool:
        """See `GatedDecoder.is_transformed`; the Gemma model with five objectives has no matrix."""
        return survey.model_type != "gemma2" or TRANSFORM in survey.keys

    def quantiles(self, config: Any) -> int:
        """See `GatedDecoder.quantiles`."""
        return int(getattr(config, "num_quantiles", None) or _QUANTILES)


class QRMJudge(HeadedJudge):
    """Scores texts with QRM; results contain its objectives next to the rewards."""

    name = "qrm"
    architecture = QRM()
    gives_token_rewards = False
    default_checkpoint = "nicolinho/QRM-Llama3.1-8B"

    def make_head(self, loaded: LoadedTokenizer) -> GatedReward:
        """See `CheckpointJudge.make_head`."""
        count = cast(GatedObjectives, self.checkpoint.network.head).count
        names = OBJECTIVES if count == len(OBJECTIVES) else HELPSTEER
        return GatedReward(self.checkpoint, names)

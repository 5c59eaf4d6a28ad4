"""GRM (Ray2333/GRM-llama3-8B-sftreg and similar ones): a value head on a language model.

From YangRui2015/Generalizable-Reward-Model, rm_eval/grm_utils.py, and RewardBench's
rewardbench/models/grm.py: `v_head.summary` is one linear layer, or layers with a ReLU after each
but the last, all with biases, at the last token. config.json names a causal language model, and
the checkpoint's own code in auto_map. GRM-*-rewardmodel-ft are plain sequence classifiers.
"""

from __future__ import annotations

from collections.abc import Mapping

from ultrarm_eval.checkpoints.known_head import KnownHead
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.weight_map import WeightSource, under_other_prefix
from ultrarm_eval.reward_models.headed_judge import HeadedJudge

_CLASS, _LAYER_TYPE = "GRewardModel", "vhead_layer_type"


class GRM(KnownHead):
    """The checkpoint of a GRM with a value head."""

    known_as = "GRM"
    reading = "a value head with one or more layers at the last token"
    classes = frozenset({_CLASS})
    head = "v_head.summary"
    head_fields = (_LAYER_TYPE,)

    def recognises(self, survey: Survey) -> bool:
        """See `Architecture.recognises`; a policy of TRL has the same head, as its critic."""
        code = [str(one) for one in (survey.values.get("auto_map") or {}).values()]
        is_said = (
            _LAYER_TYPE in survey.values
            or _CLASS in survey.classes
            or any(one.rsplit(".", 1)[-1] == _CLASS for one in code)
        )
        # Classifiers that were trained from these models keep the head's fields of config.json.
        return is_said and "score.weight" not in survey.keys and bool(_layers(survey, self.head))

    def head_weights(self, survey: Survey) -> Mapping[str, WeightSource]:
        """See `HeadedDecoder.head_weights`."""
        layers = _layers(survey, self.head) or [""]
        parts = [f"{layer}{part}" for layer in layers for part in ("weight", "bias")]
        return under_other_prefix(parts, f"{self.head}.")


def _layers(survey: Survey, head: str) -> list[str]:
    """The prefixes of the head's layers, after the head's own name."""
    begin = f"{head}."
    names = (key.removeprefix(begin) for key in survey.keys if key.startswith(begin))
    # `0.` for `0.weight`, and an empty prefix for the `weight` of a single layer.
    return sorted({name[: name.rfind(".") + 1] for name in names})


class GRMJudge(HeadedJudge):
    """Scores texts with a GRM that has a value head."""

    name = "grm"
    architecture = GRM()
    default_checkpoint = "Ray2333/GRM-llama3-8B-sftreg"

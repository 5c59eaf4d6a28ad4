"""Qwen2.5-Math-RM-72B, Qwen2-Math-RM-72B and WorldPM: two layers at the last token.

config.json says model_type qwen2 and names the checkpoint's own class, `Qwen2ForRewardModel`:
hidden to hidden, ReLU, hidden to 1, both with biases. transformers' own classes would drop them.
The text is the rendered chat template with nothing added, so the reward is read at the newline
after the last turn. Math-RM's card puts its instruction to reason step by step in a system turn of
the data.
"""

from __future__ import annotations

from ultrarm_eval.checkpoints.known_head import TWO_LAYERS, KnownHead
from ultrarm_eval.reward_models.headed_judge import HeadedJudge


class Qwen2Reward(KnownHead):
    """The checkpoint of one of Qwen's scalar reward models."""

    known_as = "a scalar Qwen reward model (Qwen2.5-Math-RM, WorldPM)"
    reading = "two layers with a ReLU between them, at the last token"
    classes = frozenset({"Qwen2ForRewardModel", "Qwen2RMConfig"})
    families = frozenset({"qwen2"})
    head, parts = "score", TWO_LAYERS


class Qwen2RewardJudge(HeadedJudge):
    """Scores texts with Qwen2.5-Math-RM or WorldPM."""

    name = "qwen2-reward"
    architecture = Qwen2Reward()
    default_checkpoint = "Qwen/Qwen2.5-Math-RM-72B"

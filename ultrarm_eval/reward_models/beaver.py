"""Beaver's reward and cost models of Safe RLHF (PKU-Alignment/beaver-7b-*): one linear head.

From PKU-Alignment/safe-rlhf's score model, copied in RewardBench's rewardbench/models/beaver.py:
`score_head` at the last token; where config.json sets do_normalize, a reward is
(score - mean) / (sqrt(var) + 1e-8) and a cost is score / (sqrt(var) + 1e-8). A lower cost is
better, so the reward of a cost model is its negated cost, as in RewardBench.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ultrarm_eval.checkpoints.files import own_name
from ultrarm_eval.checkpoints.foreign_errors import quoted
from ultrarm_eval.checkpoints.headed_decoder import HeadedDecoder, Shapes
from ultrarm_eval.checkpoints.heads import LinearPart, head_of_shapes, linear_part, part_shapes
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.weight_map import WeightSource, under_other_prefix
from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.reward_models.headed_judge import HeadedJudge
from ultrarm_eval.text_format.plain_templates import BEAVER_TEMPLATE

logger = logging.getLogger(__name__)

_HEAD, _NORMALIZER = "score_head", "normalizer"
_STATISTICS = ("mean", "var")
REWARD, COST = "reward", "cost"
_EPSILON = 1e-8


class ScoreHead(nn.Module):
    """A linear layer whose score is normalized, and negated where it is a cost."""

    def __init__(self, layer: nn.Module, *, is_cost: bool, normalizes: bool) -> None:
        """Puts the parts together.

        Args:
            layer: Maps hidden states to a score.
            is_cost: Whether the score is a cost, where lower is better.
            normalizes: Whether scores are divided by their standard deviation in training, and a
                reward's mean is subtracted first.
        """
        super().__init__()
        self.layer, self._is_cost, self._normalizes = layer, is_cost, normalizes
        for name in _STATISTICS if normalizes else ():
            self.register_parameter(name, nn.Parameter(torch.ones(1), requires_grad=False))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Maps the last dimension, (..., hidden size) to (..., 1)."""
        score: torch.Tensor = self.layer(hidden)
        if self._normalizes:
            mean, var = (getattr(self, name).to(torch.float32) for name in _STATISTICS)
            score = (score if self._is_cost else score - mean) / (var.sqrt() + _EPSILON)
        return -score if self._is_cost else score

    def linear_part(self) -> LinearPart | None:
        """See `ultrarm_eval.checkpoints.heads.linear_part`; a cost is the same layer, negated."""
        inner = linear_part(self.layer)
        if inner is None or self._normalizes:
            return None
        bias = None if inner.bias is None else f"layer.{inner.bias}"
        return LinearPart(f"layer.{inner.weight}", bias, -1 if self._is_cost else 1)


class Beaver(HeadedDecoder):
    """The checkpoint of a Beaver reward or cost model."""

    known_as = "a Beaver reward or cost model of Safe-RLHF"
    reading = "a linear head at the last token; costs are negated"
    classes = frozenset({"LlamaForScore", "LlamaModelForScore"})
    families = frozenset({"llama"})
    head_fields = (
        *("bias", "score_bias", "score_dim", "score_type"),
        *("do_normalize", "normalizer_type", "momentum", *_STATISTICS),
    )
    not_read = (rf"^{_NORMALIZER}\.(mean|var|count)$",)

    def read_config(self, survey: Survey) -> Any:
        """See `Architecture.read_config`."""
        config = super().read_config(survey)
        if _is_cost(survey):
            logger.info("%s is a cost model: rewards are its negated costs.", survey.name)
        return config

    def head_weights(self, survey: Survey) -> Mapping[str, WeightSource]:
        """See `HeadedDecoder.head_weights`."""
        values, parts = survey.values, ["weight"]
        said = [values[name] for name in ("bias", "score_bias") if values.get(name) is not None]
        is_biased = any(said)
        if said and not is_biased and f"{_HEAD}.bias" in survey.keys:
            raise CheckpointError(
                f"{survey.name}: config.json states that the head has no bias, but the weights "
                f"contain {_HEAD}.bias. Correct bias (or score_bias) in a copy of it, or remove "
                "the weight."
            )
        if is_biased or f"{_HEAD}.bias" in survey.keys:
            parts.append("bias")
        found = under_other_prefix(parts, f"{_HEAD}.", "layer.")
        if values.get("do_normalize"):
            found |= under_other_prefix(_STATISTICS, f"{_NORMALIZER}.")
        return found

    def make_head(self, shapes: Shapes, config: Any) -> nn.Module:
        """See `HeadedDecoder.make_head`."""
        layer = part_shapes(shapes, "layer.")
        return ScoreHead(
            head_of_shapes(layer, config.hidden_size, name=f"{self.known_as}: {_HEAD}"),
            is_cost=getattr(config, "score_type", REWARD) == COST,
            normalizes=bool(getattr(config, "do_normalize", False)),
        )


def _is_cost(survey: Survey) -> bool:
    """Whether scores are costs."""
    name, kind = survey.name, survey.values.get("score_type")
    if kind not in (None, REWARD, COST):
        raise CheckpointError(
            f"{name}: config.json: score_type is {quoted(kind)}, but must be {REWARD} or {COST}."
        )
    if kind is None and COST in own_name(name).lower():
        raise CheckpointError(
            f"{name}: its name suggests a cost model, but its config.json has no score_type, so "
            f'scores would count as rewards. Write "score_type": "{COST}" (or "{REWARD}") to a '
            "copy of it."
        )
    return kind == COST


class BeaverJudge(HeadedJudge):
    """Scores texts with a Beaver reward model, or by the costs of a cost model, negated."""

    name = "beaver"
    architecture = Beaver()
    default_template = BEAVER_TEMPLATE
    default_checkpoint = "PKU-Alignment/beaver-7b-v1.0-reward"

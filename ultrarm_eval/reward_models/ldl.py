"""LDL-Reward-Gemma-2-27B: distributions of objectives over ten ratings, weighted by a gate.

At the last token, one MLP outputs each objective's distribution over ratings from 0 to 1, and
another the objectives' weights. The reward is the sum of weight x expected rating. The two heads
are pickles next to the body's weights. Source: allenai/reward-bench,
rewardbench/models/ldlreward.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import nn

from ultrarm_eval.checkpoints.headed_decoder import HeadedDecoder, Shapes
from ultrarm_eval.checkpoints.heads import head_of_shapes, part_shapes, perceptron
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.checkpoints.weight_map import WeightMap, WeightSource, under_other_prefix
from ultrarm_eval.checkpoints.weights import IN_FILE
from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.reward_models.headed_judge import HeadedJudge
from ultrarm_eval.reward_models.weighted_objectives import WeightedReward, WeightedSum, stacked

_RATINGS = 10
#: By the head's name in the network: its file, and the indices of its linear layers.
_HEADS = {
    "distributions": ("regression_layer.pt", (0, 2, 4)),
    "gate": ("gating_layer.pt", (0, 3, 6)),
}
_NETWORK = "network."


class RatedObjectives(nn.Module):
    """Expected ratings of objectives, and their weights, at every token.

    Attributes:
        count: How many objectives there are.
    """

    def __init__(
        self, distributions: nn.Module, gate: nn.Module, count: int, *, temperature: float | None
    ) -> None:
        """Puts the parts together.

        Args:
            distributions: Maps hidden states to a logit for each rating of each objective.
            gate: Maps hidden states to the objectives' weights.
            count: How many objectives there are.
            temperature: The temperature of a softmax over the weights; None for no softmax.
        """
        super().__init__()
        self.distributions, self.gate = distributions, gate
        self.count, self._temperature = count, temperature

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Maps (..., hidden size) to (..., 3 x objectives), see `stacked`."""
        shares = self.distributions(hidden).unflatten(-1, (self.count, _RATINGS)).softmax(-1)
        ratings = torch.linspace(0, 1, _RATINGS, device=shares.device)
        expected, weights = (shares * ratings).sum(-1), self.gate(hidden)
        if self._temperature is not None:
            weights = (weights / self._temperature).softmax(-1)
        return stacked(expected, expected, weights)


class LDL(HeadedDecoder):
    """A checkpoint of LDL-Reward."""

    known_as = "LDL-Reward"
    reading = "the weighted sum of its objectives' expected ratings at the last token"
    # The body is saved separately, so config.json may name the body's class.
    classes = frozenset({"LDLRewardModel27B", "Gemma2Model"})
    families = frozenset({"gemma2"})
    further_files = tuple(file for file, _ in _HEADS.values())

    def recognises(self, survey: Survey) -> bool:
        """See `Architecture.recognises`; a body without the heads' files is not one."""
        is_named = not survey.classes or super().recognises(survey)
        is_body = is_named and survey.model_type in self.families
        return is_body and all(survey.fetch(file) is not None for file in self.further_files)

    def head_weights(self, survey: Survey) -> Mapping[str, WeightSource]:
        """See `HeadedDecoder.head_weights`."""
        found: dict[str, WeightSource] = {}
        for head, (file, places) in _HEADS.items():
            stored = f"{file}{IN_FILE}{_NETWORK}"
            found |= under_other_prefix(perceptron(*places), stored, f"{head}.")
        return found

    def body_weights(self, config: Any, survey: Survey) -> WeightMap:
        """See `HeadedDecoder.body_weights`; a body saved separately has names without prefix."""
        if any(key.startswith(self.body) for key in survey.keys):
            return super().body_weights(config, survey)
        own = survey.keys - survey.weights.further.keys()
        return {self.body + key: WeightSource.of(key) for key in own}

    def make_head(self, shapes: Shapes, config: Any) -> nn.Module:
        """See `HeadedDecoder.make_head`."""
        networks = {}
        for head, (file, places) in _HEADS.items():
            own = part_shapes(shapes, f"{head}.")
            outputs = own[f"{places[-1]}.weight"][0]
            networks[head] = (
                outputs,
                head_of_shapes(
                    own,
                    config.hidden_size,
                    outputs,
                    activation=nn.LeakyReLU,
                    name=file,
                    prefix=_NETWORK,
                ),
            )
        (numbers, distributions), (count, gate) = networks["distributions"], networks["gate"]
        if numbers != _RATINGS * count:
            first, second = self.further_files
            raise CheckpointError(
                f"{first} outputs {numbers} numbers but {second} weights {count} objectives with "
                f"{_RATINGS} ratings each: they do not belong together."
            )
        # As in its own code: a softmax only if config.json asks for one.
        is_softmax = bool(getattr(config, "softmax", False))
        temperature = float(getattr(config, "temperature", None) or 1.0) if is_softmax else None
        return RatedObjectives(distributions, gate, count, temperature=temperature)

    def at_last_token(self, head: nn.Module) -> nn.Module:
        """See `Architecture.at_last_token`; outputs the reward without the objectives."""
        return WeightedSum(head)


class LDLJudge(HeadedJudge):
    """Scores texts with LDL-Reward; results contain its objectives' expected ratings."""

    name = "ldl"
    architecture = LDL()
    gives_token_rewards = False
    default_checkpoint = "ShikaiChen/LDL-Reward-Gemma-2-27B-v0.1"

    def make_head(self, loaded: LoadedTokenizer) -> WeightedReward:
        """See `CheckpointJudge.make_head`."""
        # The objectives have no published names.
        count = cast(RatedObjectives, self.checkpoint.network.head).count
        return WeightedReward(self.checkpoint, [str(number) for number in range(count)])

"""Reward models with several objectives, weighted by a gate on the prompt: ArmoRM, QRM.

At the last token a linear layer gives the objectives r, or quantiles of each, whose mean is r. At
the token that ends the prompt, where the assistant's turn begins, a small perceptron gives weights
g = softmax(MLP(h) / temperature) x scale. The reward is the sum of g x (M r), with M the reward
transform matrix of models that have one. Sources: the kinds' own files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import nn

from ultrarm_eval.checkpoints.headed_decoder import HeadedDecoder, Shapes
from ultrarm_eval.checkpoints.heads import head_of_shapes, part_shapes
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.tokenizer import LoadedTokenizer
from ultrarm_eval.checkpoints.weight_map import WeightSource
from ultrarm_eval.errors import CheckpointError
from ultrarm_eval.reward_models.weighted_objectives import WeightedReward, stacked
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.prompt_end_encoder import PromptEndEncoder
from ultrarm_eval.text_format.template import Template

#: What the gate's layers are called in the files.
GATE = "gating.layers."
_OBJECTIVES = "regression_layer.weight"
#: What objectives are multiplied by, in models that do so.
TRANSFORM = "reward_transform_matrix"
_SCALE = "gating.logit_scale"
#: What chat templates write between the prompt and the completion, by the body's family; but for
#: line breaks at its end, which tokenizers join with those that a completion begins with.
_TURNS = {
    "llama": "<|eot_id|><|start_header_id|>assistant<|end_header_id|>",
    "gemma2": "<end_of_turn>\n<start_of_turn>model",
}
#: What a softmax divides by where config.json does not say `gating_temperature`.
_TEMPERATURES = {"llama": 10.0, "gemma2": 1.0}
#: The gate's layers before the last, where config.json does not say `gating_n_hidden`.
_HIDDEN_LAYERS = 3


class GatedObjectives(nn.Module):
    """Objectives, what they are transformed to, and the gate's weights of these, at every token.

    Attributes:
        count: How many objectives there are.
    """

    def __init__(
        self,
        objectives: nn.Module,
        gate: nn.Module,
        count: int,
        *,
        temperature: float,
        is_transformed: bool,
        shows_transformed: bool,
    ) -> None:
        """Puts the parts together.

        Args:
            objectives: From hidden states to the objectives, or to the quantiles of the first, of
                the second, and so on.
            gate: From hidden states to a number for each objective.
            count: How many objectives there are.
            temperature: What the gate's numbers are divided by.
            is_transformed: Whether objectives are multiplied by a matrix.
            shows_transformed: Whether results show them as they are then.
        """
        super().__init__()
        self.objectives, self.gate = objectives, gate
        self.count, self._temperature = count, temperature
        self._shows_transformed = shows_transformed
        self.transform = nn.Parameter(torch.zeros(count, count)) if is_transformed else None
        self.scale = nn.Parameter(torch.zeros(1))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Maps (..., hidden size) to (..., 3 x objectives), see `stacked`."""
        objectives = self.objectives(hidden).unflatten(-1, (self.count, -1)).mean(-1)
        transform = self.transform
        transformed = objectives if transform is None else objectives @ transform.to(torch.float32)
        weights = torch.softmax(self.gate(hidden) / self._temperature, dim=-1)
        shown = transformed if self._shows_transformed else objectives
        return stacked(shown, transformed, weights * self.scale.to(torch.float32))


class GatedDecoder(HeadedDecoder):
    """A decoder with objectives and a gate.

    Attributes:
        counts: How many objectives there may be.
        shows_transformed: Whether the objectives in results are those that are weighed.
    """

    families = frozenset(_TURNS)
    counts: ClassVar[frozenset[int]]
    shows_transformed: ClassVar[bool] = False

    def head_weights(self, survey: Survey) -> Mapping[str, WeightSource]:
        """See `HeadedDecoder.head_weights`."""
        gate = {
            f"gate.{key.removeprefix(GATE)}": WeightSource.of(key)
            for key in survey.keys
            # Batch norms count what they have seen in training.
            if key.startswith(GATE) and not key.endswith(".num_batches_tracked")
        }
        # Where there is none, its first layer is what is missed.
        gate = gate or {"gate.0.weight": WeightSource.of(f"{GATE}0.weight")}
        own = {"objectives.weight": _OBJECTIVES, "scale": _SCALE}
        if self.is_transformed(survey):
            own["transform"] = TRANSFORM
        return {**{name: WeightSource.of(key) for name, key in own.items()}, **gate}

    def is_transformed(self, survey: Survey) -> bool:
        """Whether objectives are multiplied by a matrix before they are weighed."""
        return True

    def make_head(self, shapes: Shapes, config: Any) -> nn.Module:
        """See `HeadedDecoder.make_head`."""
        gate = part_shapes(shapes, "gate.")
        network = head_of_shapes(gate, config.hidden_size, None, name="its gate", prefix=GATE)
        last = max((int(key.split(".")[0]), key) for key in gate if key.endswith(".weight"))[1]
        self._require_depth(gate, config)
        count, rows = gate[last][0], shapes["objectives.weight"][0]
        if count not in self.counts:
            known = " or ".join(map(str, sorted(self.counts)))
            raise CheckpointError(
                f"{GATE}{last} has weights for {count} objectives, but {self.known_as} has {known}."
            )
        quantiles = self.quantiles(config)
        if rows != count * quantiles:
            raise CheckpointError(
                f"{_OBJECTIVES} has {rows} rows; {count} objectives of {quantiles} each need "
                f"{count * quantiles}. Check that config.json (num_quantiles) belongs to these "
                "weights."
            )
        linear = {"weight": shapes["objectives.weight"]}
        temperature = getattr(config, "gating_temperature", None)
        return GatedObjectives(
            head_of_shapes(
                linear, config.hidden_size, rows, name="its objectives", prefix="regression_layer."
            ),
            network,
            count,
            temperature=float(temperature or _TEMPERATURES[config.model_type]),
            is_transformed="transform" in shapes,
            shows_transformed=self.shows_transformed,
        )

    def _require_depth(self, gate: Shapes, config: Any) -> None:
        """Refuses a gate that lacks a layer or a bias: the others may fit without it."""
        wanted = getattr(config, "gating_n_hidden", _HIDDEN_LAYERS) + 1
        found = sum(len(shape) == 2 for shape in gate.values())
        if found != wanted:
            raise CheckpointError(
                f"{GATE[:-1]} has {found} linear layers, but config.json (gating_n_hidden) "
                f"describes {wanted}: a layer is missing, or they do not belong together."
            )
        linear = sorted(int(key.split(".")[0]) for key, shape in gate.items() if len(shape) == 2)
        norms = {int(key.split(".")[0]) for key in gate if key.endswith(".running_mean")}
        for place, behind in zip(linear, [*linear[1:], linear[-1] + 1], strict=True):
            is_normed = any(place < norm < behind for norm in norms)
            if f"{place}.bias" not in gate and not is_normed:
                raise CheckpointError(
                    f"{GATE}{place}.weight has neither a bias ({GATE}{place}.bias) nor a batch "
                    f"norm after it; in the gate of {self.known_as} each layer has one of the "
                    "two, so a weight is missing."
                )

    def quantiles(self, config: Any) -> int:
        """How many numbers an objective is the mean of."""
        return 1

    def at_last_token(self, head: nn.Module) -> nn.Module:
        """See `Architecture.at_last_token`.

        Raises:
            CheckpointError: Always, as the gate is read where the prompt ends.
        """
        raise CheckpointError(
            f"The reward of {self.known_as} is computed from objectives at a text's last token "
            "and a gate at the end of the prompt; engines that use only one token per text cannot "
            "compute it. Use engine=torch."
        )


class GatedReward(WeightedReward):
    """Objectives at the last token, weighted by the gate where the prompt ends."""

    reads_several = True

    def encoder(self, loaded: LoadedTokenizer, template: Template, **options: Any) -> TextEncoder:
        """See `RewardHead.encoder`."""
        turn = _TURNS[self.checkpoint.config.model_type]
        return PromptEndEncoder(
            loaded.tokenizer, template, turn=turn, name=self.checkpoint.name, **options
        )

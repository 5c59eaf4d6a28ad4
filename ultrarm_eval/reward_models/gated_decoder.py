"""Reward models with several objectives, weighted by a gate on the prompt: ArmoRM, QRM.

At the last token, a linear layer outputs the objectives r, or quantiles of each, whose mean is r.
At the token that ends the prompt, where the assistant's turn begins, a small MLP outputs weights
g = softmax(MLP(h) / temperature) x scale. The reward is the sum of g x (M r), with M the reward
transform matrix of models that have one. Sources: see the modules of the models.
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

#: The prefix of the gate's layers in the files.
GATE = "gating.layers."
_OBJECTIVES = "regression_layer.weight"
#: The matrix that objectives are multiplied by, in models that have one.
TRANSFORM = "reward_transform_matrix"
_SCALE = "gating.logit_scale"
#: The text between prompt and completion in chat templates, by the body's family; without line
#: breaks at its end, which tokenizers merge with those at the start of a completion.
_TURNS = {
    "llama": "<|eot_id|><|start_header_id|>assistant<|end_header_id|>",
    "gemma2": "<end_of_turn>\n<start_of_turn>model",
}
#: The softmax temperature, for a config.json without `gating_temperature`.
_TEMPERATURES = {"llama": 10.0, "gemma2": 1.0}
#: The number of the gate's layers before the last, for a config.json without `gating_n_hidden`.
_HIDDEN_LAYERS = 3


class GatedObjectives(nn.Module):
    """Objectives, the transformed objectives, and the gate's weights for these, at every token.

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
            objectives: Maps hidden states to the objectives, or to the quantiles of the first, of
                the second, and so on.
            gate: Maps hidden states to a number for each objective.
            count: How many objectives there are.
            temperature: The divisor of the gate's outputs.
            is_transformed: Whether objectives are multiplied by a matrix.
            shows_transformed: Whether results show the transformed objectives.
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
        counts: The allowed numbers of objectives.
        shows_transformed: Whether results show the transformed objectives.
    """

    families = frozenset(_TURNS)
    counts: ClassVar[frozenset[int]]
    shows_transformed: ClassVar[bool] = False

    def head_weights(self, survey: Survey) -> Mapping[str, WeightSource]:
        """See `HeadedDecoder.head_weights`."""
        gate = {
            f"gate.{key.removeprefix(GATE)}": WeightSource.of(key)
            for key in survey.keys
            # Batch norms count their training batches; rewards do not depend on it.
            if key.startswith(GATE) and not key.endswith(".num_batches_tracked")
        }
        # Without a gate, its first layer is reported as missing.
        gate = gate or {"gate.0.weight": WeightSource.of(f"{GATE}0.weight")}
        own = {"objectives.weight": _OBJECTIVES, "scale": _SCALE}
        if self.is_transformed(survey):
            own["transform"] = TRANSFORM
        return {**{name: WeightSource.of(key) for name, key in own.items()}, **gate}

    def is_transformed(self, survey: Survey) -> bool:
        """Whether objectives are multiplied by a matrix before they are weighted."""
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
        """Rejects a gate that lacks a layer or a bias: the remaining ones may still fit."""
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
        """The number of quantiles that an objective is the mean of."""
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

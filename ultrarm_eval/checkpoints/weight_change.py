"""An adapter's change of one stored weight of its base."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ultrarm_eval.checkpoints.adapter_config import AdapterConfig
from ultrarm_eval.checkpoints.adapter_weights import AdapterWeights
from ultrarm_eval.checkpoints.lora import LowRankChange
from ultrarm_eval.errors import CheckpointError


@dataclass
class WeightChange:
    """An adapter's change of a stored weight.

    Attributes:
        base: The name of the base's weight; None for a weight that the base does not have.
        whole: The tensor that replaces it, if there is one.
        module: The module whose low-rank change, bias or rows are merged into it.
        kind: `linear`, `embedding`, `bias`, or empty.
        rows: The tensor of trained rows.
    """

    base: str | None
    whole: str | None = None
    module: str = ""
    kind: str = ""
    rows: str | None = None

    @property
    def is_merged(self) -> bool:
        """Whether something is merged into the weight, so that it becomes float32."""
        return bool(self.kind) or self.rows is not None

    def merged_into(
        self,
        weight: torch.Tensor,
        weights: AdapterWeights,
        config: AdapterConfig,
        *,
        inputs_first: bool,
    ) -> torch.Tensor:
        """The changed weight, float32.

        Args:
            weight: The weight.
            weights: The adapter's tensors.
            config: The content of its adapter_config.json.
            inputs_first: Whether a linear layer's weight is (inputs, outputs).

        Raises:
            CheckpointError: The shapes do not belong together.
        """
        merged = weight.to(torch.float32)
        if self.kind == "bias":
            return self._with_bias(merged, weights, config)
        if self.kind:
            is_embedding = self.kind == "embedding"
            change = self._low_rank(merged, weights, config)
            merged = change.merged_into(merged, inputs_first=is_embedding or inputs_first)
        if self.rows is not None:
            merged = self._with_rows(merged, weights, config)
        return merged

    def _part(self, name: str, weights: AdapterWeights, beside: torch.Tensor) -> torch.Tensor:
        key = weights.parts.changes[self.module][name]
        return weights.read(key).to(beside.device, torch.float32)

    def _with_bias(
        self, bias: torch.Tensor, weights: AdapterWeights, config: AdapterConfig
    ) -> torch.Tensor:
        change = self._part("bias", weights, bias)
        if change.shape != bias.shape:
            raise CheckpointError(
                f"it has the shape {list(change.shape)}, the model's bias {list(bias.shape)}"
            )
        return bias + config.scaling(self.module) * change

    def _low_rank(
        self, weight: torch.Tensor, weights: AdapterWeights, config: AdapterConfig
    ) -> LowRankChange:
        names = ("embedding_a", "embedding_b") if self.kind == "embedding" else ("a", "b")
        a, b = (self._part(name, weights, weight) for name in names)
        if weight.dim() != 2 or a.shape[0] != b.shape[-1]:
            raise CheckpointError(
                f"the factors have the shapes {list(a.shape)} and {list(b.shape)}, the weight "
                f"{list(weight.shape)}"
            )
        magnitude = None
        if "magnitude" in weights.parts.changes[self.module]:
            magnitude = self._part("magnitude", weights, weight)
            if magnitude.numel() != b.shape[0]:
                raise CheckpointError(
                    f"there are {magnitude.numel()} magnitudes for {b.shape[0]} outputs"
                )
        return LowRankChange(a, b, config.scaling(self.module), magnitude)

    def _with_rows(
        self, weight: torch.Tensor, weights: AdapterWeights, config: AdapterConfig
    ) -> torch.Tensor:
        rows = self._part("rows", weights, weight)
        indices = config.rows_of(self.module) or ()
        if rows.shape != (len(indices), weight.shape[1]):
            raise CheckpointError(
                f"{list(rows.shape)} for {len(indices)} trained rows of {weight.shape[1]} numbers"
            )
        if max(indices) >= len(weight):
            raise CheckpointError(
                f"it trained row {max(indices)} of {len(weight)}: the base has fewer tokens than "
                "the model that the adapter was trained on"
            )
        return weight.index_copy(0, torch.tensor(indices, device=weight.device), rows)

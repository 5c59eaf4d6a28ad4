"""Low-rank changes of a weight (LoRA) and its magnitudes (DoRA), merged into it in float32.

LoRA (arXiv 2106.09685): W' = W + s B A, with A (rank, inputs) and B (outputs, rank). DoRA (arXiv
2402.09353): W' = m (W + s B A) / ||W + s B A||, with norms and magnitudes m per row, that is per
output. An embedding has a column for each output.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ultrarm_eval.errors import CheckpointError


@dataclass(frozen=True)
class LowRankChange:
    """A low-rank change of one weight.

    Attributes:
        a: The first factor, (rank, inputs).
        b: The second factor, (outputs, rank).
        scaling: The factor of their product.
        magnitude: DoRA's magnitude of each output, (outputs,); None without DoRA.
    """

    a: torch.Tensor
    b: torch.Tensor
    scaling: float
    magnitude: torch.Tensor | None = None

    def merged_into(self, weight: torch.Tensor, *, inputs_first: bool) -> torch.Tensor:
        """The changed weight, float32.

        Args:
            weight: The weight, (outputs, inputs).
            inputs_first: Whether it is (inputs, outputs): an embedding, or GPT-2's type of layer.

        Raises:
            CheckpointError: The shapes do not belong together.
        """
        found = weight.to(torch.float32)
        found = found.T if inputs_first else found
        change = self.b.to(torch.float32) @ self.a.to(torch.float32)
        if change.shape != found.shape:
            raise CheckpointError(
                f"the change has {list(change.shape)} outputs and inputs, the weight "
                f"{list(found.shape)}"
            )
        merged = found + self.scaling * change
        if self.magnitude is not None:
            norms = torch.linalg.vector_norm(merged, dim=1, keepdim=True)
            merged = self.magnitude.to(torch.float32).view(-1, 1) / norms * merged
        return (merged.T if inputs_first else merged).contiguous()

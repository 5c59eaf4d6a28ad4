"""Checks the numbers of a head: they are few, and damage to them is hard to notice."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch

from ultrarm_eval.checkpoints.network_parts import weights_behind_body
from ultrarm_eval.checkpoints.weight_map import WeightMap
from ultrarm_eval.checkpoints.weight_reader import WeightReader
from ultrarm_eval.errors import CheckpointError


def head_weights(network: Any) -> list[str]:
    """The names of a network's weights after its body, without those of a language head."""
    by_token = getattr(network, "get_output_embeddings", lambda: None)()
    left_out = set() if by_token is None else {id(weight) for weight in by_token.parameters()}
    return [
        name
        for name in weights_behind_body(network)
        if id(network.get_parameter(name)) not in left_out
    ]


def require_finite_head(
    name: str,
    network: Any,
    reader: WeightReader,
    weight_map: WeightMap | None,
    keys: Collection[str],
) -> None:
    """Rejects a head with NaN or infinity: after hours, every reward would be NaN.

    Args:
        name: The checkpoint, for messages.
        network: The network, on any device.
        reader: Reads its weights.
        weight_map: How they are made of the stored ones; None where they have the same names.
        keys: The names of the weights as the network has them.

    Raises:
        CheckpointError: There is such a number.
    """
    for weight in head_weights(network):
        if weight not in keys:
            continue
        numbers = reader.read(weight)
        if not numbers.is_floating_point():
            continue
        # isfinite does not support some 8-bit dtypes.
        bad = ~torch.isfinite(numbers.float())
        if bad.any():
            source = (weight_map or {}).get(weight)
            stored = weight if source is None else ", ".join(source.keys)
            place = bad.nonzero()[0].tolist()
            raise CheckpointError(
                f"{name}: its head's weight {stored!r} is not finite: {int(bad.sum())} of "
                f"{bad.numel()} numbers, the first at {place}. A file is damaged, or the training "
                "diverged; every reward would be NaN. Download the checkpoint again."
            )

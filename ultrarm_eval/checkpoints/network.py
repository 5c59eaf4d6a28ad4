"""The network that a config.json describes, without weights."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.foreign_errors import as_checkpoint_error, quoted
from ultrarm_eval.errors import CheckpointError

# Numbers of parts, each of which is built: more than any model has, and hours of building.
_MOST_PARTS = 100_000
# Some families repeat a layer, so that it has fewer weights than layers.
_PARTS_WITHOUT_WEIGHTS = 1_000
_PARTS = re.compile(r"^(?!max_).*(layers?|experts|groups?|blocks?|stages)$")


def described(name: str, values: Mapping[str, Any], architecture: Architecture) -> Any:
    """The configuration that a config.json describes to a kind of model.

    Args:
        name: The checkpoint, for messages.
        values: What its config.json says.
        architecture: The kind.

    Raises:
        CheckpointError: It is of another kind, or describes nothing that could be built.
    """
    for field, count in _parts(values):
        if count > _MOST_PARTS:
            raise CheckpointError(
                f"{name}: config.json: {field} is {quoted(count)}; no model has more than "
                f"{_MOST_PARTS} of these. Correct the file, or take it from its source again."
            )
    with as_checkpoint_error(_not_to_be_built(name)):
        return architecture.read_config(name, values)


def built(
    name: str,
    config: Any,
    values: Mapping[str, Any],
    keys: Collection[str],
    architecture: Architecture,
) -> nn.Module:
    """The network that a configuration describes, without weights.

    Args:
        name: The checkpoint, for messages.
        config: Its configuration.
        values: What its config.json says.
        keys: The names of its weights: no network with more layers than these is built.
        architecture: The kind.

    Raises:
        CheckpointError: The network cannot be built, or lacks its head.
    """
    most = max(len(keys), _PARTS_WITHOUT_WEIGHTS)
    for field, count in _parts(values):
        if count > most:
            raise CheckpointError(
                f"{name}: config.json: {field} is {quoted(count)}, and there are {len(keys)} "
                "weights: its config.json does not belong to these weights."
            )
    with as_checkpoint_error(_not_to_be_built(name)), torch.device("meta"):
        network = architecture.network(config)
    architecture.require_weights(name, network, keys)
    return network


def _not_to_be_built(name: str) -> str:
    return (
        f"{name}: its config.json describes no model that transformers can make; correct it, or "
        "take it from its source again"
    )


def _parts(values: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """The fields that say how many of a part there are, in the parts of a configuration, too."""
    for field, value in values.items():
        if isinstance(value, dict):
            yield from _parts(value)
        elif _PARTS.match(field) and isinstance(value, int):
            yield field, value

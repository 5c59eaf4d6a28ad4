"""The network that a config.json describes, without weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from ultrarm_eval.checkpoints.architecture import Architecture
from ultrarm_eval.checkpoints.foreign_errors import as_checkpoint_error, quoted
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.errors import CheckpointError

# A limit of layers and other repeated parts: more than any model has, and hours to build.
_MOST_PARTS = 100_000
# Some families share one layer's weights, so a network can have fewer weights than layers.
_PARTS_WITHOUT_WEIGHTS = 1_000
_PARTS = re.compile(r"^(?!max_).*(layers?|experts|groups?|blocks?|stages)$")


def described(survey: Survey, architecture: Architecture) -> Any:
    """The configuration of a checkpoint, as its type reads it.

    Args:
        survey: The checkpoint's small files.
        architecture: The type.

    Raises:
        CheckpointError: It has another type, or describes no network that could be built.
    """
    name = survey.name
    for field, count in _parts(survey.values):
        if count > _MOST_PARTS:
            raise CheckpointError(
                f"{name}: config.json: {field} is {quoted(count)}; no model has more than "
                f"{_MOST_PARTS} of these. Correct the file, or download it again."
            )
    with as_checkpoint_error(_not_to_be_built(name)):
        return architecture.read_config(survey)


def built(config: Any, survey: Survey, architecture: Architecture) -> nn.Module:
    """The network that a configuration describes, without weights.

    No network with more layers than there are weights is built.

    Args:
        config: The configuration.
        survey: The checkpoint's small files.
        architecture: The type.

    Raises:
        CheckpointError: The network cannot be built, or lacks its head.
    """
    name, keys = survey.name, survey.keys
    most = max(len(keys), _PARTS_WITHOUT_WEIGHTS)
    for field, count in _parts(survey.values):
        if count > most:
            raise CheckpointError(
                f"{name}: config.json: {field} is {quoted(count)}, but there are {len(keys)} "
                "weights: its config.json does not belong to these weights."
            )
    with as_checkpoint_error(_not_to_be_built(name)), torch.device("meta"):
        network = architecture.network(config, survey)
    architecture.require_weights(survey, network)
    return network


def _not_to_be_built(name: str) -> str:
    return (
        f"{name}: transformers cannot build the model that its config.json describes; correct it, "
        "or download it again"
    )


def _parts(values: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """The fields that count layers and other repeated parts, also in nested configurations."""
    for field, value in values.items():
        if isinstance(value, dict):
            yield from _parts(value)
        elif _PARTS.match(field) and isinstance(value, int):
            yield field, value

"""Small parts of heads, and wrong readings made from a right one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import linear

from tests.reward_models.published.reference import Reference
from tests.reward_models.tiny.weights import Tensors, random_bias, random_linear

Wrong = Callable[[Path, list[int]], float]


def random_dense(
    generator: torch.Generator,
    name: str,
    inputs: int,
    outputs: int,
    *,
    bias: bool = True,
    scale: float = 1.0,
) -> Tensors:
    """The weight [outputs, inputs] of a linear layer, and its bias [outputs]."""
    tensors = {f"{name}.weight": random_linear(generator, outputs, inputs, scale=scale)}
    if bias:
        tensors[f"{name}.bias"] = random_bias(generator, outputs, scale=scale / 2)
    return tensors


def dense(tensors: Tensors, name: str, states: torch.Tensor) -> torch.Tensor:
    """What the linear layer of that name makes of states, with its bias where it has one."""
    return linear(states, tensors[f"{name}.weight"], tensors.get(f"{name}.bias"))


def wrong(read: Callable[..., Reference], **changed: Any) -> Wrong:
    """A reading whose arguments differ from the right ones."""
    return lambda folder, ids: read(folder, ids, **changed).reward


def after(read: Callable[..., Reference], change: Callable[[torch.Tensor], torch.Tensor]) -> Wrong:
    """A right reading of which something is made that nobody published, a sigmoid for example."""
    return lambda folder, ids: float(change(torch.tensor(read(folder, ids).reward)))


def with_ids(read: Callable[..., Reference], change: Callable[[list[int]], list[int]]) -> Wrong:
    """A right reading of a wrong text."""
    return lambda folder, ids: read(folder, change(ids)).reward

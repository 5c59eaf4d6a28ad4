"""Heads behind a body: linear layers and small perceptrons, in float32."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ultrarm_eval.errors import CheckpointError

_LAYER = re.compile(r"(?:(.+)\.)?(weight|bias)")


class Linear32(nn.Linear):
    """A linear layer in float32, also where its weight was loaded in less.

    One output is summed row by row: a product with one column rounds by the number of rows.
    """

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Maps the last dimension, (..., inputs) to (..., outputs)."""
        hidden, weight = hidden.to(torch.float32), self.weight.to(torch.float32)
        if self.out_features > 1:
            bias = None if self.bias is None else self.bias.to(torch.float32)
            return nn.functional.linear(hidden, weight, bias)
        found = (hidden * weight[0]).sum(-1, keepdim=True)
        return found if self.bias is None else found + self.bias.to(torch.float32)


def head_of_shapes(
    shapes: Mapping[str, Sequence[int]],
    hidden_size: int,
    outputs: int | None = 1,
    *,
    activation: type[nn.Module] = nn.ReLU,
    name: str = "The head",
) -> nn.Module:
    """A head whose layers are those of its weights: one linear layer, or several with activations.

    Args:
        shapes: The shapes of the weights: `weight` and perhaps `bias` of a linear layer; of a
            perceptron `0.weight`, `2.weight` and so on, the numbers between being activations.
        hidden_size: The width of the body.
        outputs: How many numbers the head gives; any if None.
        activation: What stands between linear layers.
        name: The checkpoint and the head, for messages.

    Raises:
        CheckpointError: The shapes do not follow one another, or give another number of outputs.
    """
    layers: dict[str, nn.Module] = {}
    width, places = hidden_size, _places(shapes, name)
    for place, layer in places.items():
        shape = tuple(shapes[f"{layer}weight"])
        bias = shapes.get(f"{layer}bias")
        is_last = place == max(places)
        fits = len(shape) == 2 and shape[1] == width
        if is_last and outputs is not None:
            fits = fits and shape[0] == outputs
        if not fits or (bias is not None and tuple(bias) != shape[:1]):
            wanted = f"[{outputs if is_last and outputs is not None else 'any'}, {width}]"
            raise CheckpointError(
                f"{name}: the weight {layer}weight has the shape {list(shape)}"
                f"{'' if bias is None else f' and a bias of {list(bias)}'}; a head on this body "
                f"of {hidden_size} has {wanted} there."
            )
        layers[str(place)] = Linear32(width, shape[0], bias=bias is not None)
        width = shape[0]
    if list(places.values()) == [""]:
        return layers["0"]
    between = {str(place): activation() for place in range(max(places)) if place not in places}
    ordered = sorted({**layers, **between}.items(), key=lambda one: int(one[0]))
    return nn.Sequential(*(layer for _, layer in ordered))


def _places(shapes: Mapping[str, Sequence[int]], name: str) -> dict[int, str]:
    """The places of linear layers, in order, and how their weights' names begin."""
    found: dict[int, str] = {}
    for key in shapes:
        match = _LAYER.fullmatch(key)
        layer = match and (match[1] or "0")
        if match is None or not str(layer).isdecimal():
            raise CheckpointError(
                f"{name}: the weight {key!r} is of no linear layer, nor of a row of such layers "
                "numbered from 0."
            )
        found[int(str(layer))] = f"{match[1]}." if match[1] else ""
    if not found or 0 not in found or any(f"{one}weight" not in shapes for one in found.values()):
        raise CheckpointError(f"{name}: its weights are {', '.join(sorted(shapes))}; no head.")
    return dict(sorted(found.items()))

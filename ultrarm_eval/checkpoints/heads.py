"""Heads on a body: linear layers and small MLPs, in float32, with norms."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from ultrarm_eval.errors import CheckpointError

__all__ = [
    "Linear32",
    "LinearPart",
    "RunningNorm",
    "head_of_shapes",
    "linear_part",
    "part_shapes",
    "perceptron",
]

_LAYER = re.compile(r"(?:(.+)\.)?(weight|bias|running_mean|running_var)")


class Linear32(nn.Linear):
    """A linear layer in float32, even if its weight was loaded in a narrower dtype.

    A single output is summed row by row: in a matrix product with one column, rounding depends on
    the number of rows, so a reward would depend on the size of its batch.
    """

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Maps the last dimension, (..., inputs) to (..., outputs)."""
        hidden, weight = hidden.to(torch.float32), self.weight.to(torch.float32)
        if self.out_features > 1:
            bias = None if self.bias is None else self.bias.to(torch.float32)
            return nn.functional.linear(hidden, weight, bias)
        found = (hidden * weight[0]).sum(-1, keepdim=True)
        return found if self.bias is None else found + self.bias.to(torch.float32)


@dataclass(frozen=True)
class LinearPart:
    """The single linear layer that a head consists of.

    Attributes:
        weight: The name of its weight in the head.
        bias: The name of its bias; None if it has none.
        sign: The factor of its output, 1 or -1.
    """

    weight: str = "weight"
    bias: str | None = None
    sign: int = 1


def linear_part(head: nn.Module) -> LinearPart | None:
    """The single linear layer with one output that a head consists of; None for any other head.

    A head of another class can state its layer with a method `linear_part`.

    Args:
        head: The head.
    """
    own = getattr(head, "linear_part", None)
    if callable(own):
        found: LinearPart | None = own()
        return found
    if type(head) is not Linear32 or head.out_features != 1:
        return None
    return LinearPart(bias=None if head.bias is None else "bias")


class RunningNorm(nn.Module):
    """A batch norm as it computes after training: with its stored mean and variance.

    They are weights like others, so that a missing one is noticed.
    """

    #: The names of its weights, each with one number per input.
    WEIGHTS = ("weight", "bias", "running_mean", "running_var")
    _EPSILON = 1e-5
    weight: torch.Tensor
    bias: torch.Tensor
    running_mean: torch.Tensor
    running_var: torch.Tensor

    def __init__(self, width: int) -> None:
        """Makes a norm without effect.

        Args:
            width: The number of inputs.
        """
        super().__init__()
        for name in self.WEIGHTS:
            weight = torch.ones(width) if name in ("weight", "running_var") else torch.zeros(width)
            self.register_parameter(name, nn.Parameter(weight, requires_grad=False))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Normalizes each number of the last dimension by itself."""
        scale = self.weight.to(torch.float32) * torch.rsqrt(
            self.running_var.to(torch.float32) + self._EPSILON
        )
        return (values - self.running_mean.to(torch.float32)) * scale + self.bias.to(torch.float32)


def perceptron(*places: int) -> tuple[str, ...]:
    """The names of weights and biases of linear layers at these indices of a list of layers."""
    return tuple(f"{place}.{part}" for place in places for part in ("weight", "bias"))


def part_shapes(shapes: Mapping[str, tuple[int, ...]], prefix: str) -> dict[str, tuple[int, ...]]:
    """The shapes of a part of a head, by the names of its weights in that part.

    Args:
        shapes: The shapes of all weights of the head.
        prefix: The prefix of the part's weight names.
    """
    return {
        key.removeprefix(prefix): shape for key, shape in shapes.items() if key.startswith(prefix)
    }


def head_of_shapes(
    shapes: Mapping[str, Sequence[int]],
    hidden_size: int,
    outputs: int | None = 1,
    *,
    activation: type[nn.Module] = nn.ReLU,
    name: str = "its head",
    prefix: str = "",
) -> nn.Module:
    """A head with the layers that its weights imply: one linear layer, or several with activations.

    Args:
        shapes: The shapes of the weights: `weight` and perhaps `bias` of a linear layer; of a
            perceptron `0.weight`, `2.weight` and so on in the order of the numbers. A layer with
            `running_mean` is a batch norm. Skipped numbers belong to layers without weights.
        hidden_size: The width of the body.
        outputs: The number of outputs of the head; any if None.
        activation: The activation after each linear layer but the last.
        name: The head, for messages.
        prefix: The prefix of its weight names in the files, for messages.

    Raises:
        CheckpointError: The shapes do not fit each other, or give another number of outputs.
    """
    layers: dict[str, nn.Module] = {}
    width, places = hidden_size, _places(shapes, name, prefix)
    for place, beginning in places.items():
        found = {
            part: tuple(shapes[f"{beginning}{part}"])
            for part in RunningNorm.WEIGHTS
            if f"{beginning}{part}" in shapes
        }
        if found.keys() & {"running_mean", "running_var"}:
            _require_norm(found, width, name, prefix + beginning)
            layers[str(place)] = RunningNorm(width)
            continue
        is_last = place == max(places)
        shape, bias = found["weight"], found.get("bias")
        fits = len(shape) == 2 and shape[1] == width
        if is_last and outputs is not None:
            fits = fits and shape[0] == outputs
        if not fits or (bias is not None and bias != shape[:1]):
            wanted = f"[{outputs if is_last and outputs is not None else 'any'}, {width}]"
            raise CheckpointError(
                f"{name}: {prefix}{beginning}weight has the shape "
                f"{list(shape)}{'' if bias is None else f' and its bias {list(bias)}'}, but a "
                f"head of this model (hidden size {hidden_size}) needs {wanted}."
            )
        layers[str(place)] = Linear32(width, shape[0], bias=bias is not None)
        if not is_last:
            layers[f"{place}_activation"] = activation()
        width = shape[0]
    if not isinstance(layers[str(max(places))], Linear32):
        raise CheckpointError(
            f"{name}: its last layer is a norm, but a head must end in a linear layer."
        )
    if list(places.values()) == [""]:
        return layers["0"]
    return nn.Sequential(OrderedDict(layers))


def _require_norm(
    shapes: Mapping[str, tuple[int, ...]], width: int, name: str, beginning: str
) -> None:
    for part in RunningNorm.WEIGHTS:
        if part not in shapes:
            raise CheckpointError(f"{name}: the weight {beginning}{part} is missing.")
        if shapes[part] != (width,):
            raise CheckpointError(
                f"{name}: the weight {beginning}{part} has the shape {list(shapes[part])}, but "
                f"must have {width} numbers."
            )


def _places(shapes: Mapping[str, Sequence[int]], name: str, prefix: str) -> dict[int, str]:
    """The indices of layers, in order, and the prefixes of their weight names."""
    found: dict[int, str] = {}
    for key in shapes:
        match = _LAYER.fullmatch(key)
        layer = match and (match[1] or "0")
        if match is None or not str(layer).isdecimal():
            raise CheckpointError(
                f"{name}: the weight {prefix + key!r} is not part of a linear layer or of "
                "numbered linear layers."
            )
        found[int(str(layer))] = f"{match[1]}." if match[1] else ""
    lacking = [f"{one}weight" for one in found.values() if f"{one}weight" not in shapes]
    if lacking:
        raise CheckpointError(f"{name}: the weight {prefix}{lacking[0]} is missing.")
    if 0 not in found:
        raise CheckpointError(f"{name}: its weights {', '.join(sorted(shapes))} are not a head.")
    return dict(sorted(found.items()))

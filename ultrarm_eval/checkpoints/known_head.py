"""A decoder with a head of known weights: a linear layer, or a small perceptron with ReLU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import nn

from ultrarm_eval.checkpoints.headed_decoder import HeadedDecoder, Shapes
from ultrarm_eval.checkpoints.heads import head_of_shapes, perceptron
from ultrarm_eval.checkpoints.survey import Survey
from ultrarm_eval.checkpoints.weight_map import WeightSource, under_other_prefix

#: Weights of a linear layer without bias, and of two layers with biases and a ReLU between.
LINEAR = ("weight",)
TWO_LAYERS = perceptron(0, 2)


class KnownHead(HeadedDecoder):
    """A type of checkpoint whose head is one or more linear layers with one output.

    Attributes:
        head: The name of the head in the files.
        parts: The names of its weights after that prefix.
    """

    head: ClassVar[str]
    parts: ClassVar[tuple[str, ...]] = LINEAR

    def head_weights(self, survey: Survey) -> Mapping[str, WeightSource]:
        """See `HeadedDecoder.head_weights`."""
        return under_other_prefix(self.parts, f"{self.head}.")

    def make_head(self, shapes: Shapes, config: Any) -> nn.Module:
        """See `HeadedDecoder.make_head`."""
        return head_of_shapes(shapes, config.hidden_size, name=f"{self.known_as}: {self.head}")

"""Where and how the values of a checkpoint's texts are computed: by torch, by vLLM, on servers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch

from ultrarm_eval.engine.engine import Engine
from ultrarm_eval.engine.plan import Plan
from ultrarm_eval.text_format.tokens import Tokens


class Computation(ABC):
    """Where and how values are computed.

    Attributes:
        engine: What computes them.
        dtype: The dtype of the model's body.
    """

    engine: Engine
    dtype: torch.dtype

    @abstractmethod
    def load(self) -> Any:
        """Loads the weights, or connects, once; gives the model where it is one of torch."""

    @abstractmethod
    def plan(self, texts: Sequence[Tokens]) -> Plan:
        """What computing texts would take, without the weights."""

    @abstractmethod
    def compute_alone(self, text: Tokens) -> float:
        """The value of a text that is computed alone."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """How and where they are computed, as results report it."""

"""Computation of a checkpoint's values: with torch, with vLLM, or on servers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch

from ultrarm_eval.engine.engine import Engine
from ultrarm_eval.engine.plan import Plan
from ultrarm_eval.text_format.tokens import Tokens


class Computation(ABC):
    """Computes values of texts.

    Attributes:
        engine: The engine.
        dtype: The dtype of the model's body.
    """

    engine: Engine
    dtype: torch.dtype

    @abstractmethod
    def load(self) -> Any:
        """Loads the weights, or connects, once; returns the model if it is a torch model."""

    @abstractmethod
    def plan(self, texts: Sequence[Tokens]) -> Plan:
        """Plans the computation of texts without the weights."""

    @abstractmethod
    def compute_alone(self, text: Tokens) -> float:
        """The value of a text that is computed on its own."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """How and where they are computed, as results report it."""

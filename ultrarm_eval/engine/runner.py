"""Runners run a model over batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch

from ultrarm_eval.engine.rows import PackedRow
from ultrarm_eval.errors import ScoringError
from ultrarm_eval.text_format.tokens import Tokens


class Runner(Protocol):
    """A loaded model, run on its device.

    If the model outputs several numbers per text, the shapes below have one more dimension.

    Attributes:
        written: Tokens generated so far.
    """

    written: int

    @property
    def model(self) -> Any:
        """The model."""
        ...

    def score_row(self, row: PackedRow) -> torch.Tensor:
        """Rewards of the texts of a row without padding, float32, shape (texts,)."""
        ...

    def score_padded(self, texts: Sequence[Tokens]) -> torch.Tensor:
        """Rewards of texts, each in its own row, float32, shape (texts,)."""
        ...

    def score_after_tokens(self, text: Tokens) -> torch.Tensor:
        """Rewards of every prefix of a text, in one pass, shape (tokens,)."""
        ...

    def score_alone(self, text: Tokens) -> torch.Tensor:
        """The reward of a text in its own forward pass, shape (); the reference for faster ways."""
        ...


class PaddedRunner:
    """Base of runners whose models support only padded batches."""

    written = 0

    def score_row(self, row: PackedRow) -> torch.Tensor:
        """Not supported: this model would attend from one text to another.

        Raises:
            ScoringError: Always.
        """
        raise ScoringError(
            f"A row of {len(row.texts)} texts was given to a model that supports only padded "
            "batches. Use batching=padded."
        )

    def score_alone(self, text: Tokens) -> torch.Tensor:
        """See `Runner.score_alone`."""
        return self.score_padded([text])[0]

    def score_padded(self, texts: Sequence[Tokens]) -> torch.Tensor:
        """See `Runner.score_padded`."""
        raise NotImplementedError

    def score_after_tokens(self, text: Tokens) -> torch.Tensor:
        """Not supported: this model computes one reward per text.

        Raises:
            ScoringError: Always.
        """
        raise ScoringError(
            f"A text of {len(text)} tokens was given to a model that cannot compute the reward "
            "after each token in one pass. Score its prefixes."
        )

"""What runs a model over batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch

from ultrarm_eval.engine.rows import PackedRow
from ultrarm_eval.errors import ScoringError
from ultrarm_eval.text_format.tokens import Tokens


class Runner(Protocol):
    """A loaded model, and how it is run on its device.

    Where the model gives several numbers of a text, what is said of shapes here has one more
    dimension.

    Attributes:
        written: Tokens that it wrote so far, beside reading texts.
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
        """Rewards of texts, each a row of its own, float32, shape (texts,)."""
        ...

    def score_after_tokens(self, text: Tokens) -> torch.Tensor:
        """Rewards of a text that ends after each of its tokens, in one pass, shape (tokens,)."""
        ...

    def score_alone(self, text: Tokens) -> torch.Tensor:
        """The reward of a text in a forward pass of its own, the plain way, shape ()."""
        ...


class PaddedRunner:
    """The part of a runner whose model takes padded batches alone."""

    written = 0

    def score_row(self, row: PackedRow) -> torch.Tensor:
        """Refused: this model would attend from one text to another.

        Raises:
            ScoringError: Always.
        """
        raise ScoringError(
            f"A row of {len(row.texts)} texts was given to a model that takes padded batches "
            "alone: use batching=padded."
        )

    def score_alone(self, text: Tokens) -> torch.Tensor:
        """See `Runner.score_alone`."""
        return self.score_padded([text])[0]

    def score_padded(self, texts: Sequence[Tokens]) -> torch.Tensor:
        """See `Runner.score_padded`."""
        raise NotImplementedError

    def score_after_tokens(self, text: Tokens) -> torch.Tensor:
        """Refused: this model gives one reward to a text.

        Raises:
            ScoringError: Always.
        """
        raise ScoringError(
            f"A text of {len(text)} tokens was given to a model that does not compute the reward "
            "after each of them in one pass: score its prefixes."
        )

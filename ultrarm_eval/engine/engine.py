"""What computes: token ids in, one value a text out.

The engine in this process is `ultrarm_eval.engine.local_engine.LocalEngine`. Another one, on a
server or in a library of its own, has the same methods. A judge takes any
(`ultrarm_eval.judges.text_judge.TextJudge`); one of a checkpoint here is given the local one
(`ultrarm_eval.judges.checkpoint_judge`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ultrarm_eval.text_format.tokens import Tokens


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do beside giving a value to a whole text.

    Attributes:
        token_rewards: The values after each token of a text come out of one pass.
        likelihoods: The value is a likelihood of the tokens from `Tokens.start` on.
    """

    token_rewards: bool = False
    likelihoods: bool = False


@dataclass(frozen=True)
class ComputedBatch:
    """Values that came at once.

    Attributes:
        texts: Indices into the texts that were asked for.
        values: Their values.
        tokens: Tokens that were computed for them: what they share once, and what a model wrote as
            well, the samples of a text up to the longest; no padding of what it read.
        details: What each value was made of, as JSON values; None where a network gives the value
            itself.
    """

    texts: Sequence[int]
    values: Sequence[float]
    tokens: int
    details: Sequence[Any] | None = None


@dataclass(frozen=True, slots=True)
class Computed:
    """What was computed of a text.

    Attributes:
        reward: Its value.
        details: What that was made of, as JSON values; None where there is nothing beside it.
    """

    reward: float
    details: Any = None


class Engine(Protocol):
    """Computes values of texts.

    Attributes:
        name: What it is called.
        version: Its version; values of another one may be rounded in another way.
        capabilities: What it can do.
    """

    name: str
    version: str
    capabilities: Capabilities

    def prepare(self) -> None:
        """Loads weights, or connects; once."""
        ...

    def compute(self, texts: Sequence[Tokens]) -> Iterator[ComputedBatch]:
        """Computes the values of texts and hands them out as they come.

        Args:
            texts: Texts of at least one token, no two the same.

        Yields:
            Batches; each text stands in one, in any order.

        Raises:
            TextDoesNotFitError: A single text does not fit into memory.
            ScoringError: The texts cannot be computed.
        """
        ...

    def compute_after_tokens(self, text: Tokens) -> list[float]:
        """The values of a text that ends after each of its tokens, in one pass.

        Args:
            text: The text. Where it has a `start`, the values are those after the tokens from
                there on.

        Raises:
            TextDoesNotFitError: The text does not fit into memory.
            ScoringError: This engine has no such values; see `Capabilities.token_rewards`.
        """
        ...

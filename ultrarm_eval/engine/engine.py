"""Engines compute one value per text from token ids.

There are three: `ultrarm_eval.engine.torch_engine` and `ultrarm_eval.engine.vllm_engine` compute in
this process, `ultrarm_eval.engine.server` sends requests to servers. A judge works with any of them
(`ultrarm_eval.judges.text_judge.TextJudge`); a checkpoint's judge gets the one that its setting
`engine` names (`ultrarm_eval.judges.computation`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ultrarm_eval.engine.witness import Witness
from ultrarm_eval.text_format.tokens import Tokens


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do besides computing a value for a complete text.

    Attributes:
        token_rewards: It computes the values after each token of a text in one pass.
        likelihoods: The value is a likelihood of the tokens from `Tokens.start` on.
    """

    token_rewards: bool = False
    likelihoods: bool = False


@dataclass(frozen=True)
class ComputedBatch:
    """Values that were computed together.

    Attributes:
        texts: Indices into the requested texts.
        values: Their values.
        tokens: Tokens computed for them: shared prefixes count once, and generated tokens count
            too (the samples of a text up to the longest); padding of the input does not count.
        details: What each value was computed from, as JSON values; None if a network outputs the
            value itself.
    """

    texts: Sequence[int]
    values: Sequence[float]
    tokens: int
    details: Sequence[Any] | None = None


@dataclass(frozen=True, slots=True)
class Computed:
    """The result for a text.

    Attributes:
        reward: Its value.
        details: What it was computed from, as JSON values; None if there is nothing else.
    """

    reward: float
    details: Any = None


class Engine(Protocol):
    """Computes values of texts.

    Attributes:
        name: Its name.
        version: Its version; other versions may round differently. None if it is not known yet.
        capabilities: What it can do.
    """

    name: str
    capabilities: Capabilities

    @property
    def version(self) -> str | None:
        """See above."""
        ...

    def identity(self) -> Mapping[str, Any]:
        """What rewards depend on besides the network, its dtype and the texts, as JSON values.

        It is known before anything is loaded or requested.
        """
        ...

    def described(self) -> Mapping[str, Any]:
        """How and where it computes, as results report it; the names are those of settings."""
        ...

    def prepare(self) -> None:
        """Loads weights, or connects; once."""
        ...

    def witness(self) -> Witness | None:
        """Distinguishes the computing model from another; called after `prepare`.

        None if the engine reads the weights that are part of the judge's fingerprint.
        """
        ...

    def compute(self, texts: Sequence[Tokens]) -> Iterator[ComputedBatch]:
        """Computes the values of texts and yields them as they are computed.

        Args:
            texts: Distinct texts of at least one token.

        Yields:
            Batches; each text is in exactly one, in any order.

        Raises:
            TextDoesNotFitError: A single text does not fit into memory.
            TextRefusedError: A single text is rejected; all others were yielded before.
            ScoringError: The texts cannot be computed.
        """
        ...

    def compute_after_tokens(self, text: Tokens) -> list[float]:
        """The values of every prefix of a text, in one pass.

        Args:
            text: The text. If it has a `start`, the values are those after the tokens from there
                on.

        Raises:
            TextDoesNotFitError: The text does not fit into memory.
            ScoringError: This engine has no such values; see `Capabilities.token_rewards`.
        """
        ...

"""What computes: token ids in, one value a text out.

There are three: `ultrarm_eval.engine.torch_engine` and `ultrarm_eval.engine.vllm_engine` compute in
this process, `ultrarm_eval.engine.server` asks servers. A judge takes any
(`ultrarm_eval.judges.text_judge.TextJudge`); one of a checkpoint is given the one that its setting
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
        version: Its version; values of another one may be rounded in another way. None where it is
            not known yet.
        capabilities: What it can do.
    """

    name: str
    capabilities: Capabilities

    @property
    def version(self) -> str | None:
        """See above."""
        ...

    def identity(self) -> Mapping[str, Any]:
        """What rewards depend on beside the network, its dtype and the texts, as JSON values.

        It is known before anything is loaded or asked.
        """
        ...

    def described(self) -> Mapping[str, Any]:
        """How and where it computes, as results report it; names are those of settings."""
        ...

    def prepare(self) -> None:
        """Loads weights, or connects; once."""
        ...

    def witness(self) -> Witness | None:
        """What tells the model that computes from another; asked when it is prepared.

        None where it reads the weights that the judge's fingerprint is of.
        """
        ...

    def compute(self, texts: Sequence[Tokens]) -> Iterator[ComputedBatch]:
        """Computes the values of texts and hands them out as they come.

        Args:
            texts: Texts of at least one token, no two the same.

        Yields:
            Batches; each text stands in one, in any order.

        Raises:
            TextDoesNotFitError: A single text does not fit into memory.
            TextRefusedError: A single text is refused; all others were handed out before.
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

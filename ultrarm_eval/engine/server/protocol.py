"""The protocol of a server: what it serves, how it tokenizes, and what it computes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ultrarm_eval.engine.server.client import ServerClient
from ultrarm_eval.engine.server.failures import (
    FaultyError,
    ImplausibleAnswerError,
    UnusableServerError,
)

#: Timeout of requests that need no computation.
LOOK_SECONDS = 20.0


@dataclass(frozen=True)
class SentText:
    """A text in a request.

    Attributes:
        ids: Its token ids.
        text: The text that a server has to tokenize to exactly these ids; None if ids are sent.
    """

    ids: tuple[int, ...]
    text: str | None = None


@dataclass(frozen=True)
class ServedNames:
    """The names under which a model may be served.

    Attributes:
        own: The user's `served_model`; None if it is not set.
        checkpoint: The names of the checkpoint: as it is named, as an absolute path, its folder.
    """

    own: str | None
    checkpoint: tuple[str, ...]


@dataclass(frozen=True)
class ServerFacts:
    """A server's information about itself.

    Attributes:
        model: The model's name there.
        max_model_len: The maximum number of tokens per text; None if unknown.
        software: The server software.
        version: Its version; None if unknown.
        dtype: Its dtype; None if unknown.
        max_texts: The maximum number of texts per request; None if unknown.
        warnings: Warnings to log once.
    """

    model: str
    max_model_len: int | None
    software: str
    version: str | None = None
    dtype: str | None = None
    max_texts: int | None = None
    warnings: tuple[str, ...] = ()


class ServerProtocol(ABC):
    """The client side of one server's protocol.

    Attributes:
        software: The server software.
        switches_activation: Whether requests choose if an activation is applied to the values.
        sends_text: Whether texts are sent instead of token ids.
    """

    software: ClassVar[str]
    switches_activation: ClassVar[bool]
    sends_text: bool = False

    def __init__(self, client: ServerClient, names: ServedNames) -> None:
        """Takes the client and the model's names.

        Args:
            client: Sends the requests.
            names: The model's possible names there.
        """
        self.client, self._names = client, names

    @abstractmethod
    async def look(self) -> ServerFacts:
        """The server's information about itself; requested before anything is computed.

        Raises:
            UnusableServerError: It serves another model, or not a reward model.
            ServerFailure: It does not respond.
        """

    @abstractmethod
    async def tokenize(self, text: str) -> list[int] | None:
        """The ids of a text on the server, with the tokens that it adds; None if unknown.

        Raises:
            ServerFailure: It does not respond.
        """

    @abstractmethod
    async def compute(self, texts: Sequence[SentText], *, activated: bool = False) -> list[float]:
        """The values of texts, in their order.

        Args:
            texts: At least one.
            activated: Whether to request the model's activation, if the protocol can.

        Raises:
            ServerFailure: There is no response, or not one value per text.
        """


def chosen_model(listed: Sequence[tuple[str, Sequence[object]]], names: ServedNames) -> str:
    """The name by which a server knows the model.

    Args:
        listed: The served models: the name of each, and its other names.
        names: The model's possible names.

    Raises:
        UnusableServerError: The model is not served.
    """
    served = [name for name, _ in listed]
    if names.own is not None:
        if names.own in served:
            return names.own
        raise UnusableServerError(
            f"it serves {_quoted(served)}, not {names.own!r}. Set served_model to a name that it "
            "lists, or base_url to another server."
        )
    for wanted in names.checkpoint:
        for name, others in listed:
            if wanted == name or wanted in others:
                return name
    raise UnusableServerError(
        f"it serves {_quoted(served)}, which is not the name of pretrained={names.checkpoint[0]}. "
        f"If it is the same model, set served_model={served[0] if served else 'NAME'}."
    )


def in_order(items: object, count: int) -> list[Any]:
    """The items of a response in the order of the texts, by their `index` if they have one.

    Raises:
        FaultyError: Their number differs from that of the texts, or their indices are wrong.
    """
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        raise FaultyError("its response is not a list of values")
    if len(items) != count:
        raise FaultyError(f"it returned {len(items)} values for {count} texts")
    if all("index" not in one for one in items):
        return items
    by_index = {one["index"]: one for one in items if isinstance(one.get("index"), int)}
    if by_index.keys() != set(range(count)):
        raise FaultyError("the indices in its response do not match the texts")
    return [by_index[index] for index in range(count)]


def as_value(numbers: object) -> float:
    """The only value of a text; NaN if a server returns null.

    Raises:
        UnusableServerError: There are several values: it is not a reward.
        FaultyError: There is none.
    """
    while isinstance(numbers, list) and len(numbers) == 1:
        numbers = numbers[0]
    if isinstance(numbers, list) and len(numbers) > 1:
        raise UnusableServerError(
            f"it returns {len(numbers)} numbers per text instead of one: the model is not served "
            "with a single label at the last token"
        )
    if numbers is None:
        return math.nan
    if isinstance(numbers, bool) or not isinstance(numbers, int | float):
        raise FaultyError("its response contains a value that is not a number")
    try:
        return float(numbers)
    except OverflowError as error:
        raise FaultyError("its response contains a number that is out of range") from error


def require_tokens(read: object, texts: Sequence[SentText]) -> None:
    """Rejects a response with another token count than was sent: the server cut or added some.

    Args:
        read: The server's token count; anything but a number above 0 is ignored.
        texts: The texts that were sent.

    Raises:
        ImplausibleAnswerError: The counts differ.
    """
    if isinstance(read, bool) or not isinstance(read, int) or read < 1:
        return
    sent = sum(len(text.ids) for text in texts)
    if read != sent:
        raise ImplausibleAnswerError(
            f"it reports {read} tokens for {len(texts)} texts that have {sent}: it truncates "
            "texts, or tokenizes them differently"
        )


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names) or "no model"

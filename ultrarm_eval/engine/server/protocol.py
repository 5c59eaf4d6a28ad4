"""How a server is spoken to: what it serves, how it tokenises, and what it computes."""

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

#: How long a server may take to say something that it need not compute.
LOOK_SECONDS = 20.0


@dataclass(frozen=True)
class SentText:
    """A text as it is sent.

    Attributes:
        ids: Its token ids.
        text: What a server has to tokenise to just these ids; None where ids are sent.
    """

    ids: tuple[int, ...]
    text: str | None = None


@dataclass(frozen=True)
class ServedNames:
    """Under which names a model may be served.

    Attributes:
        own: The name that the user gives for it, `served_model`; None if none is given.
        checkpoint: The names of the checkpoint: as it is named, as an absolute path, its folder.
    """

    own: str | None
    checkpoint: tuple[str, ...]


@dataclass(frozen=True)
class ServerFacts:
    """What a server says of itself.

    Attributes:
        model: The model's name there.
        max_model_len: The most tokens of a text; None if it does not say.
        software: What it runs.
        version: Its version; None if it does not say.
        dtype: The dtype that it computes in; None if it does not say.
        max_texts: The most texts of a request; None if it does not say.
        warnings: What is to be said once.
    """

    model: str
    max_model_len: int | None
    software: str
    version: str | None = None
    dtype: str | None = None
    max_texts: int | None = None
    warnings: tuple[str, ...] = ()


class ServerProtocol(ABC):
    """Speaks with one server.

    Attributes:
        software: What is at the other end.
        switches_activation: Whether a request says if an activation is applied to the values.
        sends_text: Whether texts are sent, and not token ids.
    """

    software: ClassVar[str]
    switches_activation: ClassVar[bool]
    sends_text: bool = False

    def __init__(self, client: ServerClient, names: ServedNames) -> None:
        """Takes whom it speaks with.

        Args:
            client: Asks the server.
            names: What the model may be called there.
        """
        self.client, self._names = client, names

    @abstractmethod
    async def look(self) -> ServerFacts:
        """What the server says of itself; asked before anything is computed.

        Raises:
            UnusableServerError: It serves another model, or none that gives rewards.
            ServerFailure: It does not answer.
        """

    @abstractmethod
    async def tokenize(self, text: str) -> list[int] | None:
        """The ids that it makes of a text, with the tokens that it adds; None if it does not say.

        Raises:
            ServerFailure: It does not answer.
        """

    @abstractmethod
    async def compute(self, texts: Sequence[SentText], *, activated: bool = False) -> list[float]:
        """The values of texts, in their order.

        Args:
            texts: At least one.
            activated: Whether the model's activation is asked for, where a request can say so.

        Raises:
            ServerFailure: There is none, or no value for each text.
        """


def chosen_model(listed: Sequence[tuple[str, Sequence[object]]], names: ServedNames) -> str:
    """The name by which a server knows the model.

    Args:
        listed: The models that it serves: the name of each, and other names of the same.
        names: What the model may be called.

    Raises:
        UnusableServerError: It is not among them.
    """
    served = [name for name, _ in listed]
    if names.own is not None:
        if names.own in served:
            return names.own
        raise UnusableServerError(
            f"it serves {_quoted(served)} and no {names.own!r}. Set served_model to a name that it "
            "lists, or base_url to another server."
        )
    for wanted in names.checkpoint:
        for name, others in listed:
            if wanted == name or wanted in others:
                return name
    raise UnusableServerError(
        f"it serves {_quoted(served)}, which is not the name of pretrained={names.checkpoint[0]}. "
        f"If it is the same model, say so: served_model={served[0] if served else 'NAME'}."
    )


def in_order(items: object, count: int) -> list[Any]:
    """The items of an answer in the order of the texts, by their `index` where they have one.

    Raises:
        FaultyError: They are not as many as the texts, or not numbered as these.
    """
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        raise FaultyError("its answer is no list of values")
    if len(items) != count:
        raise FaultyError(f"it answered {len(items)} values for {count} texts")
    if all("index" not in one for one in items):
        return items
    by_index = {one["index"]: one for one in items if isinstance(one.get("index"), int)}
    if set(by_index) != set(range(count)):
        raise FaultyError("the values of its answer are not numbered as the texts")
    return [by_index[index] for index in range(count)]


def as_value(numbers: object) -> float:
    """The one value of a text; NaN where a server writes null for it.

    Raises:
        UnusableServerError: There are several: it is no reward.
        FaultyError: There is none.
    """
    while isinstance(numbers, list) and len(numbers) == 1:
        numbers = numbers[0]
    if isinstance(numbers, list) and len(numbers) > 1:
        raise UnusableServerError(
            f"it gives {len(numbers)} numbers for a text and not one: the model is not served as "
            "one with a single label, read at the last token"
        )
    if numbers is None:
        return math.nan
    if isinstance(numbers, bool) or not isinstance(numbers, int | float):
        raise FaultyError("its answer has something that is no number where a value should be")
    try:
        return float(numbers)
    except OverflowError as error:
        raise FaultyError("its answer has a number that no float holds") from error


def require_tokens(read: object, texts: Sequence[SentText]) -> None:
    """Refuses an answer whose server counts other tokens than were sent: it cut or added some.

    Args:
        read: How many it says it read; anything but a number above 0 says nothing.
        texts: What was sent.

    Raises:
        ImplausibleAnswerError: They are not as many.
    """
    if isinstance(read, bool) or not isinstance(read, int) or read < 1:
        return
    sent = sum(len(text.ids) for text in texts)
    if read != sent:
        raise ImplausibleAnswerError(
            f"it says that it read {read} tokens of {len(texts)} texts that have {sent}: it cuts "
            "texts, or tokenises them in another way"
        )


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names) or "no model"

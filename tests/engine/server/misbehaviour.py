"""What a server can be told to do wrong, from which request on and how often.

A fault is told of every request that is scored: before anything is computed, of the token ids, the
rewards, the items of the answer, and the bytes that are sent.
"""

from __future__ import annotations

import asyncio
import base64
import json
import math
import random
import struct
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

Ids = tuple[int, ...]


class Fault:
    """Something that a server does wrong; this one does nothing.

    Attributes:
        after: So many requests are answered well before, from when the fault was told.
        times: So many requests are spoiled; all from then on if None.
        spoiled: How many were.
        activates: Whether the model's activation is on, whatever was asked for.
    """

    activates = False

    def __init__(self, *, after: int = 0, times: int | None = None) -> None:
        self.after, self.times, self.spoiled = after, times, 0

    def applies(self) -> bool:
        """Whether it spoils the request that comes now; counts it."""
        if self.after > 0:
            self.after -= 1
            return False
        if self.times is not None and self.spoiled >= self.times:
            return False
        self.spoiled += 1
        return True

    async def instead(self, request: web.Request, texts: Sequence[Ids]) -> web.Response | None:
        """An answer before anything is computed, or None."""
        return None

    def ids(self, ids: Ids, bos: int) -> Ids:
        """The token ids that are computed instead."""
        return ids

    def rewards(self, texts: Sequence[Ids], rewards: list[float]) -> list[float]:
        """The rewards that are answered instead."""
        return rewards

    def value(self, value: Any) -> Any:
        """The value of an item that is answered instead."""
        return value

    def items(self, items: list[Any]) -> list[Any]:
        """The items that are answered instead."""
        return items

    def body(self, body: bytes) -> bytes:
        """The bytes that are answered instead."""
        return body

    def sent(self, length: int) -> int:
        """How many bytes of the answer are sent before the connection is cut."""
        return length


class Answers(Fault):
    """A fixed answer: busy, unavailable, a proxy's page."""

    def __init__(
        self, status: int, body: str = "", *, kind: str = "application/json",
        headers: dict[str, str] | None = None, **when: Any,
    ) -> None:  # fmt: skip
        super().__init__(**when)
        self._answer = {"status": status, "text": body, "content_type": kind, "headers": headers}

    async def instead(self, request: web.Request, texts: Sequence[Ids]) -> web.Response | None:
        return web.Response(**self._answer)


def busy(*, retry_after: str | None = "0", **when: Any) -> Fault:
    """429."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Answers(429, '{"error": "Model is overloaded"}', headers=headers, **when)


def unavailable(*, retry_after: str | None = None, **when: Any) -> Fault:
    """503, as of a server that starts or stops."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Answers(503, "", kind="text/plain", headers=headers, **when)


PAGE = "<html><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>"


def proxy_page(status: int = 502, **when: Any) -> Fault:
    """A proxy's page, with whatever status."""
    return Answers(status, PAGE, kind="text/html", **when)


class Refuses(Fault):
    """400 for every request with a certain text in it."""

    def __init__(self, is_bad: Callable[[Ids], bool], status: int = 400, **when: Any) -> None:
        super().__init__(**when)
        self._is_bad, self._status = is_bad, status

    async def instead(self, request: web.Request, texts: Sequence[Ids]) -> web.Response | None:
        if not any(map(self._is_bad, texts)):
            return None
        error = {"message": "bad text", "type": "BadRequestError", "param": None, "code": 400}
        return web.json_response({"error": error}, status=self._status)


class AnswersTo(Fault):
    """Another answer to certain texts: a function of the texts, that gives none for others."""

    def __init__(self, answer: Callable[[Sequence[Ids]], web.Response | None], **when: Any) -> None:
        super().__init__(**when)
        self._answer = answer

    async def instead(self, request: web.Request, texts: Sequence[Ids]) -> web.Response | None:
        return self._answer(texts)


def refuses(
    is_bad: Callable[[Sequence[Ids]], bool], status: int, message: str, **when: Any
) -> Fault:
    """An error with a message for certain requests."""

    def answer(texts: Sequence[Ids]) -> web.Response | None:
        error = {"error": {"message": message}}
        return web.json_response(error, status=status) if is_bad(texts) else None

    return AnswersTo(answer, **when)


class Slow(Fault):
    """So many seconds for each text, one request after the other."""

    def __init__(self, seconds_per_text: float, **when: Any) -> None:
        super().__init__(**when)
        self._seconds, self._lock = seconds_per_text, asyncio.Lock()

    async def instead(self, request: web.Request, texts: Sequence[Ids]) -> web.Response | None:
        async with self._lock:
            await asyncio.sleep(self._seconds * len(texts))
        return None


class Stuck(Fault):
    """No answer for so long."""

    def __init__(self, seconds: float = 3600.0, **when: Any) -> None:
        super().__init__(**when)
        self._seconds = seconds

    async def instead(self, request: web.Request, texts: Sequence[Ids]) -> web.Response | None:
        await asyncio.sleep(self._seconds)
        return None


class Cut(Fault):
    """The connection is cut after a share of the answer: all headers and some of the body."""

    def __init__(self, share: float = 0.5, **when: Any) -> None:
        super().__init__(**when)
        self._share = share

    def sent(self, length: int) -> int:
        return min(length - 1, int(length * self._share))


class HungUp(Fault):
    """The connection is cut before anything is answered."""

    async def instead(self, request: web.Request, texts: Sequence[Ids]) -> web.Response | None:
        if request.transport is not None:
            request.transport.abort()
        raise web.HTTPServiceUnavailable


class BosDoubled(Fault):
    """One more BOS in front."""

    def ids(self, ids: Ids, bos: int) -> Ids:
        return (bos, *ids)


class BosLost(Fault):
    """No BOS in front."""

    def ids(self, ids: Ids, bos: int) -> Ids:
        return ids[1:] if ids[:1] == (bos,) else ids


class CutOnTheLeft(Fault):
    """Texts are cut to so many tokens without a word, and lose their BOS."""

    def __init__(self, tokens: int, **when: Any) -> None:
        super().__init__(**when)
        self._tokens = tokens

    def ids(self, ids: Ids, bos: int) -> Ids:
        return ids[-self._tokens :]


class Sigmoid(Fault):
    """The activation stays on, whatever was asked for."""

    activates = True


class SigmoidOverAll(Fault):
    """A sigmoid over whatever is answered, as a model has that was saved with one."""

    def rewards(self, texts: Sequence[Ids], rewards: list[float]) -> list[float]:
        return [1 / (1 + math.exp(-one)) for one in rewards]


class Gives(Fault):
    """Another reward for certain texts, such as NaN."""

    def __init__(self, reward: float, of: Callable[[Ids], bool] = lambda _: True, **when: Any):
        super().__init__(**when)
        self._reward, self._of = reward, of

    def rewards(self, texts: Sequence[Ids], rewards: list[float]) -> list[float]:
        pairs = zip(texts, rewards, strict=True)
        return [self._reward if self._of(text) else one for text, one in pairs]


class Shuffled(Fault):
    """The rewards in a random order."""

    def rewards(self, texts: Sequence[Ids], rewards: list[float]) -> list[float]:
        return random.sample(rewards, len(rewards))


class OtherModel(Fault):
    """Another checkpoint computes, under the same name."""

    def __init__(self, model: Any, **when: Any) -> None:
        super().__init__(**when)
        self._model = model

    def rewards(self, texts: Sequence[Ids], rewards: list[float]) -> list[float]:
        return self._model.rewards(texts)


class Reordered(Fault):
    """The items in the opposite order; their numbers stay theirs, are made anew, or are left out."""

    def __init__(self, numbers: str = "right", **when: Any) -> None:
        super().__init__(**when)
        self._numbers = numbers

    def items(self, items: list[Any]) -> list[Any]:
        turned = [dict(one) if isinstance(one, dict) else one for one in reversed(items)]
        for number, one in enumerate(turned):
            if self._numbers == "wrong" and isinstance(one, dict) and "index" in one:
                one["index"] = number
            if self._numbers == "none" and isinstance(one, dict):
                one.pop("index", None)
        return turned


class Missing(Fault):
    """The last items are missing."""

    def __init__(self, count: int = 1, **when: Any) -> None:
        super().__init__(**when)
        self._count = count

    def items(self, items: list[Any]) -> list[Any]:
        return items[: -self._count]


class Twice(Fault):
    """The first item stands in the place of the last as well, its number too."""

    def items(self, items: list[Any]) -> list[Any]:
        return [*items[:-1], items[0]] if len(items) > 1 else [*items, *items]


class Worth(Fault):
    """Another JSON value where the reward of an item stands."""

    def __init__(self, value: Any, **when: Any) -> None:
        super().__init__(**when)
        self._value = value

    def value(self, value: Any) -> Any:
        return self._value


class InBase64(Fault):
    """Base64 of other numbers than float32: `d` of eight bytes, `e` of two, or two of `f`."""

    def __init__(self, code: str, **when: Any) -> None:
        super().__init__(**when)
        self._code = code

    def value(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        (reward,) = struct.unpack("f", base64.b64decode(value))
        count = len(struct.unpack(self._code, bytes(struct.calcsize(self._code))))
        return base64.b64encode(struct.pack(self._code, *[reward] * count)).decode()


class Body(Fault):
    """Other bytes where the answer stands."""

    def __init__(self, make: Callable[[bytes], bytes], **when: Any) -> None:
        super().__init__(**when)
        self._make = make

    def body(self, body: bytes) -> bytes:
        return self._make(body)


def not_json(**when: Any) -> Fault:
    """Half an answer, that says it is whole."""
    return Body(lambda body: body[: len(body) // 2], **when)


def another_json(value: Any, **when: Any) -> Fault:
    """A JSON value that is no answer."""
    return Body(lambda _: json.dumps(value).encode(), **when)

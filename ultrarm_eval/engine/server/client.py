"""One server's HTTP: a question, and the status, headers and JSON of its answer."""

from __future__ import annotations

import asyncio
import email.utils
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from ultrarm_eval._version import __version__
from ultrarm_eval.engine.server.failures import (
    FaultyError,
    OverloadedError,
    RequestRefusedError,
    UnreachableError,
    UnusableServerError,
)
from ultrarm_eval.errors import ConfigurationError

# Characters of a server's own words that a message quotes.
_QUOTED = 300
# Far above the answer to any request that is sent; what is longer is no answer.
_MOST_BYTES = 64 * 2**20
_CONNECT_SECONDS = 10.0
# uvicorn closes a connection that was idle for 5 seconds; ours is closed before.
_KEEP_ALIVE_SECONDS = 4.0
_MOST_RETRY_AFTER = 120.0

_BAD_ITEM = {400, 413, 422, 424}
_BUSY = {429, 503}


@dataclass(frozen=True)
class Key:
    """What servers are shown.

    Attributes:
        variable: The environment variable that it is from.
        value: It; None if there is none.
    """

    variable: str
    value: str | None = field(default=None, repr=False)

    def advice(self) -> str:
        """What to do about a server that does not let it pass."""
        sent = (
            f"The key in the environment variable {self.variable} was sent: is it this server's?"
            if self.value is not None
            else f"No key was sent: the environment variable {self.variable} is not set."
        )
        return f"{sent} Set it, or name another variable: api_key_env=NAME."


def read_key(variable: str) -> Key:
    """The servers' key from the environment, if there is one.

    Raises:
        ConfigurationError: It has characters that no header can have. The key is not shown.
    """
    key = os.environ.get(variable, "").strip()
    if not key:
        return Key(variable)
    if not all("!" <= character <= "~" for character in key):
        raise ConfigurationError(
            f"The environment variable {variable} holds a key with spaces, line breaks or "
            "characters outside ASCII, which no HTTP header can have. Set it to the key alone."
        )
    return Key(variable, key)


def open_session() -> aiohttp.ClientSession:
    """A session for all servers; to be made, used and closed in one event loop."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"ultrarm-eval/{__version__}"},
    )


@dataclass(frozen=True)
class Answer:
    """What a server answered.

    Attributes:
        status: The status code.
        headers: Its headers, by names in lower case.
        body: Its JSON; None if it is none.
        words: What it says, in a line, where the status is an error.
        key: What is to be said of the key, where it asks for one.
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    words: str
    key: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether the status is that of success."""
        return 200 <= self.status < 300

    @property
    def is_missing(self) -> bool:
        """Whether the server does not know what was asked."""
        return self.status in {404, 405, 501}

    def require_ok(self, path: str) -> None:
        """Raises what stands for a status that is none of success.

        Args:
            path: What was asked, for the message.

        Raises:
            ServerFailure: Of the kind that the status says.
        """
        if self.is_ok:
            if self.body is None:
                raise FaultyError(f"{path} answered with something that is no JSON")
            return
        said = f"{path} answered {self.status}" + (f": {self.words}" if self.words else "")
        if self.status in {401, 403}:
            raise UnusableServerError(f"{said}. {self.key}")
        if 300 <= self.status < 400:
            raise UnusableServerError(
                f"{said}. It redirects to {self.headers.get('location', 'another address')!r}, "
                "which is not followed: name the server itself in base_url."
            )
        if self.is_missing:
            raise UnusableServerError(f"{said}. Is it a server of the kind that `protocol` names?")
        if self.status in _BUSY:
            raise OverloadedError(said, _retry_after(self.headers.get("retry-after")))
        if self.status in _BAD_ITEM:
            raise RequestRefusedError(said, is_too_large=self.status == 413)
        raise FaultyError(said)


class ServerClient:
    """Asks one server.

    Attributes:
        url: Its address, without a slash at the end.
    """

    def __init__(self, url: str, session: aiohttp.ClientSession, key: Key, seconds: float) -> None:
        """Takes how it is asked.

        Args:
            url: Its address.
            session: Holds the connections.
            key: Sent with each request, if there is one.
            seconds: How long an answer may take.
        """
        self.url, self._session, self._key, self._seconds = url, session, key, seconds

    async def get(self, path: str, seconds: float | None = None) -> Answer:
        """Asks for a document.

        Args:
            path: What is asked for.
            seconds: How long it may take; as long as any answer if None.

        Raises:
            ServerFailure: There is no answer.
        """
        return await self._ask("GET", path, None, seconds)

    async def post(self, path: str, body: Any, seconds: float | None = None) -> Answer:
        """Sends a document as JSON; else like `get`."""
        return await self._ask("POST", path, json.dumps(body).encode(), seconds)

    async def _ask(
        self, method: str, path: str, body: bytes | None, seconds: float | None
    ) -> Answer:
        limit = self._seconds if seconds is None else min(seconds, self._seconds)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self._key.value is not None:
            headers["Authorization"] = f"Bearer {self._key.value}"
        try:
            async with self._session.request(
                method,
                self.url + path,
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=limit, sock_connect=min(_CONNECT_SECONDS, limit)
                ),
            ) as response:
                content = await _read(response)
                status = response.status
                given = {name.lower(): value for name, value in response.headers.items()}
        except aiohttp.ServerTimeoutError as error:
            waited = min(_CONNECT_SECONDS, limit)
            raise UnreachableError(f"{path}: no connection within {waited:g} s") from error
        except asyncio.TimeoutError as error:
            raise UnreachableError(f"{path} gave no answer within {limit:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = self._without_key(str(error) or type(error).__name__)
            raise UnreachableError(f"{path}: {_line(reason)}") from error
        try:
            parsed = json.loads(content)
        except (ValueError, RecursionError):
            parsed = None
        words = "" if 200 <= status < 300 else self._without_key(_said(parsed, content))
        return Answer(status, given, parsed, words, self._key.advice())

    def _without_key(self, words: str) -> str:
        # A server may quote the key that it refuses.
        key = self._key.value
        return words if key is None else words.replace(key, "***")


async def _read(response: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            raise FaultyError(f"the answer has over {_MOST_BYTES:,} bytes")
    return b"".join(parts)


def _said(parsed: Any, content: bytes) -> str:
    """What a server says of an error: vLLM, sglang, TEI and FastAPI have it in various places."""
    said = parsed
    for name in ("error", "message", "detail"):
        if isinstance(said, dict) and said.get(name):
            said = said[name]
    if not isinstance(said, str):
        said = json.dumps(said) if said else content.decode("utf-8", "replace")
    return _line(said)


def _line(words: str) -> str:
    first = next((line.strip() for line in words.splitlines() if line.strip()), "")
    printable = "".join(one if one.isprintable() else " " for one in first)
    return printable if len(printable) <= _QUOTED else printable[:_QUOTED] + "..."


def _retry_after(value: str | None) -> float | None:
    """Seconds of the header `Retry-After`, a number or a date (RFC 9110, section 10.2.3)."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError):
            return None
    return min(max(0.0, seconds), _MOST_RETRY_AFTER) if seconds == seconds else None

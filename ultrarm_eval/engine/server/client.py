"""The HTTP client of one server: a request, and the status, headers and JSON of its response."""

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
# Much larger than the response to any request; a longer one is an error.
_MOST_BYTES = 64 * 2**20
_CONNECT_SECONDS = 10.0
# uvicorn closes a connection that was idle for 5 seconds; ours is closed before.
_KEEP_ALIVE_SECONDS = 4.0
_MOST_RETRY_AFTER = 120.0

_BAD_ITEM = {400, 413, 422, 424}
_BUSY = {429, 503}


@dataclass(frozen=True)
class Key:
    """The API key.

    Attributes:
        variable: The environment variable of the key.
        value: The key; None if there is none.
    """

    variable: str
    value: str | None = field(default=None, repr=False)

    def advice(self) -> str:
        """What to do if a server rejects the key."""
        sent = (
            f"The key in the environment variable {self.variable} was sent. Check that it is this "
            "server's key."
            if self.value is not None
            else f"No key was sent: the environment variable {self.variable} is not set."
        )
        return f"{sent} Set it, or name another variable with api_key_env=NAME."


def read_key(variable: str) -> Key:
    """The servers' key from the environment, if there is one.

    Raises:
        ConfigurationError: It contains characters that headers cannot have. The key is not shown.
    """
    key = os.environ.get(variable, "").strip()
    if not key:
        return Key(variable)
    if not all("!" <= character <= "~" for character in key):
        raise ConfigurationError(
            f"The environment variable {variable} contains spaces, line breaks or non-ASCII "
            "characters, which HTTP headers cannot contain. Set it to only the key."
        )
    return Key(variable, key)


def open_session() -> aiohttp.ClientSession:
    """A session for all servers; it must be made, used and closed in one event loop."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"ultrarm-eval/{__version__}"},
    )


@dataclass(frozen=True)
class Answer:
    """A server's response.

    Attributes:
        status: The status code.
        headers: Its headers, by names in lower case.
        body: Its JSON; None if it is not JSON.
        words: Its error message in one line, if the status is an error.
        key: The advice about the key, if the server needs one.
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
        """Whether the server does not have the path."""
        return self.status in {404, 405, 501}

    def require_ok(self, path: str) -> None:
        """Raises the error for a status that is not a success.

        Args:
            path: The path of the request, for the message.

        Raises:
            ServerFailure: The type depends on the status.
        """
        if self.is_ok:
            if self.body is None:
                raise FaultyError(f"{path} returned something that is not JSON")
            return
        said = f"{path} returned status {self.status}" + (f": {self.words}" if self.words else "")
        if self.status in {401, 403}:
            raise UnusableServerError(f"{said}. {self.key}")
        if 300 <= self.status < 400:
            raise UnusableServerError(
                f"{said}. It redirects to {self.headers.get('location', 'another address')!r}; "
                "redirects are not followed. Set base_url to the server itself."
            )
        if self.is_missing:
            raise UnusableServerError(
                f"{said}. Check that `protocol` matches the server's software."
            )
        if self.status in _BUSY:
            raise OverloadedError(said, _retry_after(self.headers.get("retry-after")))
        if self.status in _BAD_ITEM:
            raise RequestRefusedError(said, is_too_large=self.status == 413)
        raise FaultyError(said)


class ServerClient:
    """Sends requests to one server.

    Attributes:
        url: Its address, without a trailing slash.
    """

    def __init__(self, url: str, session: aiohttp.ClientSession, key: Key, seconds: float) -> None:
        """Takes how requests are sent.

        Args:
            url: Its address.
            session: Holds the connections.
            key: Sent with each request, if there is one.
            seconds: The timeout of a request.
        """
        self.url, self._session, self._key, self._seconds = url, session, key, seconds

    async def get(self, path: str, seconds: float | None = None) -> Answer:
        """Sends a GET request.

        Args:
            path: The path.
            seconds: The timeout; the default if None.

        Raises:
            ServerFailure: There is no response.
        """
        return await self._ask("GET", path, None, seconds)

    async def post(self, path: str, body: Any, seconds: float | None = None) -> Answer:
        """Sends JSON in a POST request; else like `get`."""
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
            raise UnreachableError(f"{path} did not respond within {limit:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = self._without_key(_reason(error))
            raise UnreachableError(f"{path}: {_line(reason)}") from error
        try:
            parsed = json.loads(content)
        except (ValueError, RecursionError):
            parsed = None
        words = "" if 200 <= status < 300 else self._without_key(_said(parsed, content))
        return Answer(status, given, parsed, words, self._key.advice())

    def _without_key(self, words: str) -> str:
        # A server may quote the key that it rejects.
        key = self._key.value
        return words if key is None else words.replace(key, "***")


def _reason(error: Exception) -> str:
    """Why there is no response; the system's own message if there is no connection."""
    is_plain = not isinstance(error, aiohttp.ClientSSLError)
    if is_plain and isinstance(error, aiohttp.ClientConnectorError):
        number, said = error.os_error.errno, error.os_error.strerror or str(error.os_error)
        return f"no connection ({os.strerror(number) if number and number > 0 else said})"
    return str(error) or type(error).__name__


async def _read(response: aiohttp.ClientResponse) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            raise FaultyError(f"the response has more than {_MOST_BYTES:,} bytes")
    return b"".join(parts)


def _said(parsed: Any, content: bytes) -> str:
    """A server's error message: vLLM, sglang, TEI and FastAPI put it in different places."""
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

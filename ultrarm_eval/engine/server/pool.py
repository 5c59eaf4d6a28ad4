"""The pool of servers: chooses servers for requests, and handles failing servers.

Everything happens in one event loop. A server that fails gets no requests and is checked again with
exponential backoff until it passes. A server that cannot compute these rewards, for example because
it serves another model, is rejected permanently.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from typing import Any

from ultrarm_eval.engine.server.failures import (
    ImplausibleAnswerError,
    OverloadedError,
    ServerFailure,
    UnusableServerError,
)
from ultrarm_eval.engine.server.probes import Reference
from ultrarm_eval.engine.server.server import Server, State
from ultrarm_eval.engine.server.start_checks import Checked, StartChecks
from ultrarm_eval.errors import ConfigurationError, ScoringError

logger = logging.getLogger(__name__)

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0
# How often start-up checks are retried at most: the user is waiting.
_START_RETRIES = 3
# The number of implausible responses after which a server is rejected although it passes its
# checks.
_MOST_SUSPECT = 2


def wait_before(attempt: int) -> float:
    """Seconds before an attempt (the first is 1): doubled each time, with jitter."""
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (min(attempt, 32) - 1))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311


class Pool:
    """All servers of an engine.

    Attributes:
        servers: The servers.
        reference: The values of the probes, which all servers have to return.
        retries: How often a server may fail in a row before it counts as gone.
    """

    reference: Reference

    def __init__(self, servers: Sequence[Server], checks: StartChecks, retries: int) -> None:
        """Takes the servers.

        Args:
            servers: The servers.
            checks: The checks that each has to pass.
            retries: See above.
        """
        self.servers, self.checks, self.retries = tuple(servers), checks, retries
        self._waiting: set[asyncio.Event] = set()
        self._returning: dict[Server, asyncio.Task[None]] = {}
        # Checks that are waiting.
        self._asleep: set[asyncio.Task[Any] | None] = set()

    async def open(self) -> None:
        """Checks all servers at once.

        Raises:
            ConfigurationError: A server cannot compute these rewards.
            ScoringError: No server can be reached.
        """
        found = await asyncio.gather(*map(self._first_check, self.servers))
        checked = [
            (server, one)
            for server, one in zip(self.servers, found, strict=True)
            if isinstance(one, Checked)
        ]
        unusable = [s for s in self.servers if s.state is State.REFUSED]
        if unusable:
            raise ConfigurationError(f"engine=server: {self.report(unusable)}")
        if not checked:
            raise ScoringError(
                f"engine=server: no server responds. {self.report()} Start the servers and wait "
                "until they have loaded the model, or correct base_url."
            )
        try:
            self.reference = self.checks.agree([(server.url, one) for server, one in checked])
        except UnusableServerError as error:
            raise ConfigurationError(f"engine=server: {error}.") from error
        self.checks.reference = self.reference
        for server, one in checked:
            server.works(one.facts)
        for server in self.servers:
            if server.state is State.LEFT_OUT:
                logger.warning(
                    "Server %s failed and will be retried; other servers take over its "
                    "requests: %s.",
                    server.url,
                    server.said,
                )

    def free(self, texts: int) -> Server | None:
        """The available server with the lowest load; None if none is available."""
        now = asyncio.get_running_loop().time()
        free = [one for one in self.servers if one.is_free(now) and one.has_room_for(texts)]
        return min(free, key=lambda one: (one.tokens, one.requests), default=None)

    def is_lost(self) -> bool:
        """Whether no server will come back: each was rejected, or failed too often in a row."""
        return all(
            one.state is State.REFUSED
            or (one.state is State.LEFT_OUT and one.failures > self.retries)
            for one in self.servers
        )

    def most_texts(self, wanted: int) -> int:
        """How many texts, up to a limit, every working server accepts in a request."""
        limits = [one.most_texts for one in self.servers if one.most_texts is not None]
        riding = self.reference.riding
        return next(
            (n for n in range(wanted, 1, -1) if all(n + riding(n) <= most for most in limits)), 1
        )

    def next_change(self) -> float | None:
        """When an overloaded server may be used again, in the loop's time."""
        times = [s.not_before for s in self.servers if s.state is State.WORKS]
        now = asyncio.get_running_loop().time()
        return min((time for time in times if time > now), default=None)

    def failed(self, server: Server, error: ServerFailure, sent_at: float) -> None:
        """Records a failed request, and takes its server out of service if necessary.

        Args:
            server: The server.
            error: What went wrong.
            sent_at: When the request was sent.
        """
        if sent_at < server.failed_at or server.state is not State.WORKS:
            return
        now = asyncio.get_running_loop().time()
        server.failed_at, server.said = now, str(error)
        is_suspect = isinstance(error, ImplausibleAnswerError | UnusableServerError)
        if is_suspect:
            # An error that its checks do not reproduce would be repeated forever.
            server.suspect += 1
            if server.suspect >= _MOST_SUSPECT:
                self._refuse(server, f"{error}, for the second time")
                return
        server.failures += 1
        if isinstance(error, OverloadedError) and server.failures <= self.retries:
            server.slow_down()
            wait = wait_before(server.failures)
            # Not all at the same moment, even if many got the same response.
            asked = 0.0 if error.seconds is None else error.seconds + random.uniform(0, 0.1)  # noqa: S311
            server.not_before = now + max(wait if error.seconds is None else 0.0, asked)
            logger.info("Server %s is overloaded and gets fewer requests: %s.", server.url, error)
            self.wake()
            return
        server.state = State.LEFT_OUT
        logger.warning(
            "Server %s failed and will be retried; other servers take over its requests: %s.",
            server.url,
            error,
        )
        self._start_returning(server, at_once=is_suspect)
        self.wake()

    def add(self, event: asyncio.Event) -> None:
        """Begins work: the event is set whenever a server changes."""
        if not self._waiting:
            for server in self.servers:
                if server.state is State.LEFT_OUT:
                    server.failures = 0
                    self._start_returning(server, at_once=True)
        self._waiting.add(event)

    async def remove(self, event: asyncio.Event) -> None:
        """Ends work; without work no server is retried, but a running check is finished."""
        self._waiting.discard(event)
        if self._waiting:
            return
        asleep = {server: task for server, task in self._returning.items() if task in self._asleep}
        for server, task in asleep.items():
            # Deleted at once: work that begins before the check has ended starts another.
            del self._returning[server]
            task.cancel()
        await asyncio.gather(*asleep.values(), return_exceptions=True)

    def wake(self) -> None:
        """Notifies all waiting tasks of a change."""
        for event in self._waiting:
            event.set()

    def report(self, servers: Sequence[Server] | None = None) -> str:
        """The errors of all servers."""
        return " ".join(f"{one.url}: {one.said}." for one in servers or self.servers)

    async def refuses_everything(
        self, server: Server, *, is_certain: bool = False
    ) -> ServerFailure | None:
        """Whether a server that rejects texts also rejects the probes, which it accepted before.

        Args:
            server: The server.
            is_certain: Whether it is always checked, not only if it has rejected something else in
                a row.
        """
        if server.has_answered and not is_certain:
            server.has_answered = False
            return None
        try:
            await server.protocol.compute(
                [self.checks.as_sent(text, server.protocol) for text in self.reference.texts[:2]]
            )
        except ServerFailure as error:
            return error
        server.has_answered = True
        return None

    def _refuse(self, server: Server, said: str) -> None:
        server.state, server.said = State.REFUSED, said
        logger.warning("Server %s gets no more requests: %s.", server.url, said)
        self.wake()

    async def _first_check(self, server: Server) -> Checked | None:
        for attempt in range(1, min(self.retries, _START_RETRIES) + 2):
            if attempt > 1:
                await asyncio.sleep(wait_before(attempt - 1))
            checked = await self._try_check(server)
            if checked is not None or server.state is State.REFUSED:
                return checked
        return None

    async def _try_check(self, server: Server) -> Checked | None:
        """Checks a server; None if it fails, or is rejected."""
        try:
            return await self.checks.check(server.protocol)
        except UnusableServerError as error:
            server.state, server.said = State.REFUSED, str(error)
        except ServerFailure as error:
            server.said = str(error)
        return None

    def _start_returning(self, server: Server, *, at_once: bool = False) -> None:
        if server in self._returning:
            return
        task = asyncio.create_task(self._return(server, at_once=at_once))
        self._returning[server] = task
        task.add_done_callback(lambda ended: self._has_ended(server, ended))

    def _has_ended(self, server: Server, task: asyncio.Task[None]) -> None:
        if self._returning.get(server) is task:
            del self._returning[server]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # Otherwise it would be waited for forever.
            logger.error("The check of %s failed.", server.url, exc_info=error)
            self._refuse(server, f"its check failed ({type(error).__name__}: {error})")

    async def _return(self, server: Server, *, at_once: bool) -> None:
        """Checks a failed server until it passes, or is rejected."""
        while True:
            if not at_once:
                task = asyncio.current_task()
                self._asleep.add(task)
                try:
                    await asyncio.sleep(wait_before(max(1, server.failures)))
                finally:
                    self._asleep.discard(task)
            at_once = False
            checked = await self._try_check(server)
            if checked is not None:
                server.works(checked.facts)
                logger.info("Server %s responds again and gets requests.", server.url)
            elif server.state is State.REFUSED:
                self._refuse(server, server.said)
            else:
                server.failures += 1
            self.wake()
            if server.state is not State.LEFT_OUT or not self._waiting:
                return

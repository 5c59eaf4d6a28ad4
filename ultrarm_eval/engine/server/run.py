"""The run of texts over the servers: requests are sent, retried and split."""

from __future__ import annotations

import asyncio
import queue
import random
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor

from ultrarm_eval.engine.engine import ComputedBatch
from ultrarm_eval.engine.server.failures import (
    ImplausibleAnswerError,
    OverloadedError,
    RequestRefusedError,
    ServerFailure,
    UnusableServerError,
)
from ultrarm_eval.engine.server.packing import Request
from ultrarm_eval.engine.server.pool import Pool, wait_before
from ultrarm_eval.engine.server.protocol import SentText
from ultrarm_eval.engine.server.server import Server
from ultrarm_eval.errors import ScoringError, TextRefusedError
from ultrarm_eval.text_format.tokens import Tokens

# This many texts rejected in a row are not the texts' fault: before any was computed, and later.
_ALL_REFUSED, _REFUSED_IN_A_ROW = 8, 64


class Run:
    """The texts of one call.

    Attributes:
        results: Batches as they are computed, then None, or the error that ended the run.
    """

    def __init__(
        self,
        pool: Pool,
        texts: Sequence[Tokens],
        requests: Sequence[Request],
        writing: Executor,
        most_waiting: int,
    ) -> None:
        """Takes the texts to compute.

        Args:
            pool: The servers.
            texts: The texts.
            requests: All texts, packed.
            writing: Decodes token ids to texts, for servers that do not accept ids.
            most_waiting: How many batches may wait to be consumed before sending pauses.
        """
        self.results: queue.SimpleQueue[ComputedBatch | BaseException | None] = queue.SimpleQueue()
        self._pool, self._texts, self._writing = pool, texts, writing
        self._lengths = [len(text) for text in texts]
        self._requests = deque(requests)
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._most_waiting, self._untaken = most_waiting, 0
        self._refused: dict[int, str] = {}
        self._computed = self._in_a_row = 0
        self._error: BaseException | None = None

    async def work(self) -> None:
        """Computes all texts; an error is put last into the results."""
        self._pool.add(self._changed)
        try:
            while self._error is None and (self._requests or self._tasks):
                self._changed.clear()
                wait = self._send()
                if self._requests and not self._tasks and self._pool.is_lost():
                    self._error = ScoringError(
                        f"engine=server: no server is left. {self._pool.report()} Computed "
                        "rewards in a score store are kept; start the servers, and run the same "
                        "command again."
                    )
                    break
                await self._wait(wait)
            self._error = self._error or self._first_refused()
        except asyncio.CancelledError:
            self._error = ScoringError("engine=server: the run was stopped.")
            raise
        except Exception as error:
            self._error = error
        finally:
            try:
                await self._stop()
            finally:
                # The consumer of the results waits without a timeout.
                self.results.put(self._error)

    def taken(self) -> None:
        """A batch was consumed; called in the event loop."""
        self._untaken -= 1
        self._changed.set()

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._pool.remove(self._changed)

    async def _wait(self, until: float | None) -> None:
        # No `asyncio.wait_for`: before Python 3.12 it loses a cancellation that arrives together
        # with the awaited event, as when a batch is taken and the run is abandoned at once.
        timer = (
            None if until is None else asyncio.get_running_loop().call_at(until, self._changed.set)
        )
        try:
            await self._changed.wait()
        finally:
            if timer is not None:
                timer.cancel()

    def _send(self) -> float | None:
        """Sends what can be sent; returns when more can be sent, if known."""
        now = asyncio.get_running_loop().time()
        later: list[Request] = []
        while self._requests and self._untaken + len(self._tasks) < self._most_waiting:
            request = self._requests.popleft()
            if request.not_before > now:
                later.append(request)
                continue
            server = self._server_for(request)
            if server is None:
                if len(request.texts) > 1 and self._is_too_large(request):
                    self._requests.extendleft(reversed(request.halves(self._lengths)))
                    continue
                self._requests.appendleft(request)
                break
            self._start(server, request)
        self._requests.extendleft(reversed(later))
        times = [request.not_before for request in later]
        change = self._pool.next_change()
        return min(times if change is None else [*times, change], default=None)

    def _server_for(self, request: Request) -> Server | None:
        size = self._size(request)
        before = request.goes_on.place if request.goes_on is not None else None
        now = asyncio.get_running_loop().time()
        if isinstance(before, Server) and before.is_free(now) and before.has_room_for(size):
            return before
        return self._pool.free(size)

    def _size(self, request: Request) -> int:
        """Its texts, with probes."""
        return len(request.texts) + self._pool.reference.riding(len(request.texts))

    def _is_too_large(self, request: Request) -> bool:
        size = self._size(request)
        known = [one for one in self._pool.servers if one.facts is not None]
        return bool(known) and not any(one.has_room_for(size) for one in known)

    def _start(self, server: Server, request: Request) -> None:
        server.requests += 1
        server.tokens += request.tokens
        request.place = server
        task = asyncio.create_task(self._ask(server, request))
        self._tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            server.requests -= 1
            server.tokens -= request.tokens
            self._tasks.discard(task)
            if not task.cancelled() and task.exception() is not None:
                self._error = self._error or task.exception()
            self._pool.wake()

        task.add_done_callback(done)

    async def _ask(self, server: Server, request: Request) -> None:
        sent_at = asyncio.get_running_loop().time()
        try:
            sent = await self._written(server, request)
            if not sent:
                return
            values = await self._values(server, sent)
        except (RequestRefusedError, UnusableServerError) as error:
            await self._divide(server, request, error, sent_at)
        except ServerFailure as error:
            self._pool.failed(server, error, sent_at)
            self._again(request, server, error)
        else:
            server.succeeded()
            self._computed += len(request.texts)
            self._in_a_row = 0
            self._untaken += 1
            self.results.put(ComputedBatch(request.texts, values, request.tokens))

    async def _values(self, server: Server, sent: Sequence[SentText]) -> list[float]:
        """The values of texts, after those of the probes in the request were verified."""
        reference = self._pool.reference
        probes = reference.choose(len(sent))
        places = set(random.sample(range(len(sent) + len(probes)), len(probes)))
        riding = (self._pool.checks.as_sent(reference.texts[i], server.protocol) for i in probes)
        texts = iter(sent)
        count = len(sent) + len(probes)
        mixed = [next(riding) if place in places else next(texts) for place in range(count)]
        values = await server.protocol.compute(mixed)
        reference.require(probes, [values[place] for place in sorted(places)])
        return [value for place, value in enumerate(values) if place not in places]

    async def _written(self, server: Server, request: Request) -> list[SentText]:
        """The texts as sent to a server; texts that cannot be sent are removed from the request."""
        texts = [SentText(tuple(self._texts[i])) for i in request.texts]
        if not server.protocol.sends_text:
            return texts
        loop = asyncio.get_running_loop()
        written = await loop.run_in_executor(self._writing, self._try_to_write, texts)
        for index, one in zip(request.texts, written, strict=True):
            if isinstance(one, str):
                self._refused[index] = (
                    "the servers accept only texts, not token ids "
                    f"(protocol={self._pool.servers[0].protocol.software}), and {one}."
                )
        kept = [i for i in request.texts if i not in self._refused]
        left_out = sum(self._lengths[i] for i in request.texts if i in self._refused)
        request.texts = kept
        server.tokens -= left_out
        request.tokens -= left_out
        return [one for one in written if isinstance(one, SentText)]

    def _try_to_write(self, texts: Sequence[SentText]) -> list[SentText | str]:
        return [self._pool.checks.try_to_write(text) for text in texts]

    async def _divide(
        self,
        server: Server,
        request: Request,
        error: RequestRefusedError | UnusableServerError,
        sent_at: float,
    ) -> None:
        """Finds the rejected text by bisection, unless the server rejects everything."""
        is_refusal = isinstance(error, RequestRefusedError)
        is_too_large = isinstance(error, RequestRefusedError) and error.is_too_large
        if is_too_large and len(request.texts) > 1:
            # A single text is always sent: the limit is never below it and its probes.
            alone = 1 + self._pool.reference.riding(1)
            server.most_texts = max(alone, self._size(request) // 2)
            self._requests.appendleft(request)
            return
        # An apparent failure of the server may be caused by a text that a proxy in between blocks.
        other = await self._pool.refuses_everything(server, is_certain=not is_refusal)
        if isinstance(other, RequestRefusedError):
            other = UnusableServerError(f"it rejects all requests: {other}")
        if other is not None:
            self._pool.failed(server, other, sent_at)
            self._again(request, server, other)
        elif len(request.texts) > 1:
            self._requests.extendleft(reversed(request.halves(self._lengths)))
        else:
            others = "" if is_refusal else ", and accepts others"
            self._refuse(request, f"{server.url} rejects it{others}: {str(error).rstrip('.')}.")

    def _again(self, request: Request, server: Server, error: ServerFailure) -> None:
        """Resends a request later, in parts if necessary, or gives up on its text."""
        if isinstance(error, OverloadedError | ImplausibleAnswerError):
            # That is only the server's fault, and it gets no requests if it continues.
            self._requests.appendleft(request)
            return
        request.attempts += 1
        request.said = f"{server.url}: {error}"
        if request.attempts <= self._pool.retries:
            now = asyncio.get_running_loop().time()
            request.not_before = now + wait_before(request.attempts)
            self._requests.appendleft(request)
        elif len(request.texts) > 1:
            self._requests.extendleft(reversed(request.halves(self._lengths)))
        elif self._pool.is_lost():
            self._requests.appendleft(request)
        else:
            self._refuse(
                request, f"it failed {request.attempts} times, most recently: {request.said}."
            )

    def _refuse(self, request: Request, reason: str) -> None:
        for index in request.texts:
            self._refused[index] = reason
        self._in_a_row += len(request.texts)
        if self._in_a_row >= (_REFUSED_IN_A_ROW if self._computed else _ALL_REFUSED):
            first = min(self._refused)
            before = "since then" if self._computed else "at all"
            self._error = ScoringError(
                f"engine=server: {self._in_a_row} texts in a row were rejected, and none was "
                f"computed {before}. Text {first}: {self._refused[first]}"
            )

    def _first_refused(self) -> TextRefusedError | None:
        if not self._refused:
            return None
        first = min(self._refused)
        others = len(self._refused) - 1
        more = f" {others} more texts were rejected, too." if others else ""
        return TextRefusedError(self._refused[first] + more, first)

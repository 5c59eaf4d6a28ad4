"""The queue of a judge: what concurrent samples ask of it meets here and is scored in batches.

A sample waits in its event loop, asyncio's or trio's; the judge computes in one thread of its own.
The queue drains when it is full, or when nothing has come for a moment: a harness that has so many
samples open at once and no more would otherwise wait for ever.
"""

from __future__ import annotations

import asyncio
import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import anyio

from ultrarm_eval.errors import (
    RewardError,
    ScoringError,
    UltrarmEvalError,
    UnwritableTextError,
    first_line,
)
from ultrarm_eval.judges.base import Judge, Judgement, judge_name, may_abstain
from ultrarm_eval.judges.judgements import EqualRewards, check_texts, judgement_stream
from ultrarm_eval.messages import Prompt

logger = logging.getLogger(__name__)

#: So many waiting texts are scored without waiting for more.
MOST_TEXTS = 1024
#: How long nothing has to come until what is there is scored, in seconds.
SILENCE_S = 0.1
# Fewer rewards may be equal by chance.
_FEW = 16


@dataclass
class _Request:
    """A prompt's texts, and who waits for what is said of them.

    Attributes:
        prompt: The prompt.
        texts: The texts.
        where: Whose they are, for messages.
        wake: Has the waiter's event loop look again; called from the judge's thread.
        judgements: Those that are there, by the texts' numbers.
        failure: Why there are none.
        is_withdrawn: Whether nobody waits any more.
    """

    prompt: Prompt
    texts: tuple[str, ...]
    where: str
    wake: Callable[[], None]
    judgements: dict[int, Judgement] = field(default_factory=dict)
    failure: ScoringError | None = None
    is_withdrawn: bool = False

    def is_answered(self) -> bool:
        return self.failure is not None or len(self.judgements) == len(self.texts)

    def fail(self, error: BaseException) -> None:
        """Ends it with an error of its own: one that several raise would gather their traces."""
        if self.is_answered():
            return
        said = str(error) if isinstance(error, UltrarmEvalError) else first_line(error)
        failure = ScoringError(said if self.where in said else f"{self.where}: {said}")
        failure.__cause__ = error
        self.failure = failure
        self.wake()


class ScoringQueue:
    """What is asked of one judge.

    Its thread ends with the process and does not keep it alive.

    Attributes:
        judge: The judge.
        calls: How often the judge was asked.
        texts: Of how many texts.
    """

    def __init__(
        self, judge: Judge, *, most_texts: int = MOST_TEXTS, silence_s: float = SILENCE_S
    ) -> None:
        """Takes the judge, which nobody else may ask meanwhile.

        Args:
            judge: The judge; its weights are loaded with the first text.
            most_texts: So many waiting texts are scored without waiting for more.
            silence_s: How long nothing has to come until what is there is scored, in seconds.
        """
        self.judge = judge
        self.calls = self.texts = 0
        self._most_texts, self._silence_s = most_texts, silence_s
        self._waiting: queue.SimpleQueue[_Request] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._facts: dict[str, Any] = {"judge": judge_name(judge)}
        self._equal, self._seen = EqualRewards(), 0

    async def judgements(self, prompt: Prompt, texts: Sequence[str], where: str) -> list[Judgement]:
        """What the judge says of a prompt's texts.

        Args:
            prompt: What they answer.
            texts: The texts, at least one.
            where: Whose they are, for messages.

        Raises:
            ScoringError: The judge fails, or refuses one of the texts.
        """
        answered = anyio.Event()
        schedule = _scheduler()

        def wake() -> None:
            # The event loop may have ended meanwhile, with all that waited in it.
            with suppress(RuntimeError):
                schedule(answered.set)

        request = _Request(prompt, tuple(texts), where, wake)
        self._start()
        self._waiting.put(request)
        try:
            await answered.wait()
        finally:
            request.is_withdrawn = True
        if request.failure is not None:
            raise request.failure
        return [request.judgements[index] for index in range(len(request.texts))]

    def facts(self) -> dict[str, Any]:
        """Which judge it is: its name, and its fingerprint once something was scored."""
        return dict(self._facts)

    def _start(self) -> None:
        with self._lock:
            # A forked process has none of its parent's threads.
            if self._thread is None or not self._thread.is_alive():
                name = f"ultrarm_eval judge {judge_name(self.judge)}"
                self._thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            batch = self._drained(self._waiting.get())
            try:
                self._score(batch)
            except BaseException as error:
                # Nobody may wait for a thread that has ended: not even SystemExit ends it.
                _fail(batch, error)

    def _drained(self, first: _Request) -> list[_Request]:
        """What has come, until there is enough of it or nothing comes for a moment."""
        batch, texts = [first], len(first.texts)
        while texts < self._most_texts:
            try:
                request = self._waiting.get(timeout=self._silence_s)
            except queue.Empty:
                break
            batch.append(request)
            texts += len(request.texts)
        return batch

    def _score(self, batch: Sequence[_Request]) -> None:
        for request in batch:
            if request.is_withdrawn:
                continue
            try:
                check_texts(
                    self.judge, ((request.prompt, text, request.where) for text in request.texts)
                )
            except Exception as error:
                request.fail(error)
        # One that is refused is left out, and the others are asked for again.
        while asked := [r for r in batch if not (r.is_withdrawn or r.is_answered())]:
            started = time.perf_counter()
            self._ask(asked)
            took = time.perf_counter() - started
            texts = sum(len(request.texts) for request in asked)
            logger.info(
                "The judge took %.1f s for %d texts of %d samples.", took, texts, len(asked)
            )

    def _ask(self, asked: Sequence[_Request]) -> None:
        """Asks the judge; whatever it says, at least one request is answered afterwards."""
        places = [(request, i) for request in asked for i in range(len(request.texts))]
        prompts = [request.prompt for request, _ in places]
        texts = [request.texts[i] for request, i in places]
        self.calls += 1
        self.texts += len(texts)
        try:
            for index, judgement in judgement_stream(self.judge, prompts, texts):
                if "fingerprint" not in self._facts:
                    # Its weights are loaded now.
                    self._facts["fingerprint"] = self.judge.fingerprint()
                self._take(*places[index], judgement)
        except RewardError as error:
            places[error.completion][0].fail(ScoringError(error.problem))
        except UnwritableTextError as error:
            request = places[error.text][0]
            request.fail(error.of(request.where))
        except Exception as error:
            _fail(asked, error)

    def _take(self, request: _Request, index: int, judgement: Judgement) -> None:
        if request.is_answered():
            return
        if judgement.value is None and not may_abstain(self.judge):
            request.fail(ScoringError("the judge gave no reward."))
            return
        if judgement.value is not None and not math.isfinite(judgement.value):
            request.fail(
                ScoringError(f"the judge gave the reward {judgement.value}; it has to be finite.")
            )
            return
        request.judgements[index] = judgement
        self._watch(request, index, judgement)
        if request.is_answered():
            request.wake()

    def _watch(self, request: _Request, index: int, judgement: Judgement) -> None:
        """Warns once where all rewards so far are equal."""
        self._equal.add((repr(request.prompt), request.texts[index]), judgement.value)
        self._seen += 1
        if self._seen == _FEW:
            self._equal.report()


def _fail(requests: Sequence[_Request], error: BaseException) -> None:
    for request in requests:
        request.fail(error)


def _scheduler() -> Callable[[Callable[[], None]], Any]:
    """What has the running event loop call something, from any thread and without waiting."""
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        import trio

        token = trio.lowlevel.current_trio_token()
        return lambda callback: token.run_sync_soon(callback)


_queues: dict[int, ScoringQueue] = {}
_queues_lock = threading.Lock()


def queue_of(judge: Judge) -> ScoringQueue:
    """The queue of a judge, the same one for everybody who shares it."""
    with _queues_lock:
        # A queue keeps its judge, so that no other judge ever has its id.
        return _queues.setdefault(id(judge), ScoringQueue(judge))

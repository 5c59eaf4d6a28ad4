"""The queue of a judge, which collects the texts of concurrent samples and scores them in batches.

A sample waits in its event loop (asyncio or trio); the judge computes in its own thread. The queue
is scored when it is full, or when nothing has arrived for a moment: otherwise a harness with a
limited number of open samples would wait forever.
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

#: This many waiting texts are scored without waiting for more.
MOST_TEXTS = 1024
#: The seconds without new texts after which the waiting texts are scored.
SILENCE_S = 0.1
# Fewer rewards could be equal by chance.
_FEW = 16


@dataclass
class _Request:
    """A prompt's texts, and the sample that waits for their judgements.

    Attributes:
        prompt: The prompt.
        texts: The texts.
        where: Their sample, for messages.
        wake: Wakes the sample's event loop; called from the judge's thread.
        judgements: The available judgements, by the texts' numbers.
        failure: The error, if scoring failed.
        is_withdrawn: Whether the sample no longer waits.
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
        """Ends it with its own error: a shared error would collect the traces of all samples."""
        if self.is_answered():
            return
        said = str(error) if isinstance(error, UltrarmEvalError) else first_line(error)
        failure = ScoringError(said if self.where in said else f"{self.where}: {said}")
        failure.__cause__ = error
        self.failure = failure
        self.wake()


class ScoringQueue:
    """The queue of one judge.

    Its thread ends with the process and does not keep it alive.

    Attributes:
        judge: The judge.
        calls: The number of calls of the judge.
        texts: The number of texts scored.
    """

    def __init__(
        self, judge: Judge, *, most_texts: int = MOST_TEXTS, silence_s: float = SILENCE_S
    ) -> None:
        """Takes the judge, which must not be used by others meanwhile.

        Args:
            judge: The judge; its weights are loaded with the first text.
            most_texts: This many waiting texts are scored without waiting for more.
            silence_s: The seconds without new texts after which the waiting texts are scored.
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
        """The judgements of a prompt's texts.

        Args:
            prompt: The prompt.
            texts: The texts, at least one.
            where: Their sample, for messages.

        Raises:
            ScoringError: The judge fails, or refuses one of the texts.
        """
        answered = anyio.Event()
        schedule = _scheduler()

        def wake() -> None:
            # The event loop may have ended meanwhile.
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
        """The judge's name, and its fingerprint once something was scored."""
        return dict(self._facts)

    def _start(self) -> None:
        with self._lock:
            # A forked process does not have its parent's threads.
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
                # No sample may wait for a thread that has ended, so not even SystemExit ends it.
                _fail(batch, error)

    def _drained(self, first: _Request) -> list[_Request]:
        """The requests that have arrived, until there are enough or none arrives for a moment."""
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
        # If a text is refused, the others are scored again without it.
        while asked := [r for r in batch if not (r.is_withdrawn or r.is_answered())]:
            started = time.perf_counter()
            self._ask(asked)
            took = time.perf_counter() - started
            texts = sum(len(request.texts) for request in asked)
            logger.info("Judged %d texts of %d samples in %.1f s.", texts, len(asked), took)

    def _ask(self, asked: Sequence[_Request]) -> None:
        """Calls the judge; whatever happens, at least one request is completed afterwards."""
        places = [(request, i) for request in asked for i in range(len(request.texts))]
        prompts = [request.prompt for request, _ in places]
        texts = [request.texts[i] for request, i in places]
        self.calls += 1
        self.texts += len(texts)
        try:
            for index, judgement in judgement_stream(self.judge, prompts, texts):
                if "fingerprint" not in self._facts:
                    # Its weights are loaded by now.
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
                ScoringError(
                    f"the judge gave the reward {judgement.value}; a reward must be finite."
                )
            )
            return
        request.judgements[index] = judgement
        self._watch(request, index, judgement)
        if request.is_answered():
            request.wake()

    def _watch(self, request: _Request, index: int, judgement: Judgement) -> None:
        """Warns once if all rewards so far are equal."""
        self._equal.add((repr(request.prompt), request.texts[index]), judgement.value)
        self._seen += 1
        if self._seen == _FEW:
            self._equal.report()


def _fail(requests: Sequence[_Request], error: BaseException) -> None:
    for request in requests:
        request.fail(error)


def _scheduler() -> Callable[[Callable[[], None]], Any]:
    """A function that makes the running event loop call something, from any thread."""
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        import trio

        token = trio.lowlevel.current_trio_token()
        return lambda callback: token.run_sync_soon(callback)


_queues: dict[int, ScoringQueue] = {}
_queues_lock = threading.Lock()


def queue_of(judge: Judge) -> ScoringQueue:
    """The queue of a judge, shared by all its users."""
    with _queues_lock:
        # A queue keeps its judge alive, so that no other judge can get the same id.
        return _queues.setdefault(id(judge), ScoringQueue(judge))

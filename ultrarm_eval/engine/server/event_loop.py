"""An event loop in its own thread, for synchronous callers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_CLOSING_SECONDS = 5.0


class EventLoop:
    """Runs coroutines in its thread until it is closed."""

    def __init__(self, name: str) -> None:
        """Starts the thread.

        Args:
            name: The thread's name.
        """
        self._loop = asyncio.new_event_loop()
        # A daemon: the interpreter joins all other threads before anything could close this one.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Starts a coroutine; the future returns its result and can cancel it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine and waits for it; an interruption here cancels it."""
        future = self.submit(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Calls a function in the loop's thread, soon."""
        if not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(function, *arguments)
            except RuntimeError:
                # It was just closed.
                return

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Cancels all running coroutines, runs a last one, and ends the thread.

        Args:
            last: Makes the coroutine.
        """
        if self._loop.is_closed():
            return

        async def end() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await last()

        ended = self.submit(end())
        ended.add_done_callback(lambda _: self.call(self._loop.stop))
        # The garbage collector may call from any thread, this loop's own too.
        if threading.current_thread() is self._thread:
            return
        # If it does not end, the thread still does not keep the interpreter alive.
        with contextlib.suppress(concurrent.futures.TimeoutError):
            ended.result(_CLOSING_SECONDS)
        self._thread.join(_CLOSING_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

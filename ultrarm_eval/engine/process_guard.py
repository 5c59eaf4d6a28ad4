"""Ends processes that would outlive the one that started them, however that one ends.

A killed process cannot clean up. So a small guard process reads process ids from a pipe, and ends
those processes when the other end of the pipe is closed.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterable

import psutil

# How long processes may take to end before they are killed.
_SECONDS_TO_END = 10


class ProcessGuard:
    """Ensures that processes end with this one."""

    def __init__(self) -> None:
        """Starts the guard process."""
        self._known: set[int] = set()
        # In its own session: an interrupt of this process does not reach it.
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
        )

    def add(self, processes: Iterable[int]) -> None:
        """Adds processes.

        Args:
            processes: Their ids; ids that were added before are skipped.
        """
        new = set(processes) - self._known - {self._process.pid}
        self._known |= new
        if new and self._process.stdin is not None and self._process.poll() is None:
            self._process.stdin.write("".join(f"{number}\n" for number in new))
            self._process.stdin.flush()

    def stop(self) -> None:
        """Stops the guard without ending any process."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


def wait_and_end(lines: Iterable[str]) -> None:
    """Ends processes once there are no more lines.

    Args:
        lines: Each is the id of a running process.
    """
    found = []
    for line in lines:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(int(line)))
    # psutil distinguishes a process from a newer one with the same id.
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for one in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                end(one)
        _, found = psutil.wait_procs(found, timeout=_SECONDS_TO_END)


if __name__ == "__main__":
    wait_and_end(sys.stdin)

"""Ends processes that would outlive the one that started them, however that ends.

A process that is killed ends nothing of its own. So a small process waits beside it: it reads the
numbers of processes from a pipe, and when the pipe's other end is gone it ends those.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterable

import psutil

# How long processes may take to end before they are ended.
_SECONDS_TO_END = 10


class ProcessGuard:
    """Sees to it that processes end with this one."""

    def __init__(self) -> None:
        """Starts the process that waits."""
        self._known: set[int] = set()
        # In a session of its own: what interrupts this process is not for it.
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
            processes: Their numbers; those that were added before are left out.
        """
        new = set(processes) - self._known - {self._process.pid}
        self._known |= new
        if new and self._process.stdin is not None and self._process.poll() is None:
            self._process.stdin.write("".join(f"{number}\n" for number in new))
            self._process.stdin.flush()

    def stop(self) -> None:
        """Waits for nothing any more, and ends no process."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


def wait_and_end(lines: Iterable[str]) -> None:
    """Ends processes once there are no more lines.

    Args:
        lines: The number of a process in each, while it runs.
    """
    found = []
    for line in lines:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(int(line)))
    # psutil tells a process from another one that has its number by now.
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for one in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                end(one)
        _, found = psutil.wait_procs(found, timeout=_SECONDS_TO_END)


if __name__ == "__main__":
    wait_and_end(sys.stdin)

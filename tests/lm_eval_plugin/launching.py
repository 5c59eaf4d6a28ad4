"""Starting evaluations in one process or several over gloo, and reading what they found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import raw_row

PROCESS = Path(__file__).with_name("evaluation_process.py")
# As many threads in each run: they too decide how products are rounded.
ON_CPUS = {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}


class Run:
    """Processes that evaluate side by side.

    Attributes:
        folder: Where they report to.
        launcher: What started them; a process of its own has none beside itself.
    """

    def __init__(
        self,
        folder: Path,
        evaluations: Mapping[str, Mapping[str, Any]],
        *,
        processes: int,
        block_after: int | None = None,
    ) -> None:
        folder.mkdir()
        self.folder, self._processes = folder, processes
        order = {"folder": str(folder), "evaluations": evaluations, "block_after": block_after}
        (folder / "order").write_text(json.dumps(order))
        command = [sys.executable, str(PROCESS), str(folder / "order")]
        if processes > 1:
            command[1:1] = [
                *("-m", "torch.distributed.run", "--nproc_per_node", str(processes)),
                *("--standalone", "--log_dir", str(folder / "logs"), "--redirects", "3"),
            ]
        with (folder / "stderr").open("w") as errors:
            self.launcher = subprocess.Popen(
                command, stdout=errors, stderr=errors, env={**os.environ, **ON_CPUS}
            )

    def wait(self, timeout: float = 300) -> int:
        """The exit code of the launcher; one that hangs is ended with all it started."""
        try:
            return self.launcher.wait(timeout)
        except subprocess.TimeoutExpired:
            self.launcher.terminate()
            self.launcher.wait()
            raise

    def errors(self, rank: int = 0) -> str:
        """What a process wrote to its standard error."""
        if self._processes == 1:
            return (self.folder / "stderr").read_text()
        (log,) = self.folder.glob(f"logs/*/attempt_0/{rank}/stderr.log")
        return log.read_text()

    def reports(self, name: str) -> list[Any]:
        """What each process reported, in their order."""
        paths = [self.folder / f"{name}.{rank}.json" for rank in range(self._processes)]
        return [json.loads(path.read_text()) for path in paths if path.exists()]


def evaluate(folder: Path, evaluations: Mapping[str, Mapping[str, Any]], *, processes: int) -> Run:
    """Runs evaluations to their end."""
    run = Run(folder, evaluations, processes=processes)
    code = run.wait()
    assert code == 0, "\n".join(run.errors(rank)[-3000:] for rank in range(processes))
    return run


def assert_close(
    found: Mapping[str, Any],
    expected: Mapping[str, Any],
    bound: float,
    left_out: Container[str] = (),
) -> None:
    """The same metrics, numbers within a bound."""
    assert list(found) == list(expected)
    for name, value in expected.items():
        if name not in left_out:
            close = pytest.approx(value, rel=0, abs=bound) if isinstance(value, float) else value
            assert found[name] == close, name


def documents(count: int) -> list[dict[str, Any]]:
    """Rows of two to four answers, the first two without ratings for honesty."""
    rows = [
        raw_row(
            instruction=f"the question number {i} of {count}: is the sky " + "blue " * (3 * i + 1),
            answers=tuple((f"answer {i} {j} " + "green " * (5 * j + i), 5 - j) for j in range(2 + i % 3)),
        )
        for i in range(count)
    ]  # fmt: skip
    for row in rows[:2]:
        for completion in row["completions"]:
            completion["annotations"]["honesty"]["Rating"] = "N/A"
    return rows

"""The parts of `benchmarks/gpu_check.sh`, which runs each step in a process of its own.

python -m gpu_check begin FILE --device cuda --shape 13b --limit 460 [--steps NAME ...]
python -m gpu_check limit FILE NAME --elapsed S
python -m gpu_check run FILE NAME --seconds S
python -m gpu_check broken FILE NAME --status N --said LOG --seconds S
python -m gpu_check end FILE --elapsed S
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from gpu_check.record import NOT_REACHED, Record, as_table
from gpu_check.step_run import StepRun
from gpu_check.steps import BY_NAME, LIMIT, STEPS

# What is left for a step that is still worth its start.
_LEAST_SECONDS = 10.0
# A step that failed and said so; Python itself ends with 1 where it is stopped by an error.
_FAILED = 3
# GNU timeout's own status, and that of a process that it had to kill.
_TIMED_OUT = (124, 137)
_LAST_LINES = 30


def begin(options: argparse.Namespace) -> int:
    """Writes the file and prints the steps to run, one a line."""
    names = options.steps or [step.name for step in STEPS]
    Record(options.file).begin(
        names,
        {
            "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "device": options.device,
            "shape": options.shape,
            "limit_s": options.limit,
        },
    )
    sys.stdout.write("".join(f"{step.name}\n" for step in STEPS if step.name in names))
    return 0


def limit(options: argparse.Namespace) -> int:
    """Prints the whole seconds that a step has; 0 where none are left, which is written down."""
    record = Record(options.file)
    whole = float(record.read()["limit_s"])
    left = whole - options.elapsed
    seconds = min(BY_NAME[options.step].seconds * whole / LIMIT, left)
    if seconds < _LEAST_SECONDS:
        record.set(options.step, reason=NOT_REACHED, summary=f"{max(left, 0):.0f} s were left")
        seconds = 0.0
    else:
        # Until it ends otherwise: also a process that says nothing more leaves this.
        record.set(options.step, limit_s=seconds, reason="it was begun and never ended")
    sys.stdout.write(f"{int(seconds)}\n")
    return 0


def run(options: argparse.Namespace) -> int:
    """Runs a step; 0 if it did not fail, 3 if it did."""
    record = Record(options.file)
    whole = record.read()
    step_run = StepRun(
        BY_NAME[options.step],
        record,
        device=whole["device"],
        shape=whole["shape"],
        seconds=options.seconds,
    )
    return 0 if step_run.carry_out() else _FAILED


def broken(options: argparse.Namespace) -> int:
    """Writes down that a step's process did not come to its end."""
    lines = options.said.read_text(encoding="utf-8", errors="replace").splitlines()
    record = Record(options.file)
    limit_s = record.read()["steps"][options.step]["limit_s"]
    if options.status in _TIMED_OUT and options.seconds >= int(limit_s):
        reason = f"stopped at its limit of {limit_s:.0f} s; the figures are those until then"
    else:
        last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing was said")
        reason = f"its process ended with status {options.status}: {last}"
    record.set(
        options.step,
        passed=False,
        reason=reason,
        seconds=options.seconds,
        said=lines[-_LAST_LINES:],
    )
    return 0


def end(options: argparse.Namespace) -> int:
    """Writes the whole outcome and prints the table; 0 if everything passed."""
    record = Record(options.file)
    passed = record.end(options.elapsed)
    sys.stdout.write(as_table(record.read()))
    return 0 if passed else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one part."""
    parser = argparse.ArgumentParser(prog="gpu_check")
    parts = parser.add_subparsers(required=True)

    def part(function: object, *, step: bool = False) -> argparse.ArgumentParser:
        name = getattr(function, "__name__", "")
        added = parts.add_parser(name)
        added.set_defaults(function=function)
        added.add_argument("file", type=Path)
        if step:
            added.add_argument("step", choices=list(BY_NAME))
        return added

    beginning = part(begin)
    beginning.add_argument("--device", required=True)
    beginning.add_argument("--shape", choices=["13b", "tiny"], required=True)
    beginning.add_argument("--limit", type=float, default=LIMIT)
    beginning.add_argument("--steps", nargs="+", choices=list(BY_NAME))
    part(limit, step=True).add_argument("--elapsed", type=float, required=True)
    part(run, step=True).add_argument("--seconds", type=float, required=True)
    breaking = part(broken, step=True)
    breaking.add_argument("--status", type=int, required=True)
    breaking.add_argument("--said", type=Path, required=True)
    breaking.add_argument("--seconds", type=float, required=True)
    part(end).add_argument("--elapsed", type=float, required=True)
    options = parser.parse_args(arguments)
    status: int = options.function(options)
    return status


if __name__ == "__main__":
    found = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # All is written down. An interpreter's end may wait for threads of torch's compiler until the
    # step's time is over, as was seen with torch 2.11.
    os._exit(found)

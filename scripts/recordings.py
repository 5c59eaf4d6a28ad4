"""Records what commands give on small made-up inputs, and compares two recordings.

    python scripts/recordings.py inputs -o INPUTS
    python scripts/recordings.py record --venv DIR/.venv --inputs INPUTS -o RECORDING
    python scripts/recordings.py compare BEFORE AFTER [--expected FILE]

For a change after which nothing that a user types or reads may differ: inputs are made once, both
versions record the same commands on them, and every number has to agree to 1e-9 and every other
character exactly, but for times, paths and what else says only where and when it ran. Nothing of
the package is imported, so any checkout can be recorded.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from recorded import commands, comparison, inputs, keeping, recording

TOLERANCE = 1e-9


def main(arguments: list[str] | None = None) -> int:
    """Makes inputs, records, or compares."""
    given = _parser().parse_args(arguments)
    match given.action:
        case "inputs":
            inputs.make(given.output)
            return 0
        case "record":
            return _record(given)
        case "keep":
            keeping.keep(given.recording, given.output, given.only.split(","))
            return 0
        case _:
            return _compare(given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    actions = parser.add_subparsers(dest="action", required=True)
    made = actions.add_parser("inputs", help="make data and tiny checkpoints, once")
    made.add_argument("-o", "--output", type=Path, required=True)

    record = actions.add_parser("record", help="run the commands and keep what they write")
    record.add_argument("--venv", type=Path, required=True, help="environment with the package")
    record.add_argument(
        "--install",
        type=Path,
        metavar="CHECKOUT",
        help="first make this checkout the one that the environment has installed (editable)",
    )
    record.add_argument("--inputs", type=Path, required=True)
    record.add_argument("-o", "--output", type=Path, required=True)
    record.add_argument("--only", help="names or patterns with *, separated by commas")
    record.add_argument("--jobs", type=int, default=2, help="commands at once (default: 2)")
    record.add_argument("--resume", action="store_true", help="leave out what is there already")
    record.add_argument("--timeout", type=float, default=600, help="seconds a command may take")

    compare = actions.add_parser("compare", help="print every difference; status 1 if there is one")
    compare.add_argument("before", type=Path)
    compare.add_argument("after", type=Path)
    compare.add_argument(
        "--expected", type=Path, help="differences on purpose: command, path or pattern, reason"
    )
    compare.add_argument("--only", help="names or patterns with *, separated by commas")
    compare.add_argument("--tolerance", type=float, default=TOLERANCE)
    compare.add_argument("--most", type=int, default=200, help="lines printed (default: 200)")

    kept = actions.add_parser("keep", help="write a recording without what says where it was made")
    kept.add_argument("recording", type=Path)
    kept.add_argument("--only", default="*", help="names or patterns with *, separated by commas")
    kept.add_argument("-o", "--output", type=Path, required=True)
    return parser


def _record(given: argparse.Namespace) -> int:
    chosen = commands.chosen(commands.ALL, given.only)
    if given.install is not None:
        recording.install(given.venv, given.install)
    recording.record(
        chosen,
        given.venv,
        given.inputs,
        given.output,
        jobs=given.jobs,
        timeout=given.timeout,
        resume=given.resume,
    )
    return 0


def _compare(given: argparse.Namespace) -> int:
    expected = comparison.read_expected(given.expected) if given.expected else []
    found = comparison.compare(
        given.before, given.after, tolerance=given.tolerance, only=given.only
    )
    unexpected, unmet = comparison.sorted_out(found, expected)
    for line in [*map(str, unexpected), *(f"expected, and not there: {e}" for e in unmet)][
        : given.most
    ]:
        print(line)
    print(
        f"{len(unexpected)} differences beyond {given.tolerance:g},"
        f" {len(found) - len(unexpected)} expected ones, {len(unmet)} expected and not there."
    )
    return 1 if unexpected or unmet else 0


if __name__ == "__main__":
    sys.exit(main())

"""`ultrarm-eval merge-stores`: several score stores merged into one."""

from __future__ import annotations

import argparse
import math
import sys

from ultrarm_eval.errors import ConfigurationError


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    command.description = (
        "Merges score stores, such as one per job, into one that a later run reads. Damaged rows "
        "are skipped and counted. Nothing is written if two stores have different rewards for the "
        "same text."
    )
    command.add_argument("stores", nargs="+", metavar="STORE", help="score store files")
    command.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="store to write to; rewards already in it are kept",
    )
    command.add_argument(
        "--rounding",
        type=float,
        default=0.0,
        metavar="X",
        help=(
            "treat rewards of a text that differ by at most X as equal and keep the first "
            "(default: %(default)s)"
        ),
    )
    command.add_argument(
        "--several-judges",
        action="store_true",
        help="allow rewards of different judges in one file",
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from ultrarm_eval.engine.joined_stores import join_stores

    if not 0 <= options.rounding < math.inf:
        raise ConfigurationError(f"--rounding {options.rounding}: give a number of at least 0.")
    joined = join_stores(
        options.stores,
        options.output,
        rounding=options.rounding,
        several_judges=options.several_judges,
    )
    for one in joined:
        rounded = f", {one.rounded:,} differ only by rounding" if one.rounded else ""
        damaged = f", {one.damaged:,} damaged and skipped" if one.damaged else ""
        sys.stdout.write(f"{one.path}: {one.rows:,} rows, {one.added:,} new{rounded}{damaged}\n")
    sys.stdout.write(f"{options.output}: {sum(one.added for one in joined):,} rows added\n")
    return 0

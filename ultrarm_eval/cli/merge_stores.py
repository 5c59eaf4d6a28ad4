"""`ultrarm-eval merge-stores`: several score stores as one."""

from __future__ import annotations

import argparse
import math
import sys

from ultrarm_eval.errors import ConfigurationError


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares what the command takes."""
    command.description = (
        "Joins score stores, such as one of each job, in one that a later run reads. Damaged rows "
        "are left out and counted; nothing is written where two stores have different rewards for "
        "one text."
    )
    command.add_argument("stores", nargs="+", metavar="STORE", help="files of score_store")
    command.add_argument(
        "-o",
        "--output",
        required=True,
        metavar="FILE",
        help="the store to write to; what it holds is kept",
    )
    command.add_argument(
        "--rounding",
        type=float,
        default=0.0,
        metavar="X",
        help="rewards of one text that differ by at most X are the same, and the first counts "
        "(default: %(default)s)",
    )
    command.add_argument(
        "--several-judges",
        action="store_true",
        help="join rewards of different judges in one file",
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
        rounded = f", {one.rounded:,} there with another rounding" if one.rounded else ""
        damaged = f", {one.damaged:,} damaged and left out" if one.damaged else ""
        sys.stdout.write(f"{one.path}: {one.rows:,} rows, {one.added:,} new{rounded}{damaged}\n")
    sys.stdout.write(f"{options.output}: {sum(one.added for one in joined):,} rows added\n")
    return 0

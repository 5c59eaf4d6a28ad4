"""`ultrarm-eval merge`: the results of all shards as those of one run."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judge_counts import judge_counts_in_words

if TYPE_CHECKING:
    from ultrarm_eval.lm_eval_plugin.merged.files import WrittenRun
    from ultrarm_eval.runs.shards import RunShards

# The most lines shown of each kind.
_SHOWN = 12


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    command.description = (
        "Merges the runs of all shards into one run. The shards come from --metadata "
        '\'{"shard": "3/16"}\', or from files of ultrarm-eval shard. Metrics are recomputed '
        "from the samples of all shards. Missing, duplicate or overlapping shards are refused, "
        "and so are runs with different judges, settings or data."
    )
    command.add_argument(
        "results", nargs="+", metavar="RESULTS", help="folders or results_*.json files of the runs"
    )
    command.add_argument(
        "-o", "--output", required=True, type=Path, metavar="DIR", help="folder to write to"
    )
    command.add_argument(
        "--tasks", metavar="NAMES", help="tasks to merge, separated by commas (default: all)"
    )
    command.add_argument(
        "--latest",
        action="store_true",
        help="if a shard has several results, use the newest instead of refusing them",
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from ultrarm_eval.lm_eval_plugin.merged.files import write_merged
    from ultrarm_eval.runs.shards import read_shards

    tasks = None
    if options.tasks is not None:
        tasks = [name.strip() for name in options.tasks.split(",") if name.strip()]
    shards = read_shards(options.results, tasks, latest=options.latest)
    try:
        merged = write_merged(shards, options.output.expanduser())
    except OSError as error:
        raise ConfigurationError(
            f"-o {options.output}: cannot write the results there ({error.strerror}). Give a "
            "folder that you can write to."
        ) from error
    sys.stdout.write("\n".join(_told(shards, merged)) + "\n")
    return 0


def _told(shards: RunShards, merged: WrittenRun) -> Iterator[str]:
    from ultrarm_eval.lm_eval_plugin.merged.run import differing_in_words

    results = merged.run.results
    yield f"{merged.path}: {len(shards.runs)} runs of {shards.runs[0].model}"
    for task in merged.tasks[:_SHOWN]:
        main = next((key for key in task.figures if "," in key), "")
        value = task.figures.get(main)
        error = task.figures.get(main.replace(",", "_stderr,", 1))
        shown = f"{value:.4f}" if isinstance(value, float) else str(value)
        beside = f" ± {error:.4f}" if isinstance(error, float) else ""
        part = task.shards.part
        yield (
            f"  {task.shards.task}: {part.of} shards, {part.rows:,} rows, {task.documents:,} "
            f"documents, {main} {shown}{beside}"
        )
    if len(merged.tasks) > _SHOWN:
        yield f"  and {len(merged.tasks) - _SHOWN} more tasks"
    counts = results["config"].get("judge_counts")
    if counts:
        yield f"  scored: {judge_counts_in_words(counts)}"
    seconds = [one["scoring_seconds"] for one in results["merged_from"]["runs"]]
    if all(isinstance(one, int | float) for one in seconds):
        longest = f"{max(seconds):,.1f} s"
        yield f"  scoring time: {math.fsum(seconds):,.1f} s in total, longest run {longest}"
    for said in differing_in_words(merged.run.differing)[:_SHOWN]:
        yield f"  differs between runs: {said}"
    yield from shards.remarks[:_SHOWN]
    if len(shards.remarks) > _SHOWN:
        yield f"and {len(shards.remarks) - _SHOWN} more remarks"

"""`ultrarm-eval shard`: splits data into shards for a run on several machines."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ultrarm_eval.cli.data_options import add_data_place
from ultrarm_eval.errors import ConfigurationError


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    command.description = (
        "Splits data into shards, so that several machines can share a run. Shard 3 of 16 contains "
        "every sixteenth row, starting with the third. A job reads its shard with "
        '--metadata \'{"data": "DIR/part-00003-of-00016.jsonl"}\', and ultrarm-eval merge merges '
        "the results. If every job can read the complete data, no files are needed: "
        '--metadata \'{"shard": "3/16"}\' does the same.'
    )
    add_data_place(command)
    command.add_argument(
        "-n", "--number", required=True, type=int, metavar="N", help="number of shards"
    )
    command.add_argument(
        "-o", "--output", required=True, type=Path, metavar="DIR", help="folder to write to"
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from ultrarm_eval.data.shard_files import INDEX, write_parts
    from ultrarm_eval.plugins import registry
    from ultrarm_eval.sources.preference_data import open_any_rows

    folder: Path = options.output.expanduser()
    rows = open_any_rows(options.data, options.split, options.data_revision, registry().sources())
    try:
        index, was_there = write_parts(
            rows, options.number, folder, revision=options.data_revision, split=options.split
        )
    except OSError as error:
        raise ConfigurationError(
            f"-o {options.output}: cannot write the shards there ({error.strerror}). Give a folder "
            "that you can write to."
        ) from error
    names, parts = list(index.files), len(index.files)
    sizes = sorted({len(range(part, index.rows, parts)) for part in range(parts)})
    each = " or ".join(f"{size:,}" for size in sizes)
    sys.stdout.write(
        f"{folder}: {names[0]} to {names[-1]}, {index.rows:,} rows in total, {each} in each "
        f"shard{' (already written, unchanged)' if was_there else ''}\nSHA-256 of all rows: "
        f"{index.digest} (in {INDEX}; keep it beside the shards)\n"
    )
    return 0

"""`ultrarm-eval shard`: data in parts, for a run that is split over machines."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ultrarm_eval.cli.data_options import add_data_place
from ultrarm_eval.errors import ConfigurationError


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares what the command takes."""
    command.description = (
        "Writes data in parts: part 3 of 16 has every sixteenth row from the third on. A job reads "
        'its part by --metadata \'{"data": "DIR/part-00003-of-00016.jsonl"}\', and ultrarm-eval '
        "merge joins the results of all parts. Where every job can read the whole data, no files "
        'are needed: --metadata \'{"shard": "3/16"}\' does the same.'
    )
    add_data_place(command)
    command.add_argument(
        "-n", "--number", required=True, type=int, metavar="N", help="how many parts"
    )
    command.add_argument(
        "-o", "--output", required=True, type=Path, metavar="DIR", help="folder to write to"
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from ultrarm_eval.data.parts import INDEX, write_parts
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
            f"-o {options.output}: the parts cannot be written there ({error.strerror}). Give a "
            "folder that you may write to."
        ) from error
    names, parts = list(index.files), len(index.files)
    sizes = sorted({len(range(part, index.rows, parts)) for part in range(parts)})
    each = " or ".join(f"{size:,}" for size in sizes)
    sys.stdout.write(
        f"{folder}: {names[0]} to {names[-1]}, of {index.rows:,} rows {each} in each"
        f"{' (there already, and the same)' if was_there else ''}\n"
        f"SHA-256 of all rows: {index.digest} ({INDEX}; keep it beside the parts)\n"
    )
    return 0

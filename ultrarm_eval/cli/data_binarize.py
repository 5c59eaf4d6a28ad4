"""`ultrarm-eval data binarize`: chosen and rejected answers from rated completions."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import ultrarm_eval
from ultrarm_eval.cli.data_options import add_data_options, open_data, rules_of
from ultrarm_eval.errors import DataError
from ultrarm_eval.inspection.binarization import BinarizedRows, write_rows


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    command.description = (
        "Turns rated completions into pairs. Writes the schema of "
        "HuggingFaceH4/ultrafeedback_binarized (prompt, prompt_id, chosen, rejected, score_chosen, "
        "score_rejected), and where each pair comes from."
    )
    add_data_options(command)
    command.add_argument(
        "-o", "--output", required=True, type=Path, metavar="OUT", help="OUT.parquet or OUT.jsonl"
    )
    command.add_argument(
        "--pairs",
        default="all",
        metavar="CHOICE",
        help=(
            "all (default), best_vs_random (a top-rated answer and a random one rated lower) or "
            "best_vs_worst; the last two draw one pair per prompt"
        ),
    )
    command.add_argument(
        "--seed", type=int, default=0, help="random seed for drawing pairs (default: %(default)s)"
    )
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    rules, output = rules_of(options), options.output
    if _is_same_file(output, Path(options.data).expanduser()):
        raise DataError(f"{output}: this is the input file. Write to another file.")
    rows = BinarizedRows(open_data(options), rules, pairs=options.pairs, seed=options.seed)
    about = {
        "version": ultrarm_eval.__version__,
        "data": options.data,
        "revision": options.data_revision,
        "preference": rows.preference,
        "min_gap": float(rules.min_gap),
        "pairs": options.pairs,
        "seed": options.seed,
    }
    write_rows(rows, output, about)
    counts = rows.counts.as_dict()
    written = counts.pop("pairs_written")
    told = [
        f"{output}: {written:,} pairs ({rows.preference}, {options.pairs})",
        ", ".join(f"{name}={count}" for name, count in counts.items()),
        *rows.remarks(),
    ]
    sys.stdout.write("\n".join(told) + "\n")
    return 0


def _is_same_file(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:
        return False

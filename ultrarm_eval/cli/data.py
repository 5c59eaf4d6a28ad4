"""`ultrarm-eval data ...`: its commands and their arguments."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ultrarm_eval.rules import ComparisonRules, checked_min_gap


def add_data_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `data inspect` and `data binarize`."""
    data = commands.add_parser(
        "data",
        help="look into preference data, or turn ratings into pairs",
        description="Looks into preference data, or turns rated completions into pairs.",
    )
    actions = data.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_inspect(actions)
    _add_binarize(actions)


def _add_inspect(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = actions.add_parser(
        "inspect",
        help="what is in the data, what is usable, what is wrong",
        description=(
            "Reads every row and shows what is in the data, what is usable and what is wrong, by "
            "source, preference and model. Exit status 1 if a run on the data would be refused."
        ),
    )
    _add_common(command)
    command.add_argument("--format", choices=["text", "json"], default="text")
    command.set_defaults(run=_run_inspect)


def _add_binarize(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = actions.add_parser(
        "binarize",
        help="write chosen and rejected answers out of rated completions",
        description=(
            "Writes pairs in the schema of HuggingFaceH4/ultrafeedback_binarized (prompt, "
            "prompt_id, chosen, rejected, score_chosen, score_rejected), and where each is from."
        ),
    )
    _add_common(command)
    command.add_argument(
        "-o", "--output", required=True, type=Path, metavar="OUT", help="OUT.parquet or OUT.jsonl"
    )
    command.add_argument(
        "--pairs",
        default="all",
        metavar="CHOICE",
        help=(
            "all (default), best_vs_random (a top-rated answer and one rated lower) or "
            "best_vs_worst; one pair a prompt is drawn where several fit"
        ),
    )
    command.add_argument("--seed", type=int, default=0, help="of the draw (default: %(default)s)")
    command.set_defaults(run=_run_binarize)


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("data", metavar="DATA", help="file, folder, hub id, or 'demo'")
    command.add_argument(
        "--preference",
        help="the rating that orders pairs (UltraFeedback: fine_grained, overall or an aspect)",
    )
    command.add_argument("--min-gap", default="0", help="least difference in rating of a pair")
    command.add_argument(
        "--split", help="of a hub data set, or of a folder with several (default: train)"
    )
    command.add_argument("--revision", help="hub revision of the data")


def _rules(options: argparse.Namespace) -> ComparisonRules:
    return ComparisonRules(options.preference, min_gap=checked_min_gap(options.min_gap))


def _run_inspect(options: argparse.Namespace) -> int:
    from ultrarm_eval.cli.inspect import inspect_data

    text, is_usable = inspect_data(
        options.data, options.split, options.revision, _rules(options), form=options.format
    )
    sys.stdout.write(text)
    return 0 if is_usable else 1


def _run_binarize(options: argparse.Namespace) -> int:
    from ultrarm_eval.cli.binarize import binarize_data

    written = binarize_data(
        options.data,
        options.split,
        options.revision,
        _rules(options),
        pairs=options.pairs,
        seed=options.seed,
        output=options.output,
    )
    sys.stdout.write(written)
    return 0

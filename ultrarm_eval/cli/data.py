"""`ultrarm-eval data ...`: its commands and their arguments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ultrarm_eval.cli.kinds import add_kind, with_kind
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.rules import ComparisonRules, checked_min_gap

if TYPE_CHECKING:
    from ultrarm_eval.judges.base import Judge

_JUDGE_SETTINGS = {
    "template": str,
    "special_tokens": str,
    "system": str,
    "dtype": str,
    "device": str,
    "max_length": int,
    "batch_size": str,
    "score_store": str,
}


def add_data_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `data inspect` and `data binarize`."""
    data = commands.add_parser(
        "data",
        help="look into preference data, or turn ratings into pairs",
        description="Looks into preference data, or turns rated completions into pairs.",
    )
    actions = data.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_show(actions)
    _add_inspect(actions)
    _add_binarize(actions)


def _add_show(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = actions.add_parser(
        "show",
        help="rows as a person reads them: prompt, answers, ratings, pairs",
        description=(
            "Shows rows: the prompt, its answers with model, ratings, critique and rationales, the "
            "pairs that count, and why others do not, by the rules of the tasks. With a judge its "
            "rewards and ranks stand beside the ratings."
        ),
    )
    _add_common(command)
    chosen = command.add_mutually_exclusive_group()
    chosen.add_argument("--row", type=int, metavar="N", help="one row by its number, from 0")
    chosen.add_argument("--source", metavar="S", help="the first rows of a source")
    chosen.add_argument(
        "--disagree",
        metavar="DIR",
        help=(
            "the rows that a run's judge orders most wrongly, from the samples that lm_eval wrote "
            "there (--output_path, --log_samples)"
        ),
    )
    command.add_argument(
        "--limit", type=int, default=3, metavar="N", help="the most rows (default: %(default)s)"
    )
    command.add_argument("--full", action="store_true", help="cut no text")
    command.add_argument("--format", choices=["text", "json"], default="text")
    command.add_argument(
        "--judge",
        metavar="JUDGE",
        help="judge the answers: a checkpoint (folder, hub id, 'demo'), or a registered judge",
    )
    command.add_argument("--pretrained", metavar="DIR", help="the judge's checkpoint")
    add_kind(command)
    for name, kind in _JUDGE_SETTINGS.items():
        command.add_argument(f"--{name.replace('_', '-')}", type=kind, help="of the judge")
    command.set_defaults(run=_run_show)


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


def _run_show(options: argparse.Namespace) -> int:
    from ultrarm_eval.cli.forms import write_to_terminal
    from ultrarm_eval.cli.show import Choice, show_data

    written = show_data(
        options.data,
        options.split,
        options.revision,
        _rules(options),
        Choice(options.row, options.source, options.disagree, options.limit),
        _judge(options),
        form=options.format,
        full=options.full,
    )
    write_to_terminal(written)
    return 0


def _judge(options: argparse.Namespace) -> Callable[[], Judge] | None:
    """Loads the judge that is named, by its checkpoint or by the name it is registered under."""
    from ultrarm_eval.judges.loading import load_judge
    from ultrarm_eval.plugins import registry

    given = {name: getattr(options, name) for name in _JUDGE_SETTINGS}
    settings: dict[str, Any] = {name: v for name, v in given.items() if v is not None}
    kind, pretrained = options.kind, options.pretrained
    if options.judge in registry().judges:
        if kind not in (None, options.judge):
            raise ConfigurationError(
                f"--judge {options.judge} and --kind {kind} name two kinds of judge. Leave one of "
                "them out."
            )
        kind = options.judge
    elif options.judge is not None:
        if pretrained is not None:
            raise ConfigurationError(
                f"--judge {options.judge} and --pretrained {pretrained} name two checkpoints "
                f"({options.judge!r} is no registered judge). Leave one of them out."
            )
        pretrained = options.judge
    if kind is None and pretrained is None:
        if settings or options.judge_args:
            named = ", ".join(f"--{n.replace('_', '-')}" for n in settings) or "--judge-args"
            raise ConfigurationError(f"{named}: this is for a judge; name one with --judge.")
        return None
    # `--revision` is the data's here; the judge's is among --judge-args.
    asked = argparse.Namespace(kind=kind, judge_args=options.judge_args, revision=None)
    chosen = with_kind(asked, pretrained or "", settings)
    return lambda: load_judge(pretrained, **chosen)


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

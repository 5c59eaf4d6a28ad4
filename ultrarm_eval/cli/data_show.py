"""`ultrarm-eval data show`: rows of preference data in readable form, or as JSON."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ultrarm_eval.cli.data_options import add_data_options, open_data, rules_of
from ultrarm_eval.cli.judge_options import SCORING, add_judge_options, judge_if_any
from ultrarm_eval.cli.output import write_to_terminal
from ultrarm_eval.cli.row_text import ShownRows, as_number, judged, plain, rows_as_text
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.inspection.row_choice import first_rows, numbered_row, rows_of_source
from ultrarm_eval.inspection.row_view import CompletionView, PairView, RowView, judge_rows, view_row
from ultrarm_eval.judges.base import judge_name
from ultrarm_eval.judges.judgements import judgements_of, texts_from
from ultrarm_eval.judges.loading import load_weights
from ultrarm_eval.rules import ComparisonRules
from ultrarm_eval.sources.preference_data import PreferenceData

if TYPE_CHECKING:
    from ultrarm_eval.judges.base import Judge

# Characters of a text that are shown where not all are asked for.
_MOST_CHARACTERS = 1000
# `--revision` is the data's here; the judge's is among --judge-args.
_SETTINGS = tuple(name for name in SCORING if name != "revision")


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    command.description = (
        "Shows rows of preference data: the prompt, the answers with model, ratings, critiques and "
        "rationales, which pairs count, and why the others do not. With a judge, its rewards and "
        "ranks are shown beside the ratings."
    )
    add_data_options(command)
    chosen = command.add_mutually_exclusive_group()
    chosen.add_argument("--row", type=int, metavar="N", help="row number, counted from 0")
    chosen.add_argument("--source", metavar="S", help="first rows of source S")
    chosen.add_argument(
        "--disagree",
        metavar="DIR",
        help=(
            "rows on which a run's judge disagrees most with the ratings, from the samples in DIR "
            "(lm_eval --output_path DIR --log_samples)"
        ),
    )
    command.add_argument(
        "--limit",
        type=int,
        default=3,
        metavar="N",
        help="show at most N rows (default: %(default)s)",
    )
    command.add_argument("--full", action="store_true", help="show texts in full")
    command.add_argument(
        "--format",
        choices=["text", "json"],
        default="text",
        help="text for a terminal, json for scripts (default: %(default)s)",
    )
    add_judge_options(command, _SETTINGS)
    command.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    rules, load_judge = rules_of(options), _judge_loader(options)
    if options.limit < 1:
        raise ConfigurationError(f"--limit {options.limit}: give a number of rows of at least 1.")
    data = open_data(options)
    if options.disagree is None:
        shown = _chosen(data, rules, options, load_judge)
    elif load_judge is not None:
        raise ConfigurationError(
            "--disagree shows the rewards recorded in the run's samples, so it takes no judge. "
            "Leave the judge out, or show the rows with --row and --judge."
        )
    elif rules != ComparisonRules():
        raise ConfigurationError(
            "--disagree uses the preference and smallest gap of its run. Leave --preference and "
            "--min-gap out."
        )
    else:
        shown = _disagreeing(data, options.disagree, options.limit)
    if options.format == "json":
        text = json.dumps(_as_json(shown), indent=2, default=str) + "\n"
    else:
        text = rows_as_text(shown, None if options.full else _MOST_CHARACTERS)
    write_to_terminal(text)
    return 0


def _judge_loader(options: argparse.Namespace) -> Callable[[], Judge] | None:
    """Returns a loader of the judge that the options name; None if they name none."""
    choice = judge_if_any(options)
    if choice is None:
        given = [name for name in _SETTINGS if getattr(options, name) is not None]
        if given or options.judge_args:
            named = ", ".join(f"--{name.replace('_', '-')}" for name in given) or "--judge-args"
            raise ConfigurationError(
                f"{named}: this option needs a judge. Name one with --pretrained or --judge."
            )
        return None

    def load() -> Judge:
        judge = choice.make()
        load_weights(judge)
        return judge

    return load


def _chosen(
    data: PreferenceData,
    rules: ComparisonRules,
    options: argparse.Namespace,
    load_judge: Callable[[], Judge] | None,
) -> ShownRows:
    """The rows that the options name, judged if there is a judge."""
    remarks = []
    if options.row is not None:
        chosen, kind = numbered_row(data, options.row), "rows"
    elif options.source is not None:
        chosen = rows_of_source(data, options.source, options.limit)
        kind = f"rows of source {options.source!r}"
    else:
        chosen, kind = first_rows(data, options.limit), "rows"
    if chosen.unreadable:
        remarks.append(
            f"{chosen.unreadable:,} rows cannot be read; ultrarm-eval data inspect lists them."
        )
    views = [view_row(data, index, rules) for index in chosen.rows]
    judge = None
    # Rows that cannot be shown are told before the weights are loaded.
    if load_judge is not None:
        judge = loaded = load_judge()
        with texts_from([view.where for view in views for _ in view.completions]):
            views = judge_rows(views, lambda prompts, texts: _scored(loaded, prompts, texts))
    return ShownRows(data, views, chosen.total, kind, _said_of(judge), remarks)


def _disagreeing(data: PreferenceData, results: str, limit: int) -> ShownRows:
    """The rows on which the judge of a run disagrees most with the ratings, with its rewards."""
    from ultrarm_eval.inspection.disagreement import find_disagreements

    found = find_disagreements(data, results)
    worst = found.found[:limit]
    views = [view_row(data, one.row, one.rules).with_rewards(one.rewards) for one in worst]
    remarks = [
        f"{found.documents:,} rows of this data are in the samples; on {len(found.found):,} of "
        "them the judge ranks a pair differently than the ratings, most confident first."
    ]
    if found.unmatched:
        remarks.append(f"{found.unmatched:,} sampled documents are not in this data.")
    if found.damaged:
        remarks.append(f"{found.damaged:,} damaged sample lines are skipped.")
    kind = "rows that the judge ranks differently than the ratings"
    return ShownRows(data, views, len(found.found), kind, {"name": found.judge}, remarks)


def _scored(judge: Judge, prompts: Sequence[Any], texts: Sequence[str]) -> list[float]:
    return [judgement.reward for judgement in judgements_of(judge, prompts, texts)]


def _said_of(judge: Judge | None) -> dict[str, Any] | None:
    return None if judge is None else {"name": judge_name(judge), **judge.settings()}


def _as_json(shown: ShownRows) -> dict[str, Any]:
    return {
        "data": shown.data.origin,
        "schema": shown.data.source.name,
        "rows": len(shown.data.rows),
        "columns": shown.columns,
        "judge": shown.judge,
        "total": shown.total,
        "more": shown.total - len(shown.views),
        "remarks": list(shown.remarks),
        "documents": [_row_as_json(view) for view in shown.views],
    }


def _row_as_json(view: RowView) -> dict[str, Any]:
    return {
        "row": view.where.row,
        "line": view.where.line,
        "source": view.source,
        "preference": view.preference,
        "prompt": [dict(message) for message in view.prompt],
        "completions": [
            _completion_as_json(number, completion)
            for number, completion in enumerate(view.completions)
        ],
        "pairs": [_pair_as_json(view, pair) for pair in view.pairs],
        "pairs_left_out": [dataclasses.asdict(one) for one in view.no_pairs],
        "left_out": list(view.left_out),
        "why": dict(view.why),
        "error": view.error,
        "counts": dict(view.counts),
        "fields": plain(view.fields),
    }


def _completion_as_json(number: int, completion: CompletionView) -> dict[str, Any]:
    notes = dict(completion.notes)
    return {
        "completion": number,
        "text": completion.text,
        "length": len(completion.text),
        "model": completion.model,
        "rating": as_number(completion.rating),
        "rank_by_rating": completion.rank_by_rating,
        "ratings": {name: as_number(rating) for name, rating in completion.ratings.items()},
        "left_out": completion.left_out,
        "reward": completion.reward,
        "rank": completion.rank,
        "critique": notes.pop("critique", None),
        "principle": notes.pop("principle", None),
        "rationales": notes,
    }


def _pair_as_json(view: RowView, pair: PairView) -> dict[str, Any]:
    margin = view.margin(pair)
    return {
        "chosen": pair.chosen,
        "rejected": pair.rejected,
        "gap": as_number(pair.gap),
        "identical_answers": pair.identical,
        "margin": margin,
        "judged": None if margin is None else judged(margin),
    }

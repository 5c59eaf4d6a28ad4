"""A report as a page."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from ultrarm_eval.report.charts import charts_of
from ultrarm_eval.report.facts import Fact
from ultrarm_eval.report.overview import (
    count_label,
    distinct_figures,
    facts_of_task,
    overview,
    tiles,
    warnings,
)
from ultrarm_eval.report.pair_choice import ANY, CLOSE, DISAGREEMENT, LOSS, MISTAKE
from ultrarm_eval.report.pairs import ShownPair, ShownText, SideTokens
from ultrarm_eval.report.report import JudgeReport, Report
from ultrarm_eval.report.slices import Slice
from ultrarm_eval.report.task_report import TaskReport
from ultrarm_eval.runs.sample import REFERENCE
from ultrarm_eval.show.formats import count
from ultrarm_eval.show.page import render_page

# A chart of fewer pairs would show noise.
_FEWEST_PAIRS = 10
# Only the tasks with most documents have charts: a page with more would be slow to open.
_MOST_CHARTED = 40
# Significant digits of a token's reward.
_DIGITS = 5
_MOST_AT_HEAD = 4
_FACTS_AT_HEAD = ("data", "hash of the documents (SHA-256)", "documents")
_LEFT_OUT = ("left_out", "without", "damaged")
_CHOSEN = {
    DISAGREEMENT: "the pairs on which judges disagree most",
    MISTAKE: "the most confident mistakes",
    LOSS: "the clearest losses",
    CLOSE: "the smallest margins",
    ANY: "a random sample",
}


def as_page(report: Report) -> str:
    """The report as one HTML file that loads nothing."""
    kinds = {task.kind for judge in report.judges for task in judge.tasks}
    has_judged = kinds != {None}
    return render_page(
        "report.html.jinja",
        scripts=("theme.js", "report.js"),
        data={"pairs": [_pair(pair) for pair in report.pairs]},
        title=f"Report: {report.title}",
        subtitle=(
            "How the judge behaves: accuracy, margins, calibration, length bias, and pairs to read."
            if has_judged
            else "Results measured by lm-evaluation-harness."
        ),
        judges=[_judge(judge, i, len(report.judges)) for i, judge in enumerate(report.judges)],
        has_judged=has_judged,
        has_references=REFERENCE in kinds,
        has_pairs=bool(report.pairs),
        pairs_note=_pairs_note(report),
    )


def _judge(judge: JudgeReport, index: int, judges: int) -> dict[str, Any]:
    charted = max(1, _MOST_CHARTED // judges)
    ids = [f"t{index}-{n}" for n in range(len(judge.tasks))]
    rows = overview(judge)
    # Groups come first, and have no section.
    links = [None] * (len(rows) - len(ids)) + ids
    return {
        "label": judge.label,
        "warnings": list(warnings(judge.tasks)),
        "tiles": list(tiles(judge.tasks[0])),
        "overview": list(zip(rows, links, strict=True)),
        "facts": [*_data_facts(judge.tasks), *judge.facts],
        "tasks": [
            _task(task, name, is_first=n == 0, may_be_charted=n < charted)
            for n, (task, name) in enumerate(zip(judge.tasks, ids, strict=True))
        ],
        "remarks": judge.remarks,
    }


def _data_facts(tasks: Sequence[TaskReport]) -> Iterator[Fact]:
    """The data and what was excluded from them; with many tasks this stands with each task."""
    if len(tasks) > _MOST_AT_HEAD:
        return
    for task in tasks:
        of_task = f", {task.title}" if len(tasks) > 1 else ""
        for fact in facts_of_task(task):
            if fact.name in _FACTS_AT_HEAD:
                yield Fact(f"{fact.name}{of_task}", fact.value)
        excluded = [
            f"{count_label(name)} {count(value)}"
            for name, value in task.counts.items()
            if value and any(word in name for word in _LEFT_OUT)
        ]
        # Of a task of another package it is not known.
        if excluded or task.kind is not None:
            yield Fact(f"excluded{of_task}", ", ".join(excluded) or "nothing")


def _task(task: TaskReport, name: str, *, is_first: bool, may_be_charted: bool) -> dict[str, Any]:
    pairs = 0 if task.pooled is None else task.pooled.pairs or 0
    charted = pairs >= _FEWEST_PAIRS and may_be_charted
    return {
        "id": name,
        "title": task.title,
        "open": is_first,
        "remarks": task.remarks,
        "charts": list(charts_of(task, name)) if charted else [],
        "value_name": task.value_name,
        "span": _span(task.shown_slices),
        "small_slices": task.small_slices_note,
        "rule": None if task.overall is None else task.overall.accuracy,
        "slices": [
            (dimension, [(part, task.figure_of(part)) for part in parts])
            for dimension, parts in itertools.groupby(task.shown_slices, key=lambda s: s.dimension)
        ],
        "figures": distinct_figures(task),
        "about": facts_of_task(task),
    }


def _span(parts: Sequence[Slice]) -> tuple[float, float]:
    """The range of a table's bars, narrow enough for differences to be visible."""
    lows = [part.interval.low for part in parts if part.interval is not None]
    return max(0.0, math.floor(10 * min(lows, default=0.0)) / 10), 1.0


def _pairs_note(report: Report) -> str:
    reasons = {pair.reason for pair in report.pairs}
    *most, last = [words for reason, words in _CHOSEN.items() if reason in reasons] or [""]
    named = f"{', '.join(most)} and {last}" if most else last
    note = f"{named[:1].upper()}{named[1:]}; at most one pair per document for each of these."
    if DISAGREEMENT in reasons:
        note += " Where judges disagree, both rewards are shown."
    if any(pair.tokens is not None for pair in report.pairs):
        note += (
            " Highlighted tokens raised or lowered the reward; hover over a token or tap it to see "
            "the reward after it."
        )
    if report.pairs_left_out:
        note += f" {count(report.pairs_left_out)} more did not fit on the page."
    return note


def _pair(pair: ShownPair) -> dict[str, Any]:
    """A pair as the page's script reads it."""
    data: dict[str, Any] = {
        "task": pair.task,
        "kind": pair.kind,
        "reason": pair.reason,
        "document": pair.document,
        "parts": [[name, value] for name, value in pair.parts.items()],
        "gap": pair.gap,
        "rewards": [[judge, *rewards] for judge, rewards in pair.rewards.items()],
        "prompt": [_text(turn) for turn in pair.prompt],
        "chosen": _text(pair.chosen),
        "rejected": _text(pair.rejected),
    }
    if pair.tokens is not None:
        data["tokens"] = [_tokens(side) for side in pair.tokens]
    return data


def _text(text: ShownText) -> dict[str, Any]:
    return {"text": text.text, "size": text.length, "name": text.name}


def _tokens(side: SideTokens) -> dict[str, Any]:
    return {
        "tokens": side.tokens,
        "rewards": [_number(reward) for reward in side.rewards],
        "changes": [_number(change) for change in side.changes],
        "cut": side.cut,
    }


def _number(value: float | None) -> float | None:
    # JSON has no infinities.
    return None if value is None or not math.isfinite(value) else round(value, _DIGITS)

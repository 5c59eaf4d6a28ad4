"""A report as a page."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ultrarm_eval.analysis.slices import Slice
from ultrarm_eval.pages.page import count, percent, render_page
from ultrarm_eval.report.charts import charts_of
from ultrarm_eval.report.contents import JudgeReport, Report
from ultrarm_eval.report.facts import Fact
from ultrarm_eval.report.shown_pairs import ShownPair, ShownText, SideTokens
from ultrarm_eval.report.task_report import TaskReport
from ultrarm_eval.report.wording import (
    about,
    between,
    headline,
    is_share,
    value_name,
    warnings,
    worded,
)
from ultrarm_eval.statistics.intervals import Interval

# A chart of fewer pairs shows accidents.
_FEWEST_PAIRS = 10
# The tasks with most documents have their charts; a page of all would not open at once.
_MOST_CHARTED = 40
_MOST_AT_HEAD = 4


def as_page(report: Report) -> str:
    """The report as one HTML file that loads nothing."""
    return render_page(
        "report.html.jinja",
        scripts=("theme.js", "report.js"),
        data={"pairs": [_pair(pair) for pair in report.pairs]},
        title=f"Report: {report.title}",
        subtitle="How a judge behaves: accuracy, margins, calibration, length, and what to read.",
        judges=[_judge(judge, i, len(report.judges)) for i, judge in enumerate(report.judges)],
        has_pairs=bool(report.pairs),
        pairs_note=_pairs_note(report),
    )


def _judge(judge: JudgeReport, index: int, judges: int) -> dict[str, Any]:
    charted = max(1, _MOST_CHARTED // judges)
    return {
        "label": judge.label,
        "warnings": list(warnings(judge.tasks)),
        "tiles": list(_tiles(judge.tasks)),
        "overview": [*_groups(judge), *(_overview(task) for task in judge.tasks)],
        "facts": [*_data_facts(judge.tasks), *judge.facts],
        "tasks": [
            _task(task, f"t{index}-{n}", is_first=n == 0, may_be_charted=n < charted)
            for n, task in enumerate(judge.tasks)
        ],
        "remarks": judge.remarks,
    }


def _tiles(tasks: Sequence[TaskReport]) -> Iterator[dict[str, str]]:
    """The figures of the task with most documents, or nothing where it has none."""
    task = tasks[0]
    quoted = headline(task)
    if quoted is None:
        return
    metric, value, interval = quoted
    yield _tile(f"{metric}, {task.title}", worded(value, metric), between(interval, metric))
    if task.pooled is not None:
        yield _tile(
            f"over all {task.pooled.pairs} pairs",
            percent(task.pooled.accuracy),
            between(task.pooled.interval, "acc"),
        )
    if task.lengths is not None:
        lengths = task.lengths
        yield _tile(
            "picking the longest",
            percent(lengths.pick_longest),
            between(lengths.pick_longest_interval, "acc"),
        )
        if lengths.length_controlled is not None:
            yield _tile(
                "length-controlled",
                percent(lengths.length_controlled),
                between(lengths.length_controlled_interval, "acc"),
            )
    if task.calibration is not None:
        chance = f"by chance {100 * task.calibration.error_by_chance:.1f}"
        yield _tile("calibration error", f"{100 * task.calibration.error:.1f} points", chance)
    if task.margins is not None and task.pooled is not None and task.pooled.pairs:
        ties = task.margins.ties
        yield _tile("ties", percent(ties / task.pooled.pairs), f"{ties} of {task.pooled.pairs}")


def _tile(label: str, figure: str, beside: str) -> dict[str, str]:
    return {"label": label, "figure": figure, "beside": beside}


def _data_facts(tasks: Sequence[TaskReport]) -> Iterator[Fact]:
    """The data and what was left out of them; of many tasks it stands with each."""
    if len(tasks) > _MOST_AT_HEAD:
        return
    for task in tasks:
        of_task = f", {task.title}" if len(tasks) > 1 else ""
        for name, value in about(task):
            if name in ("data", "digest of the documents (SHA-256)", "documents"):
                yield Fact(f"{name}{of_task}", value)
        left_out = [
            f"{name.replace('_', ' ')} {count(value)}"
            for name, value in task.counts.items()
            if any(word in name for word in ("left_out", "without", "damaged"))
        ]
        yield Fact(f"left out{of_task}", ", ".join(left_out) or "nothing")


def _groups(judge: JudgeReport) -> Iterator[dict[str, Any]]:
    for title, figures in judge.groups.items():
        task = TaskReport(title, title, None, None, figures, {}, {}, {}, False, {})
        main = next((f for f in figures if f.metric == "acc"), figures[0] if figures else None)
        if main is not None:
            yield _row(task, (main.metric, main.value, None), "group")


def _overview(task: TaskReport) -> dict[str, Any]:
    marks = [
        name
        for name, holds in (("in-sample", task.in_sample), ("partial", bool(task.partial)))
        if holds
    ]
    return _row(task, headline(task), ", ".join(marks))


def _row(
    task: TaskReport, quoted: tuple[str, float, Interval | None] | None, mark: str
) -> dict[str, Any]:
    metric, value, interval = quoted or ("", None, None)
    return {
        "title": task.title,
        "mark": mark,
        "metric": metric,
        "value": worded(value, metric),
        "interval": between(interval, metric),
        "bar": _bar(value, interval) if is_share(metric) else None,
        "documents": task.data.get("documents"),
        "pairs": None if task.pooled is None else task.pooled.pairs,
        "ties": None if task.margins is None else task.margins.ties,
        "longest": None if task.lengths is None else task.lengths.pick_longest,
    }


def _task(task: TaskReport, name: str, *, is_first: bool, may_be_charted: bool) -> dict[str, Any]:
    pairs = 0 if task.pooled is None else task.pooled.pairs or 0
    charted = pairs >= _FEWEST_PAIRS and may_be_charted
    metric = value_name(task)
    return {
        "title": task.title,
        "open": is_first,
        "remarks": task.remarks,
        "charts": list(charts_of(task, name)) if charted else [],
        "value_name": metric,
        "span": _span(task.slices),
        "rule": None if task.overall is None else task.overall.accuracy,
        "slices": [
            {"dimension": dimension, "parts": [_part(part, metric) for part in parts]}
            for dimension, parts in itertools.groupby(task.slices, key=lambda s: s.dimension)
        ],
        "figures": task.figures,
        "about": [Fact(fact, value) for fact, value in about(task)],
    }


def _span(parts: Sequence[Slice]) -> tuple[float, float]:
    """What the bars of a table reach over, so that differences can be seen."""
    lows = [part.interval.low for part in parts if part.interval is not None]
    return max(0.0, math.floor(10 * min(lows, default=0.0)) / 10), 1.0


def _part(part: Slice, value_name: str) -> dict[str, Any]:
    # Accuracies and win rates are shares; the documents of other tasks have any values.
    metric = "acc" if value_name in ("accuracy", "win rate") else value_name
    return {
        "name": part.name,
        "value": worded(part.accuracy, metric),
        "interval": between(part.interval, metric),
        "bar": _bar(part.accuracy, part.interval) if is_share(metric) else None,
        "documents": part.documents,
        "pairs": part.pairs,
    }


def _bar(value: float | None, interval: Interval | None) -> Mapping[str, float] | None:
    if value is None or interval is None:
        return None
    return {"low": interval.low, "value": value, "high": interval.high}


def _pair(pair: ShownPair) -> dict[str, Any]:
    shown: dict[str, Any] = {
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
        shown["tokens"] = [_tokens(side) for side in pair.tokens]
    return shown


def _text(text: ShownText) -> dict[str, Any]:
    return {"text": text.text, "size": text.length, "name": text.name}


def _tokens(side: SideTokens) -> dict[str, Any]:
    return {
        "tokens": side.tokens,
        "rewards": [None if r is None else round(r, 5) for r in side.rewards],
        "changes": [None if c is None else round(c, 5) for c in side.changes],
    }


def _pairs_note(report: Report) -> str:
    note = (
        "The most confident mistakes, the smallest margins and some drawn at random; of one "
        "document at most one for each."
    )
    if len(report.judges) > 1:
        note += " Where judges disagree, both rewards are shown."
    if any(pair.tokens is not None for pair in report.pairs):
        note += (
            " Coloured words moved the reward up or down; what it was after a word shows when the "
            "pointer rests on it."
        )
    if report.pairs_left_out:
        note += f" {report.pairs_left_out} more did not fit into the page."
    return note

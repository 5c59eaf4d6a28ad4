"""A report as Markdown: the tables, without charts and pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ultrarm_eval.report.overview import (
    OverviewRow,
    distinct_figures,
    facts_of_task,
    overview,
    warnings,
)
from ultrarm_eval.report.report import JudgeReport, Report
from ultrarm_eval.report.slices import Slice
from ultrarm_eval.report.task_report import TaskReport
from ultrarm_eval.runs.sample import REFERENCE
from ultrarm_eval.show.formats import (
    count,
    figure_interval,
    figure_value,
    interval,
    number,
    percent,
)
from ultrarm_eval.show.table import Table
from ultrarm_eval.show.text import markdown


def as_markdown(report: Report) -> str:
    """The report as Markdown."""
    lines = [f"# Report: {markdown(report.title)}", ""]
    for judge in report.judges:
        lines += _judge(judge, several=len(report.judges) > 1)
    return "\n".join(lines).rstrip() + "\n"


def _judge(judge: JudgeReport, *, several: bool) -> Iterator[str]:
    if several:
        yield from (f"## {markdown(judge.label)}", "")
    for warning in warnings(judge.tasks):
        yield from (f"> {markdown(warning)}", "")
    head = (
        "task",
        "metric",
        "value",
        "95 % interval",
        "documents",
        "pairs",
        "ties",
        "longest-answer baseline",
    )
    yield Table(head, 2, [_overview(row) for row in overview(judge)]).as_markdown()
    for remark in judge.remarks:
        yield from (markdown(remark), "")
    made = [(fact.name, fact.value) for fact in judge.facts]
    yield Table(("how these results were made", ""), 2, made).as_markdown()
    for task in judge.tasks:
        yield from _task(task)


def _overview(row: OverviewRow) -> Sequence[str]:
    return (
        f"{row.title} ({row.mark})" if row.mark else row.title,
        "" if row.figure is None else row.figure.name,
        figure_value(row.figure),
        figure_interval(row.figure),
        count(row.documents),
        count(row.pairs),
        count(row.ties),
        percent(row.pick_longest),
    )


def _task(task: TaskReport) -> Iterator[str]:
    yield from (f"### {markdown(task.title)}", "")
    for remark in task.remarks:
        yield from (f"> {markdown(remark)}", "")
    parts = [_part(task, part) for part in task.shown_slices]
    head = ("by", "subset", task.value_name, "95 % interval", "documents", "pairs")
    yield from _if_any(Table(head, 2, parts))
    if task.small_slices_note:
        yield from (task.small_slices_note, "")
    yield from _if_any(Table(("behavior", ""), 2, list(_behaviour(task))))
    if task.ranks is not None:
        ranks = [
            (str(row + 1), *map(percent, shares)) for row, shares in enumerate(task.ranks.shares)
        ]
        by_reward = [f"rank {row} by reward" for row, *_ in ranks]
        yield Table(("rank by rating", *by_reward), 1, ranks).as_markdown()
    figures = [
        (one.name, one.filter, number(one.value, 4), number(one.stderr, 4))
        for one in distinct_figures(task)
    ]
    yield from _if_any(Table(("metric", "filter", "value", "standard error"), 2, figures))
    facts = [(fact.name, fact.value) for fact in facts_of_task(task)]
    yield Table(("data and counts", ""), 2, facts).as_markdown()


def _part(task: TaskReport, part: Slice) -> Sequence[str]:
    found = task.figure_of(part)
    counts = count(part.documents), count(part.pairs)
    return (part.dimension, part.name, figure_value(found), figure_interval(found), *counts)


def _behaviour(task: TaskReport) -> Iterator[tuple[str, str]]:
    pooled, margins, calibration, lengths = (
        task.pooled_apart,
        task.margins,
        task.calibration,
        task.lengths,
    )
    if pooled is not None:
        between = interval(pooled.interval, True)
        yield f"{task.value_name} pooled over all pairs", f"{percent(pooled.accuracy)} ({between})"
    if margins is not None:
        won, lost = ("won", "lost") if task.kind == REFERENCE else ("correct", "incorrect")
        yield "mean margin", number(margins.mean)
        yield f"median margin, {won} pairs", number(margins.median_right)
        yield f"median margin, {lost} pairs", number(margins.median_wrong)
    if calibration is not None:
        error, chance = calibration.error, calibration.error_by_chance
        yield (
            "expected calibration error",
            f"{percent(error)} ({percent(chance)} expected from chance)",
        )
        yield "best-fit temperature", number(calibration.temperature)
    if lengths is not None:
        between = interval(lengths.length_controlled_interval, True)
        yield (
            f"length-controlled {task.value_name}",
            f"{percent(lengths.length_controlled)} ({between})",
        )
        yield "longer answer preferred", percent(lengths.follows_length)
        yield "Spearman's correlation of reward and length", number(lengths.correlation)


def _if_any(table: Table) -> Iterator[str]:
    if table.rows:
        yield table.as_markdown()

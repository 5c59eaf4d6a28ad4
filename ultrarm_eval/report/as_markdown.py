"""A report as Markdown: figures without charts and texts."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Sequence

from ultrarm_eval.report.contents import JudgeReport, Report
from ultrarm_eval.report.overview import OverviewRow, facts_of_task, overview, quoted
from ultrarm_eval.report.slices import Slice
from ultrarm_eval.report.task_report import TaskReport
from ultrarm_eval.report.wording import between, distinct_figures, value_name, warnings
from ultrarm_eval.show.markdown import escaped, table
from ultrarm_eval.show.page import count, number, percent


def as_markdown(report: Report) -> str:
    """The report as Markdown."""
    lines = [f"# Report: {escaped(report.title)}", ""]
    for judge in report.judges:
        lines += _judge(judge, several=len(report.judges) > 1)
    return "\n".join(lines).rstrip() + "\n"


def _judge(judge: JudgeReport, *, several: bool) -> Iterator[str]:
    if several:
        yield from (f"## {escaped(judge.label)}", "")
    for warning in warnings(judge.tasks):
        yield from (f"> {escaped(warning)}", "")
    yield from table(
        ("task", "figure", "value", "95 % interval", "documents", "pairs", "ties", "pick longest"),
        map(_overview, overview(judge)),
        numbers=(2, 3, 4, 5, 6, 7),
    )
    for remark in judge.remarks:
        yield from (escaped(remark), "")
    yield from table(("how it was made", ""), [(f.name, f.value) for f in judge.facts])
    for task in judge.tasks:
        yield from _task(task)


def _overview(row: OverviewRow) -> Sequence[str]:
    return (
        f"{row.title} ({row.mark})" if row.mark else row.title,
        row.quoted.name,
        row.quoted.value,
        row.quoted.interval,
        count(row.documents),
        count(row.pairs),
        count(row.ties),
        percent(row.pick_longest),
    )


def _task(task: TaskReport) -> Iterator[str]:
    yield from (f"### {escaped(task.title)}", "")
    for remark in task.remarks:
        yield from (f"> {escaped(remark)}", "")
    name = value_name(task)
    if task.shown_slices:
        yield from table(
            ("by", "part", name, "95 % interval", "documents", "pairs"),
            map(functools.partial(_part, name), task.shown_slices),
            numbers=(2, 3, 4, 5),
        )
    if task.small_slices_note:
        yield from (task.small_slices_note, "")
    yield from _behaviour(task)
    if task.ranks is not None:
        size = task.ranks.completions
        yield from table(
            ("rank by rating", *(f"rank {i + 1} by reward" for i in range(size))),
            [
                (str(row + 1), *map(percent, task.ranks.shares[row]))
                for row in range(task.ranks.completions)
            ],
            numbers=range(1, size + 1),
        )
    yield from _if_any(
        ("figure", "filter", "value", "standard error"),
        [
            (name, f.filter, number(f.value, 4), number(f.stderr, 4))
            for name, f in distinct_figures(task)
        ],
        numbers=(2, 3),
    )
    yield from table(("data and counts", ""), [(f.name, f.value) for f in facts_of_task(task)])


def _part(name: str, part: Slice) -> Sequence[str]:
    found = quoted(name, part.accuracy, part.interval)
    counts = count(part.documents), count(part.pairs)
    return (part.dimension, part.name, found.value, found.interval, *counts)


def _behaviour(task: TaskReport) -> Iterator[str]:
    rows: list[tuple[str, str]] = []
    pooled = task.pooled_apart
    if pooled is not None:
        interval = between(pooled.interval, "acc")
        rows.append(("over all pairs", f"{percent(pooled.accuracy)} ({interval})"))
    if task.margins is not None:
        rows += [
            ("margin, mean over pairs", number(task.margins.mean)),
            ("margin, median of right pairs", number(task.margins.median_right)),
            ("margin, median of wrong pairs", number(task.margins.median_wrong)),
        ]
    if task.calibration is not None:
        error, chance = task.calibration.error, task.calibration.error_by_chance
        rows += [
            ("expected calibration error", f"{percent(error)} (by chance {percent(chance)})"),
            ("temperature that fits best", number(task.calibration.temperature)),
        ]
    if task.lengths is not None:
        controlled = between(task.lengths.length_controlled_interval, "acc")
        rows += [
            (
                "length-controlled",
                f"{percent(task.lengths.length_controlled)} ({controlled})",
            ),
            ("prefers the longer answer", percent(task.lengths.follows_length)),
            ("correlation of reward and length", number(task.lengths.correlation)),
        ]
    yield from _if_any(("behaviour", ""), rows)


def _if_any(
    head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Collection[int] = ()
) -> Iterator[str]:
    if rows:
        yield from table(head, rows, numbers)

"""A comparison as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ultrarm_eval.compare.compared_tasks import Part
from ultrarm_eval.compare.comparison import AgreementRow, Comparison, Row
from ultrarm_eval.compare.conclusions import amount_of, is_shown, number_of
from ultrarm_eval.compare.statements import Statement, small_parts_note, statements
from ultrarm_eval.show.page import percent, render_page
from ultrarm_eval.stats.intervals import Interval

_TESTS = {
    "mcnemar": "McNemar's exact test",
    "sign-flip": "sign-flip test",
    "unpaired z": "z test, unpaired",
}
_ALL = "all documents"


@dataclass(frozen=True)
class ShownRow:
    """A difference as the page shows it.

    Attributes:
        row: The difference.
        part: What it is over.
        is_whole: Whether that is the whole task.
        figure_a: The first run's figure.
        figure_b: The second run's.
        amount: The difference.
        interval: Its interval; empty without one.
        test: The test's name; empty without one.
        is_shown: Whether the tests show a difference.
        span: What the bar goes from and to; None without a bar.
        spoken: What the bar shows, for a reader who cannot see it.
    """

    row: Row
    part: str
    is_whole: bool
    figure_a: str
    figure_b: str
    amount: str
    interval: str
    test: str
    is_shown: bool
    span: tuple[float, float] | None
    spoken: str


@dataclass(frozen=True)
class ShownTask:
    """The differences on a task.

    Attributes:
        title: The task's or the group's title.
        metric: What is compared, and which direction is better.
        rows: The differences.
        said_of_parts: What follows for its parts.
    """

    title: str
    metric: str
    rows: tuple[ShownRow, ...]
    said_of_parts: tuple[Statement, ...]


def comparison_page(comparison: Comparison) -> str:
    """The comparison as a page of one file."""
    rows = comparison.shown_rows
    reach = _reach(row for row in rows if row.part.are_shares)
    tasks = [
        _task(comparison, title, [row for row in rows if row.task == title], reach)
        for title in dict.fromkeys(row.task for row in rows)
    ]
    is_pair = len(comparison.runs) == 2
    return render_page(
        "comparison.html.jinja",
        scripts=("theme.js",),
        title=f"Comparison of {len(comparison.runs)} runs",
        comparison=comparison,
        tasks=tasks,
        said=statements(comparison, [row for row in rows if row.part.name is None]),
        has_groups=any(row.part.members for row in rows),
        small_parts=small_parts_note(comparison) if comparison.small_parts else "",
        is_pair=is_pair,
        first="A" if is_pair else "first",
        second="B" if is_pair else "second",
        has_right=not comparison.accuracies_are_told,
        agreements=_by_task(comparison.agreements),
        letters=[run.letter for run in comparison.runs],
    )


def _task(
    comparison: Comparison, title: str, rows: Sequence[Row], reach_of_shares: float
) -> ShownTask:
    part = rows[0].part
    reach = reach_of_shares if part.are_shares else _reach(rows)
    direction = {True: "higher is better", False: "lower is better", None: ""}
    said = [part.metric, direction[part.higher_is_better]]
    return ShownTask(
        title,
        ", ".join(word for word in said if word),
        tuple(_row(row, reach) for row in rows),
        tuple(statements(comparison, [row for row in rows if row.part.name is not None])),
    )


def _row(row: Row, reach: float) -> ShownRow:
    part, found = row.part, row.part.difference
    shares, interval = part.are_shares, found.interval
    figures = [
        percent(value) if shares else number_of(value, shares)
        for value in (found.figure_a, found.figure_b)
    ]
    amount = number_of(found.value, shares, signed=True)
    between = "" if interval is None else _between(interval, shares)
    spoken = f"{amount_of(found.value, shares, signed=True)}, 95 % interval {between}"
    return ShownRow(
        row,
        _whole(part) if part.name is None else f"{part.dimension}: {part.name}",
        part.name is None,
        figures[0],
        figures[1],
        amount,
        between,
        "" if found.test is None else _TESTS[found.test],
        is_shown(row.adjusted_p),
        None if interval is None or not reach else (-reach, reach),
        spoken,
    )


def _whole(part: Part) -> str:
    return f"group: {part.weighting}" if part.members else _ALL


def _between(interval: Interval, shares: bool) -> str:
    low, high = (number_of(end, shares, signed=True) for end in (interval.low, interval.high))
    return f"{low} to {high}"


def _reach(rows: Iterable[Row]) -> float:
    """How far the bars of rows go to either side, with some room."""
    intervals = [i for row in rows if (i := row.part.difference.interval) is not None]
    return 1.05 * max((max(abs(i.low), abs(i.high)) for i in intervals), default=0.0)


def _by_task(rows: Sequence[AgreementRow]) -> dict[str, list[AgreementRow]]:
    found: dict[str, list[AgreementRow]] = {}
    for row in rows:
        found.setdefault(row.task, []).append(row)
    return found

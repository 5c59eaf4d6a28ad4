"""One metric of one task over all rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ultrarm_eval.board.documents import Documents
from ultrarm_eval.board.entry import Entry
from ultrarm_eval.board.matched import MatchedTask
from ultrarm_eval.board.ranking import Spread, rank_ranges
from ultrarm_eval.runs.task_result import MAIN_METRIC


@dataclass(frozen=True)
class Figure:
    """A figure on the board.

    Attributes:
        value: The figure.
        stderr: Its standard error, if the harness gives one.
        low: Lower end of its 95 % interval, if it has one.
        high: Upper end of it.
        marks: Why it cannot be compared: `partial`, `other documents`, `in-sample`.
        rank: The first and the last rank it may have; None for a figure that is not ranked.
    """

    value: float
    stderr: float | None = None
    low: float | None = None
    high: float | None = None
    marks: tuple[str, ...] = ()
    rank: tuple[int, int] | None = None

    @property
    def is_of_all(self) -> bool:
        """Whether it is over all the documents that the others are over."""
        return not set(self.marks) & {PARTIAL, OTHER_DOCUMENTS}


# Rewards of different judges have scales of their own.
_OF_OWN_SCALE = ("margin",)

#: Marks of figures that are not compared with others.
PARTIAL, OTHER_DOCUMENTS, IN_SAMPLE = "partial", "other documents", "in-sample"


@dataclass(frozen=True)
class Column:
    """One metric of one task.

    Attributes:
        task: The task's key on the board.
        metric: The harness's key, metric and filter: `acc,none`.
        is_main: Whether it is the task's main metric.
        higher_is_better: Whether a higher value is better; None where neither is, or where values
            of different judges cannot be compared.
        figures: The figure of each row; None where it has none.
    """

    task: str
    metric: str
    is_main: bool
    higher_is_better: bool | None
    figures: tuple[Figure | None, ...]

    @property
    def name(self) -> str:
        """The metric without its filter."""
        return self.metric.partition(",")[0]


def marks_of(entry: Entry, documents: Documents) -> tuple[str, ...]:
    """Why a result cannot be compared with the others."""
    holds = {
        PARTIAL: bool(entry.partial),
        # A part of the documents is no other data.
        OTHER_DOCUMENTS: not entry.partial and documents.are_others(entry),
        IN_SAMPLE: entry.in_sample,
    }
    return tuple(mark for mark, is_so in holds.items() if is_so)


def columns_of(key: str, matched: MatchedTask, documents: Documents, rows: int) -> list[Column]:
    """The columns of a task, its main metric first.

    Args:
        key: The task's key on the board.
        matched: The task with its results.
        documents: What they are compared over.
        rows: The number of the board's rows.
    """
    entries = [matched.entries[row] for row in sorted(matched.entries)]
    quoted = [entry.result.main_figure for entry in entries]
    mains = dict.fromkeys(figure.key for figure in quoted if figure is not None)
    keys = dict.fromkeys([*mains, *(k for entry in entries for k in entry.result.metrics)])
    columns = []
    for metric in keys:
        figures: list[Figure | None] = [None] * rows
        for entry in entries:
            figures[entry.row] = _figure(entry, metric, marks_of(entry, documents))
        if any(figures):
            direction = _direction(entries, metric)
            columns.append(
                Column(key, metric, metric in mains, direction, ranked(figures, direction))
            )
    return columns


def ranked(
    figures: Sequence[Figure | None], higher_is_better: bool | None
) -> tuple[Figure | None, ...]:
    """The figures with their ranks, where at least two can be compared."""
    spreads: Mapping[int, Spread] = {
        place: Spread(figure.low, figure.high)
        for place, figure in enumerate(figures)
        if figure and not figure.marks and figure.low is not None and figure.high is not None
    }
    if higher_is_better is None or len(spreads) < 2:
        return tuple(figures)
    ranges = rank_ranges(list(spreads.values()), higher_is_better=higher_is_better)
    by_place = dict(zip(spreads, ranges, strict=True))
    return tuple(
        Figure(f.value, f.stderr, f.low, f.high, f.marks, by_place[place])
        if f and place in by_place
        else f
        for place, f in enumerate(figures)
    )


def _figure(entry: Entry, metric: str, marks: tuple[str, ...]) -> Figure | None:
    if metric not in entry.result.metrics:
        return None
    found = entry.result.figure(metric)
    if not math.isfinite(found.value):
        return None
    low, high = (None, None) if found.interval is None else found.interval.ends
    return Figure(found.value, found.stderr, low, high, marks)


def _direction(entries: Sequence[Entry], metric: str) -> bool | None:
    name = metric.partition(",")[0]
    # Results of older versions do not hold it.
    if name == MAIN_METRIC:
        return True
    if name in _OF_OWN_SCALE:
        return None
    said = {entry.result.higher_is_better(name) for entry in entries} - {None}
    return said.pop() if len(said) == 1 else None

"""The mean over the tasks that all rows share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ultrarm_eval.board.column import IN_SAMPLE, Column, Figure, ranked
from ultrarm_eval.runs.figure import TWO_SIDED_95, harness_interval, is_share
from ultrarm_eval.runs.task_result import MAIN_METRIC
from ultrarm_eval.stats.intervals import Interval

_FEWEST = 2


@dataclass(frozen=True)
class Mean:
    """The mean over several tasks, each of which counts the same.

    Attributes:
        metric: The metric that all of them have.
        tasks: The tasks' keys on the board.
        higher_is_better: Whether a higher value is better; None where neither is.
        figures: The mean of each row; None where it has not all of them.
    """

    metric: str
    tasks: tuple[str, ...]
    higher_is_better: bool | None
    figures: tuple[Figure | None, ...]


def is_shared(column: Column, whole: Collection[int]) -> bool:
    """Whether all whole rows have a figure here, over the same documents.

    Args:
        column: The column.
        whole: The places of the rows without figures over a part of the data.
    """
    found = (column.figures[row] for row in whole)
    return bool(whole) and all(figure is not None and figure.is_of_all for figure in found)


def shared_mean(columns: Sequence[Column], whole: Collection[int]) -> Mean | None:
    """The mean over shared columns of one metric; None where there are fewer than two.

    Args:
        columns: Main metrics of tasks, not of groups: those hold the same documents again.
        whole: The places of the rows without figures over a part of the data.
    """
    shared = [one for one in columns if is_share(one.name) and is_shared(one, whole)]
    counts = Counter(column.name for column in shared)
    usual = max(counts, key=lambda name: counts[name], default=MAIN_METRIC)
    if counts[MAIN_METRIC] >= _FEWEST:
        usual = MAIN_METRIC
    if counts[usual] < _FEWEST:
        return None
    over = [column for column in shared if column.name == usual]
    directions = {column.higher_is_better for column in over}
    direction = directions.pop() if len(directions) == 1 else None
    figures = [_mean(of_row) for of_row in zip(*(column.figures for column in over), strict=True)]
    tasks = tuple(column.task for column in over)
    return Mean(usual, tasks, direction, ranked(figures, direction))


def _mean(figures: Sequence[Figure | None]) -> Figure | None:
    of_all = [figure for figure in figures if figure is not None and figure.is_of_all]
    if len(of_all) < len(figures):
        return None
    value = sum(figure.value for figure in of_all) / len(of_all)
    marks = (IN_SAMPLE,) if any(figure.marks for figure in of_all) else ()
    found = _interval(value, of_all)
    low, high = (None, None) if found is None else found.ends
    return Figure(value, None, low, high, marks)


def _interval(value: float, figures: Sequence[Figure]) -> Interval | None:
    """An interval that is wide enough however much the tasks have in common.

    Tasks may share documents, and their errors hang together in ways that figures do not tell. The
    standard deviation of a sum is at most the sum of the standard deviations (Minkowski).
    """
    halves = [
        max(figure.high - figure.value, figure.value - figure.low)
        if figure.stderr == 0
        else TWO_SIDED_95 * figure.stderr
        for figure in figures
        if figure.stderr is not None and figure.low is not None and figure.high is not None
    ]
    if len(halves) < len(figures):
        return None
    stderr = sum(halves) / len(halves) / TWO_SIDED_95
    return harness_interval(MAIN_METRIC, value, stderr, None)

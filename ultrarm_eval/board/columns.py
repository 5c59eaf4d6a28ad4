"""The columns of a board: what stands in each of them, and in which order.

`board_columns` lists those of one task each: another metric of a task is another column there, and
page, CSV and JSON have it as well. A figure over several tasks, as the mean is, stands beside them:
the page has a place of its own for it, and so has `data.py`.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
import statistics
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from ultrarm_eval.board.tasks import IN_SAMPLE, OTHER_DOCUMENTS, PARTIAL, Task
from ultrarm_eval.runs.figure import TWO_SIDED_95, Figure, harness_interval, is_share, metric_key
from ultrarm_eval.runs.task_result import MAIN_METRIC
from ultrarm_eval.stats.interval import Interval

# Rewards of different judges have scales of their own.
_OF_OWN_SCALE = ("margin",)
# A mean over fewer tasks is none.
_FEWEST = 2


@dataclass(frozen=True)
class Cell:
    """A figure beside those of the other rows.

    Attributes:
        figure: The figure.
        marks: Why it cannot be compared: `partial`, `other documents`, `in-sample`.
        rank: The first and the last rank it may have; None for a figure that is not ranked.
    """

    figure: Figure
    marks: tuple[str, ...] = ()
    rank: tuple[int, int] | None = None

    @property
    def is_of_all(self) -> bool:
        """Whether it is over all the documents that the others are over."""
        return not set(self.marks) & {PARTIAL, OTHER_DOCUMENTS}


@dataclass(frozen=True)
class Column:
    """One metric over all rows: of a task or group, or the mean over several tasks.

    Attributes:
        tasks: What it is of.
        metric: The metric, without its filter.
        filter: The harness's filter.
        is_main: Whether it is its task's main metric.
        higher_is_better: Whether a higher value is better; None where neither is, or where values
            of different judges cannot be compared.
        cells: The figure of each row; None where it has none.
        is_mean: Whether it is a mean over its tasks.
    """

    tasks: tuple[Task, ...]
    metric: str
    filter: str
    is_main: bool
    higher_is_better: bool | None
    cells: tuple[Cell | None, ...]
    is_mean: bool = False

    @property
    def key(self) -> str:
        """The harness's key, metric and filter: `acc,none`."""
        return metric_key(self.metric, self.filter)


def board_columns(
    tasks: Sequence[Task], rows: int, whole: Collection[int]
) -> tuple[Column | None, list[Column]]:
    """All columns: the mean, if there is one, and those of each task, main metrics first.

    Args:
        tasks: The groups and tasks, in their order.
        rows: The number of the board's rows.
        whole: The places of the rows without figures over a part of the data.
    """
    columns = [column for task in tasks for column in _of_task(task, rows)]
    # Groups hold the documents of their tasks again.
    mains = [column for column in columns if column.is_main and not column.tasks[0].is_group]
    return _mean([column for column in mains if is_shared(column, whole)]), columns


def is_shared(column: Column, whole: Collection[int]) -> bool:
    """Whether all whole rows have a figure here, over the same documents."""
    found = (column.cells[row] for row in whole)
    return bool(whole) and all(cell is not None and cell.is_of_all for cell in found)


def rank_ranges(intervals: Sequence[Interval], *, higher_is_better: bool) -> list[tuple[int, int]]:
    """The first and the last rank that each of several figures may have.

    A figure is surely better than another if its interval lies entirely on the better side.

    Returns:
        For each, one more than how many are surely better, and the number of all less how many are
        surely worse.
    """
    lows = sorted(one.low for one in intervals)
    highs = sorted(one.high for one in intervals)
    ranges = []
    for one in intervals:
        above = len(intervals) - bisect.bisect_right(lows, one.high)
        below = bisect.bisect_left(highs, one.low)
        better, worse = (above, below) if higher_is_better else (below, above)
        ranges.append((1 + better, len(intervals) - worse))
    return ranges


def _of_task(task: Task, rows: int) -> Iterator[Column]:
    results = [task.entries[row].result for row in sorted(task.entries)]
    quoted = [result.main_figure for result in results]
    mains = dict.fromkeys(figure.key for figure in quoted if figure is not None)
    for key in dict.fromkeys([*mains, *(key for one in results for key in one.metrics)]):
        cells: list[Cell | None] = [None] * rows
        for row, entry in task.entries.items():
            if key in entry.result.metrics:
                figure = entry.result.figure(key)
                if math.isfinite(figure.value):
                    cells[row] = Cell(figure, entry.marks)
        known = [cell.figure for cell in cells if cell]
        if known:
            metric, direction = known[0].metric, _direction(known)
            is_main, of_all = key in mains, _ranked(cells, direction)
            yield Column((task,), metric, known[0].filter, is_main, direction, of_all)


def _direction(figures: Sequence[Figure]) -> bool | None:
    metric = figures[0].metric
    # Results of older versions do not hold it.
    if metric == MAIN_METRIC:
        return True
    if metric in _OF_OWN_SCALE:
        return None
    said = {figure.higher_is_better for figure in figures} - {None}
    return said.pop() if len(said) == 1 else None


def _ranked(cells: Sequence[Cell | None], higher_is_better: bool | None) -> tuple[Cell | None, ...]:
    """The cells with their ranks, where at least two can be compared."""
    intervals = {
        row: cell.figure.interval
        for row, cell in enumerate(cells)
        if cell and not cell.marks and cell.figure.interval is not None
    }
    if higher_is_better is None or len(intervals) < 2:
        return tuple(cells)
    ranges = rank_ranges(list(intervals.values()), higher_is_better=higher_is_better)
    ranks = dict(zip(intervals, ranges, strict=True))
    return tuple(
        cell and dataclasses.replace(cell, rank=ranks.get(row)) for row, cell in enumerate(cells)
    )


def _mean(shared: Sequence[Column]) -> Column | None:
    """The mean over shared columns of one share; None where there are fewer than two."""
    shares = [column for column in shared if is_share(column.metric)]
    counts = Counter(column.metric for column in shares)
    usual = max(counts, key=lambda metric: counts[metric], default=MAIN_METRIC)
    if counts[MAIN_METRIC] >= _FEWEST:
        usual = MAIN_METRIC
    over = [column for column in shares if column.metric == usual]
    if len(over) < _FEWEST:
        return None
    directions = {column.higher_is_better for column in over}
    direction = directions.pop() if len(directions) == 1 else None
    cells = [_mean_cell(usual, row) for row in zip(*(c.cells for c in over), strict=True)]
    tasks = tuple(column.tasks[0] for column in over)
    return Column(tasks, usual, "none", True, direction, _ranked(cells, direction), is_mean=True)


def _mean_cell(metric: str, cells: Sequence[Cell | None]) -> Cell | None:
    of_all = [cell for cell in cells if cell is not None and cell.is_of_all]
    if len(of_all) < len(cells):
        return None
    value = statistics.fmean(cell.figure.value for cell in of_all)
    marks = (IN_SAMPLE,) if any(cell.marks for cell in of_all) else ()
    interval = _mean_interval(value, [cell.figure for cell in of_all])
    return Cell(Figure(metric, "none", value, interval=interval), marks)


def _mean_interval(value: float, figures: Sequence[Figure]) -> Interval | None:
    """An interval that is wide enough however much the tasks have in common.

    Tasks may share documents, and their errors hang together in ways that figures do not tell. The
    standard deviation of a sum is at most the sum of the standard deviations (Minkowski).
    """
    halves = [
        TWO_SIDED_95 * figure.stderr
        if figure.stderr
        else max(figure.interval.high - figure.value, figure.value - figure.interval.low)
        for figure in figures
        if figure.interval is not None and figure.stderr is not None
    ]
    if len(halves) < len(figures):
        return None
    return harness_interval(MAIN_METRIC, value, statistics.fmean(halves) / TWO_SIDED_95, None)

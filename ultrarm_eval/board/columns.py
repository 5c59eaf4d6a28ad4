"""The columns of a board: their contents and their order.

`board_columns` lists the columns of one task each: every metric of a task is a column there, and on
the page, in CSV and in JSON. The mean over several tasks is separate: the page and `data.py` have a
place of their own for it.
"""

from __future__ import annotations

import bisect
import dataclasses
import math
import statistics
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from ultrarm_eval.board.overlap import outermost
from ultrarm_eval.board.tasks import IN_SAMPLE, OTHER_DOCUMENTS, PARTIAL, Task
from ultrarm_eval.runs.figure import TWO_SIDED_95, Figure, harness_interval, is_share, metric_key
from ultrarm_eval.runs.task_result import MAIN_METRIC
from ultrarm_eval.stats.interval import Interval

# Rewards of different judges are not on the same scale.
_OF_OWN_SCALE = ("margin",)
# The minimum number of tasks for a mean.
_FEWEST = 2


@dataclass(frozen=True)
class Cell:
    """The value of one row in a column.

    Attributes:
        figure: The value.
        marks: Why it is not comparable: `partial`, `other documents`, `in-sample`.
        rank: The first and the last rank it may have; None if it is not ranked.
    """

    figure: Figure
    marks: tuple[str, ...] = ()
    rank: tuple[int, int] | None = None

    @property
    def is_of_all(self) -> bool:
        """Whether it covers the same documents as the other rows."""
        return not set(self.marks) & {PARTIAL, OTHER_DOCUMENTS}


@dataclass(frozen=True)
class Column:
    """One metric over all rows: of a task or group, or the mean over several tasks.

    Attributes:
        tasks: Its tasks.
        metric: The metric, without its filter.
        filter: lm-eval's filter.
        is_main: Whether it is its task's main metric.
        higher_is_better: Whether a higher value is better; None where neither is, or where values
            of different judges are not comparable.
        cells: The value of each row; None where it has none.
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
        """lm-eval's key, metric and filter: `acc,none`."""
        return metric_key(self.metric, self.filter)


def board_columns(
    tasks: Sequence[Task], rows: int, whole: Collection[int]
) -> tuple[Column | None, list[Column]]:
    """All columns: the mean, if there is one, and those of each task, main metrics first.

    Args:
        tasks: The groups and tasks, in their order.
        rows: The number of the board's rows.
        whole: The indices of complete rows, those without partial runs.
    """
    columns = [column for task in tasks for column in _of_task(task, rows)]
    mains = [column for column in columns if column.is_main]
    return _mean([column for column in mains if is_shared(column, whole)]), columns


def is_shared(column: Column, whole: Collection[int]) -> bool:
    """Whether all complete rows have a value here, over the same documents."""
    found = (column.cells[row] for row in whole)
    return bool(whole) and all(cell is not None and cell.is_of_all for cell in found)


def rank_ranges(intervals: Sequence[Interval], *, higher_is_better: bool) -> list[tuple[int, int]]:
    """The first and the last rank that each of several values may have.

    A value is certainly better than another if its whole interval is on the better side.

    Returns:
        For each, one plus the number of values that are certainly better, and the number of all
        values minus those that are certainly worse.
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
    # Results of older versions do not contain it.
    if metric == MAIN_METRIC:
        return True
    if metric in _OF_OWN_SCALE:
        return None
    said = {figure.higher_is_better for figure in figures} - {None}
    return said.pop() if len(said) == 1 else None


def _ranked(cells: Sequence[Cell | None], higher_is_better: bool | None) -> tuple[Cell | None, ...]:
    """The cells with their ranks, where at least two are comparable."""
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
    """The mean over shared columns of one metric; None where there are fewer than two.

    What another of them contains does not count again.
    """
    by_metric: dict[str, list[Column]] = {}
    for column in shared:
        if is_share(column.metric):
            by_metric.setdefault(column.metric, []).append(column)
    counted = {metric: _outermost(columns) for metric, columns in by_metric.items()}
    usual = max(counted, key=lambda metric: len(counted[metric]), default=MAIN_METRIC)
    if len(counted.get(MAIN_METRIC, ())) >= _FEWEST:
        usual = MAIN_METRIC
    over = counted.get(usual, [])
    if len(over) < _FEWEST:
        return None
    directions = {column.higher_is_better for column in over}
    direction = directions.pop() if len(directions) == 1 else None
    cells = [_mean_cell(usual, row) for row in zip(*(c.cells for c in over), strict=True)]
    tasks = tuple(column.tasks[0] for column in over)
    return Column(tasks, usual, "none", True, direction, _ranked(cells, direction), is_mean=True)


def _outermost(columns: Sequence[Column]) -> list[Column]:
    kept = {task.key for task in outermost([column.tasks[0] for column in columns])}
    return [column for column in columns if column.tasks[0].key in kept]


def _mean_cell(metric: str, cells: Sequence[Cell | None]) -> Cell | None:
    of_all = [cell for cell in cells if cell is not None and cell.is_of_all]
    if len(of_all) < len(cells):
        return None
    value = statistics.fmean(cell.figure.value for cell in of_all)
    marks = (IN_SAMPLE,) if any(cell.marks for cell in of_all) else ()
    interval = _mean_interval(value, [cell.figure for cell in of_all])
    return Cell(Figure(metric, "none", value, interval=interval), marks)


def _mean_interval(value: float, figures: Sequence[Figure]) -> Interval | None:
    """A conservative interval, valid however strongly the tasks are correlated.

    Tasks may share documents, so their errors are correlated in an unknown way. The standard
    deviation of a sum is at most the sum of the standard deviations (Minkowski).
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

"""A board: evaluations as rows, every metric of every group and task as columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from ultrarm_eval.board.columns import Column, board_columns, is_shared
from ultrarm_eval.board.published import PublishedBenchmark
from ultrarm_eval.board.tasks import Entry, Task, tasks_of
from ultrarm_eval.errors import DataError
from ultrarm_eval.report.facts import Fact, facts_of
from ultrarm_eval.runs.evaluation import Evaluation
from ultrarm_eval.runs.task_result import TaskResult

# Prefix of the remarks of `read_evaluations` on files that it could not read.
_SKIPPED = "Skipped: "
_T = TypeVar("_T")


@dataclass(frozen=True)
class Row:
    """An evaluation on the board.

    Attributes:
        label: Its name among the others.
        model: The model's name in its runs.
        settings: What its results depend on.
        facts: How its results were made.
        remarks: What was skipped or is missing.
        results: Its results on each task, by the task's key.
    """

    label: str
    model: str
    settings: Mapping[str, Any]
    facts: tuple[Fact, ...]
    remarks: tuple[str, ...]
    results: Mapping[str, Entry]


@dataclass(frozen=True)
class Board:
    """A board.

    Attributes:
        tasks: Its groups, then its tasks, each sorted by the number of rows that have them.
        rows: Its rows, sorted by the mean, or by the first column that all complete rows share.
        columns: Every metric of every task, in the order of the tasks, main metrics first.
        mean: The mean over the groups and tasks that all complete rows share, if there are at least
            two; what another of them contains does not count again.
        left_out: What could not be read.
        published: Published scores, which were not measured by these runs.
    """

    tasks: tuple[Task, ...]
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    mean: Column | None
    left_out: tuple[str, ...]
    published: tuple[PublishedBenchmark, ...] = ()

    @property
    def sorted_by(self) -> Column:
        """What the rows are ordered by."""
        if self.mean is not None:
            return self.mean
        shared = {task.key for task in self.tasks if task.is_shared}
        mains = [column for column in self.columns if column.is_main]
        return next((column for column in mains if column.tasks[0].key in shared), mains[0])


def make_board(
    evaluations: Sequence[Evaluation],
    root: Path,
    published: Sequence[PublishedBenchmark] = (),
) -> Board:
    """Makes the board of several evaluations.

    Args:
        evaluations: The evaluations, with unique labels.
        root: The folder, or the results file, that they were read from.
        published: Published scores to show with them.

    Raises:
        DataError: None of them has results.
    """
    shown = [one for one in evaluations if _has_figures(one)]
    left_out = [*_unreadable(evaluations, root), *_without_figures(evaluations, shown)]
    if not shown:
        raise DataError(
            f"{root}: no run here has results; all were interrupted. Run them again; with "
            "--use_cache they resume from what they had computed."
        )
    tasks = tasks_of(shown, root if root.is_dir() else root.parent)
    whole = [row for row, one in enumerate(shown) if not any(r.parts for r in _results(one))]
    mean, columns = board_columns(tasks, len(shown), whole)
    shared = {c.tasks[0].key for c in columns if c.is_main and is_shared(c, whole)}
    tasks = [replace(task, is_shared=task.key in shared) for task in tasks]
    rows = [_row(place, one, tasks) for place, one in enumerate(shown)]
    board = Board(
        tuple(tasks), tuple(rows), tuple(columns), mean, tuple(left_out), tuple(published)
    )
    return _ordered(board)


def _ordered(board: Board) -> Board:
    by = board.sorted_by

    def place(row: int) -> tuple[int, float, str]:
        cell = by.cells[row]
        if cell is None:
            return 2, 0.0, board.rows[row].label
        value = cell.figure.value if by.higher_is_better is False else -cell.figure.value
        return int(bool(cell.marks)), value, board.rows[row].label

    order = sorted(range(len(board.rows)), key=place)
    return replace(
        board,
        rows=_in_order(board.rows, order),
        columns=tuple(replace(one, cells=_in_order(one.cells, order)) for one in board.columns),
        mean=board.mean and replace(board.mean, cells=_in_order(board.mean.cells, order)),
    )


def _in_order(items: Sequence[_T], order: Sequence[int]) -> tuple[_T, ...]:
    return tuple(items[place] for place in order)


def _has_figures(evaluation: Evaluation) -> bool:
    return any(_results(evaluation))


def _results(evaluation: Evaluation) -> list[TaskResult]:
    """The results that have metrics."""
    return [r for r in (*evaluation.tasks.values(), *evaluation.groups.values()) if r.metrics]


def _unreadable(evaluations: Sequence[Evaluation], root: Path) -> Iterator[str]:
    remarks = dict.fromkeys(remark for one in evaluations for remark in one.remarks)
    for remark in remarks:
        if remark.startswith(_SKIPPED):
            yield remark.removeprefix(_SKIPPED).replace(f"{root}/", "", 1)


def _without_figures(
    evaluations: Sequence[Evaluation], shown: Sequence[Evaluation]
) -> Iterator[str]:
    labels = {one.label for one in shown}
    for one in evaluations:
        if one.label not in labels:
            yield f"{one.label}: its runs were interrupted and have no results."


def _row(place: int, evaluation: Evaluation, tasks: Sequence[Task]) -> Row:
    remarks = [one for one in evaluation.remarks if not one.startswith(_SKIPPED)]
    remarks += [
        f"{title}: its run was interrupted and has no results."
        for title, result in evaluation.tasks.items()
        if not result.metrics
    ]
    remarks += [
        f"{result.task}: {result.run.path.name} is not used, because a newer or complete run "
        "covers the same documents."
        for task in tasks
        for row, result in task.set_aside
        if row == place
    ]
    return Row(
        label=evaluation.label,
        model=evaluation.model,
        settings=evaluation.settings,
        facts=facts_of(evaluation),
        remarks=tuple(remarks),
        results={task.key: task.entries[place] for task in tasks if place in task.entries},
    )

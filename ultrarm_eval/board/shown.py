"""The columns of a board as a page shows them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ultrarm_eval.board.board import Board, Task
from ultrarm_eval.board.column import IN_SAMPLE, OTHER_DOCUMENTS, PARTIAL, Column, Figure
from ultrarm_eval.board.mean import Mean
from ultrarm_eval.runs.figure import is_share
from ultrarm_eval.show.formats import count
from ultrarm_eval.show.text import visible_name

#: Marks in the order of the bits that stand for them in a page's data.
MARKS = (PARTIAL, OTHER_DOCUMENTS, IN_SAMPLE)
_DIGIT_SPACE = "\N{FIGURE SPACE}"
_MINUS = "\N{MINUS SIGN}"
# A page with more figures would not open at once; all of them are in the CSV and JSON files.
_MOST_FIGURES = 120_000


@dataclass(frozen=True)
class ShownFigure:
    """A figure as a page shows it.

    Attributes:
        figure: The figure.
        value: Its value as text.
        beside: Half the width of its interval, or the interval where it is lopsided.
        documents: How many documents it is over, where that is not what the column says.
    """

    figure: Figure
    value: str
    beside: str
    documents: str

    @property
    def may_be_first(self) -> bool:
        """Whether no other is surely better."""
        return self.figure.rank is not None and self.figure.rank[0] == 1


@dataclass(frozen=True)
class ShownColumn:
    """A column as a page shows it.

    Attributes:
        source: What is shown.
        kind: `mean`, `group` or `task`.
        task: The place of its task among all, -1 for the mean.
        title: What it is of.
        metric: Its metric, and the filter where there is one.
        unit: `%`, or nothing.
        documents: How many documents it is over.
        is_main: Whether it is the main metric of its task.
        is_in_group: Whether it is of a task whose group has a column.
        higher_is_better: Whether a higher value is better; None where neither is.
        figures: The figure of each row.
    """

    source: Column | Mean
    kind: str
    task: int
    title: str
    metric: str
    unit: str
    documents: str
    is_main: bool
    is_in_group: bool
    higher_is_better: bool | None
    figures: tuple[ShownFigure | None, ...]


def shown_columns(board: Board) -> list[ShownColumn]:
    """The mean, then all columns, as far as a page has room for those that are not main metrics."""
    grouped = {c.task for c in board.columns if c.is_main}
    members = {name for t in board.tasks if t.is_group and t.key in grouped for name in t.members}
    places = {task.key: place for place, task in enumerate(board.tasks)}
    has_room = len(board.rows) * len(board.columns) <= _MOST_FIGURES
    shown = [] if board.mean is None else [_of_mean(board.mean)]
    for column in board.columns:
        if column.is_main or has_room:
            task = board.tasks[places[column.task]]
            is_in_group = not task.is_group and task.task in members
            shown.append(_of_task(board, column, task, places[column.task], is_in_group))
    return shown


def worded_value(value: float, *, is_percent: bool) -> str:
    """A value, in percent or as a number, with the precision of a table."""
    if is_percent:
        return f"{100 * value:.1f}".replace("-", _MINUS)
    digits = 0 if abs(value) >= 1000 else 3 if abs(value) < 10 else 1
    text = f"{value:.{digits}f}" if abs(value) < 1e9 else f"{value:.3g}"
    return text.replace("-", _MINUS)


def _of_mean(mean: Mean) -> ShownColumn:
    return ShownColumn(
        source=mean,
        kind="mean",
        task=-1,
        title=f"mean of {len(mean.tasks)} tasks",
        metric=visible_name(mean.metric),
        unit="%",
        documents="",
        is_main=True,
        is_in_group=False,
        higher_is_better=mean.higher_is_better,
        figures=tuple(_figure(figure, None, is_percent=True) for figure in mean.figures),
    )


def _of_task(
    board: Board, column: Column, task: Task, place: int, is_in_group: bool
) -> ShownColumn:
    name, _, filter_name = column.metric.partition(",")
    is_percent = is_share(name)
    figures = []
    for row, figure in zip(board.rows, column.figures, strict=True):
        result = row.results.get(task.key)
        own = None if result is None else result.documents
        others = None if own == task.documents else own
        figures.append(_figure(figure, others, is_percent=is_percent))
    return ShownColumn(
        source=column,
        kind="group" if task.is_group else "task",
        task=place,
        title=visible_name(task.title),
        metric=visible_name(name if filter_name in ("", "none") else f"{name}, {filter_name}"),
        unit="%" if is_percent else "",
        documents="" if task.documents is None else f"{count(task.documents)} documents",
        is_main=column.is_main,
        is_in_group=is_in_group,
        higher_is_better=column.higher_is_better,
        figures=tuple(figures),
    )


def _figure(
    figure: Figure | None, documents: int | None, *, is_percent: bool
) -> ShownFigure | None:
    if figure is None:
        return None
    return ShownFigure(
        figure=figure,
        value=worded_value(figure.value, is_percent=is_percent),
        beside=_beside(figure, is_percent=is_percent),
        documents="" if documents is None else count(documents),
    )


def _beside(figure: Figure, *, is_percent: bool) -> str:
    if figure.low is None or figure.high is None:
        return ""
    down, up = figure.value - figure.low, figure.high - figure.value
    if math.isclose(down, up, rel_tol=1e-3, abs_tol=1e-9):
        half = worded_value(up, is_percent=is_percent)
        # As wide as 10.0, so that the values stand below each other.
        return f"±{half.rjust(4, _DIGIT_SPACE)}" if is_percent else f"± {half}"
    ends = (worded_value(end, is_percent=is_percent) for end in (figure.low, figure.high))
    return " to ".join(ends)


def marks_found(columns: Sequence[ShownColumn]) -> Iterator[str]:
    """The marks that occur."""
    found = {mark for column in columns for f in column.figures if f for mark in f.figure.marks}
    return (mark for mark in MARKS if mark in found)

"""A board as a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from ultrarm_eval.board.board import Board, Row
from ultrarm_eval.board.column import IN_SAMPLE, OTHER_DOCUMENTS, PARTIAL
from ultrarm_eval.board.published import PublishedBenchmark
from ultrarm_eval.board.shown import MARKS, ShownColumn, ShownFigure, marks_found, shown_columns
from ultrarm_eval.show.formats import count
from ultrarm_eval.show.page import render_page
from ultrarm_eval.show.text import visible_name

_MEANINGS = {
    PARTIAL: "the run saw a part of the data alone (--limit, --samples or a shard); not ranked",
    OTHER_DOCUMENTS: "over other documents than most rows of the column; not ranked",
    IN_SAMPLE: (
        "the judge was trained on these data, and the figure says nothing about other data; "
        "not ranked"
    ),
}
_SECURE = ("https://", "http://")
_MOST_NAMED = 6


def as_page(board: Board, *, title: str) -> str:
    """The board as one HTML file that loads nothing.

    Args:
        board: The board.
        title: The page's title.
    """
    columns = shown_columns(board)
    mains = [column for column in columns if column.is_main]
    by = next(column for column in columns if column.source is board.sorted_by)
    return render_page(
        "board.html.jinja",
        scripts=("theme.js", "board_figures.js", "board_axis.js", "board.js"),
        data={
            "columns": [_column_data(column) for column in columns],
            "rows": [_row_data(board, row) for row in board.rows],
            "marks": MARKS,
            "by": columns.index(by),
        },
        title=title,
        subtitle=_subtitle(board),
        columns=[(columns.index(column), column, _breakable(column.title)) for column in mains],
        by=by,
        is_downwards=by.higher_is_better is not False,
        rows=[_row(row, place, mains, by) for place, row in enumerate(board.rows)],
        has_members=any(column.is_in_group for column in mains),
        has_more_metrics=any(not column.is_main for column in columns),
        marks=[(mark, _MEANINGS[mark]) for mark in marks_found(columns)],
        mean_of=_mean_of(board),
        notes=_notes(board),
        left_out=board.left_out,
        are_all_here=len({(c.task, c.metric) for c in columns if c.task >= 0})
        == len(board.columns),
        published=[_published(one) for one in board.published],
    )


def _subtitle(board: Board) -> str:
    groups = sum(task.is_group for task in board.tasks)
    tasks = len(board.tasks) - groups
    of_groups = f"{_counted(groups, 'group')} and " if groups else ""
    rows = "model or judge" if len(board.rows) == 1 else "models or judges with their settings"
    return f"{count(len(board.rows))} {rows} on {of_groups}{_counted(tasks, 'task')}."


def _counted(number: int, what: str) -> str:
    return f"{count(number)} {what}" if number == 1 else f"{count(number)} {what}s"


def _row(row: Row, place: int, columns: Sequence[ShownColumn], by: ShownColumn) -> dict[str, Any]:
    name, told = _name(row)
    figures = [column.figures[place] for column in columns]
    by_figure = by.figures[place]
    return {
        "name": name,
        "told": told,
        "rank": _rank(by_figure),
        "figures": figures,
    }


def _name(row: Row) -> tuple[str, str]:
    """The model, and what tells it apart from others of its name."""
    if row.label.startswith(row.model):
        return visible_name(row.model), visible_name(row.label[len(row.model) :].strip(), 400)
    return visible_name(row.label), ""


def _rank(shown: ShownFigure | None) -> str:
    if shown is None or shown.figure.rank is None:
        return ""
    first, last = shown.figure.rank
    return str(first) if first == last else f"{first}\N{EN DASH}{last}"


def _breakable(title: str) -> Markup:
    """A title that may be broken where its words end."""
    return Markup("_<wbr>").join(escape(part) for part in title.split("_"))


def _column_data(column: ShownColumn) -> list[Any]:
    direction = {True: 1, False: -1, None: 0}[column.higher_is_better]
    return [
        column.kind,
        column.task,
        column.title,
        column.metric,
        column.unit,
        column.documents,
        int(column.is_main),
        int(column.is_in_group),
        direction,
        [_figure_data(figure) for figure in column.figures],
    ]


def _figure_data(shown: ShownFigure | None) -> list[Any] | int:
    """Value, ends of the interval, texts, ranks and marks; 0 where there is none."""
    if shown is None:
        return 0
    figure = shown.figure
    return [
        *(None if x is None else round(x, 7) for x in (figure.value, figure.low, figure.high)),
        shown.value,
        shown.beside,
        *(figure.rank or (0, 0)),
        sum(1 << bit for bit, mark in enumerate(MARKS) if mark in figure.marks),
        shown.documents,
    ]


def _row_data(board: Board, row: Row) -> list[Any]:
    """Name, facts, remarks, and what made runs see a part of the data alone, by task."""
    places = {task.key: place for place, task in enumerate(board.tasks)}
    results = row.results.values()
    files = dict.fromkeys(sorted(result.file for result in results))
    facts = [(fact.name, fact.value) for fact in row.facts if fact.name != "results"]
    partial = {
        str(places[result.task]): visible_name(
            ", ".join(f"{name} {value}" for name, value in result.partial.items()), 120
        )
        for result in results
        if result.partial
    }
    return [
        visible_name(row.label, 600),
        [
            [visible_name(name), visible_name(value, 600)]
            for name, value in (*facts, ("results files", ", ".join(files)))
        ],
        [visible_name(remark, 600) for remark in row.remarks],
        partial,
    ]


def _notes(board: Board) -> list[tuple[list[str], str]]:
    """What has to be known, once with all tasks that it is true of."""
    said: dict[str, list[str]] = {}
    for task in board.tasks:
        for note in task.notes:
            said.setdefault(note, []).append(task.title)
    return [(titles, note) for note, titles in said.items()]


def _mean_of(board: Board) -> str | None:
    if board.mean is None:
        return None
    titles = {task.key: task.title for task in board.tasks}
    return ", ".join(visible_name(titles[key]) for key in board.mean.tasks)


def _published(one: PublishedBenchmark) -> dict[str, Any]:
    return {
        "benchmark": one.benchmark,
        "unit": one.unit,
        "metrics": list(one.metrics.items()),
        "entries": [
            {
                "model": entry.model,
                "values": [entry.values.get(name) for name in one.metrics],
                "source": entry.source,
                "url": entry.url if entry.url.startswith(_SECURE) else None,
                "where": entry.where,
                "note": entry.note,
            }
            for entry in one.entries
        ],
    }

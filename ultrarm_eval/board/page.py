"""A board as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ultrarm_eval.board.board import Board, Row
from ultrarm_eval.board.columns import Cell, Column
from ultrarm_eval.board.published import PublishedBenchmark
from ultrarm_eval.board.tasks import IN_SAMPLE, OTHER_DOCUMENTS, PARTIAL, Task
from ultrarm_eval.data.counts import counted
from ultrarm_eval.runs.figure import is_share
from ultrarm_eval.show.formats import cell_interval, cell_value, count
from ultrarm_eval.show.page import render_page
from ultrarm_eval.show.text import visible_name

#: In the order of the bits that encode them in the page's data.
_MEANINGS = {
    PARTIAL: (
        "the run evaluated only a subset of the data (--limit, --samples or a shard); not ranked"
    ),
    OTHER_DOCUMENTS: "evaluated on other documents than most rows of the column; not ranked",
    IN_SAMPLE: (
        "the judge was trained on these data, so the score does not measure performance on unseen "
        "data; not ranked"
    ),
}
_SECURE = ("https://", "http://")
# A page with more figures would not open at once; all of them are in the CSV and JSON files.
_MOST_FIGURES = 120_000


def as_page(board: Board, *, title: str) -> str:
    """The board as one HTML file that loads nothing.

    Args:
        board: The board.
        title: The page's title.
    """
    has_room = len(board.rows) * len(board.columns) <= _MOST_FIGURES
    of_tasks = [column for column in board.columns if column.is_main or has_room]
    columns = of_tasks if board.mean is None else [board.mean, *of_tasks]
    shown = list(zip(columns, _heads(board, columns), strict=True))
    by = next(place for place, one in enumerate(columns) if one is board.sorted_by)
    found = {mark for one in columns for cell in one.cells if cell for mark in cell.marks}
    return render_page(
        "board.html.jinja",
        scripts=("theme.js", "board_figures.js", "board_axis.js", "board.js"),
        data={
            "columns": [
                [*head.values(), [_cell_data(column, cell) for cell in column.cells]]
                for column, head in shown
            ],
            "rows": [_row_data(board, row) for row in board.rows],
            "marks": list(_MEANINGS),
            "by": by,
        },
        title=title,
        subtitle=_subtitle(board),
        columns=[
            (place, column, head) for place, (column, head) in enumerate(shown) if column.is_main
        ],
        by=by,
        is_downwards=board.sorted_by.higher_is_better is not False,
        rows=[
            (*_name(row), _rank(columns[by].cells[place])) for place, row in enumerate(board.rows)
        ],
        has_members=any(column.is_main and head["is_member"] for column, head in shown),
        has_more_metrics=any(not column.is_main for column in columns),
        marks=[(mark, meaning) for mark, meaning in _MEANINGS.items() if mark in found],
        mean_of=board.mean and ", ".join(visible_name(one.title) for one in board.mean.tasks),
        notes=_notes(board),
        left_out=board.left_out,
        are_all_here=len(of_tasks) == len(board.columns),
        published=[_published(one) for one in board.published],
        other_documents=_other_documents,
    )


def _subtitle(board: Board) -> str:
    rows = "model or judge" if len(board.rows) == 1 else "models or judges with their settings"
    return f"{count(len(board.rows))} {rows} on {_groups_and_tasks(board.tasks)}."


def _groups_and_tasks(tasks: Sequence[Task]) -> str:
    groups = sum(task.is_group for task in tasks)
    numbers = (groups, "group"), (len(tasks) - groups, "task")
    return " and ".join(counted(number, what) for number, what in numbers if number)


def _heads(board: Board, columns: Sequence[Column]) -> Iterator[dict[str, str | int]]:
    """The texts of each column's head, in the order in which the page's script reads them."""
    places = {task.key: place for place, task in enumerate(board.tasks)}
    groups = [one.tasks[0] for one in board.columns if one.is_main and one.tasks[0].is_group]
    members = {name for group in groups for name in group.members}
    for column in columns:
        task = column.tasks[0]
        has_filter = column.filter not in ("", "none")
        metric = f"{column.metric}, {column.filter}" if has_filter else column.metric
        kind, title = "group" if task.is_group else "task", visible_name(task.title)
        if column.is_mean:
            kind, title = "mean", f"mean of {_groups_and_tasks(column.tasks)}"
        known = task.documents is not None and not column.is_mean
        is_member = not task.is_group and task.task in members
        yield {
            "kind": kind,
            "task": -1 if column.is_mean else places[task.key],
            "title": title,
            "metric": visible_name(metric),
            "unit": "%" if is_share(column.metric) else "",
            "documents": f"{count(task.documents)} documents" if known else "",
            "is_main": int(column.is_main),
            "is_member": int(is_member and not column.is_mean),
            "direction": {True: 1, False: -1, None: 0}[column.higher_is_better],
        }


def _name(row: Row) -> tuple[str, str]:
    """The model, and what distinguishes it from others of the same name."""
    if row.label.startswith(row.model):
        return visible_name(row.model), visible_name(row.label[len(row.model) :].strip(), 400)
    return visible_name(row.label), ""


def _rank(cell: Cell | None) -> str:
    if cell is None or cell.rank is None:
        return ""
    first, last = cell.rank
    return str(first) if first == last else f"{first}\N{EN DASH}{last}"


def _other_documents(column: Column, cell: Cell) -> str:
    """How many documents a value is over, where that differs from the column's head."""
    own = cell.figure.documents
    is_told = column.is_mean or own in (None, column.tasks[0].documents)
    return "" if is_told else count(own)


def _cell_data(column: Column, cell: Cell | None) -> list[Any] | int:
    """Value, ends of the interval, texts, ranks and marks; 0 where there is none."""
    if cell is None:
        return 0
    figure = cell.figure
    ends = (None, None) if figure.interval is None else figure.interval.ends
    return [
        *(None if x is None else round(x, 7) for x in (figure.value, *ends)),
        cell_value(figure.value, figure.is_share),
        cell_interval(figure),
        *(cell.rank or (0, 0)),
        sum(1 << bit for bit, mark in enumerate(_MEANINGS) if mark in cell.marks),
        _other_documents(column, cell),
    ]


def _row_data(board: Board, row: Row) -> list[Any]:
    """Name, facts, remarks, and by task what limited a partial run."""
    places = {task.key: place for place, task in enumerate(board.tasks)}
    results = row.results.values()
    files = dict.fromkeys(sorted(result.file for result in results))
    facts = [(fact.name, fact.value) for fact in row.facts if fact.name != "results files"]
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
    """Each note once, with all tasks that it applies to."""
    said: dict[str, list[str]] = {}
    for task in board.tasks:
        for note in task.notes:
            said.setdefault(note, []).append(task.title)
    return [(titles, note) for note, titles in said.items()]


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

"""A board as data: JSON with everything, and CSV in long format, a row for each value."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.board.board import Board
from ultrarm_eval.board.columns import Cell, Column
from ultrarm_eval.board.tasks import IN_SAMPLE, OTHER_DOCUMENTS, Entry, Task
from ultrarm_eval.runs.json_values import as_plain
from ultrarm_eval.show.table import csv_text
from ultrarm_eval.show.text import visible_name

FORMAT = "ultrarm_eval.board/1"
_SETTING = "setting_"
# Characters that begin a formula in a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LONGEST = 2000


@dataclass(frozen=True)
class _Line:
    """A value with everything that its row in the CSV contains."""

    task: Task
    entry: Entry
    column: Column
    cell: Cell


#: The columns of the CSV after those of the row's settings.
_COLUMNS: dict[str, Callable[[_Line], Any]] = {
    "kind": lambda line: "group" if line.task.is_group else "task",
    "task": lambda line: line.task.task,
    "title": lambda line: line.task.title,
    "metric": lambda line: line.column.metric,
    "filter": lambda line: line.column.filter or "none",
    "is_main": lambda line: line.column.is_main,
    "value": lambda line: line.cell.figure.value,
    "stderr": lambda line: line.cell.figure.stderr,
    "n": lambda line: line.entry.documents,
    "partial": lambda line: bool(line.entry.partial),
    "in_sample": lambda line: IN_SAMPLE in line.entry.marks,
    "other_documents": lambda line: OTHER_DOCUMENTS in line.entry.marks,
    "data_digest": lambda line: line.entry.data_digest,
    "date": lambda line: line.entry.date,
    "lm_eval_version": lambda line: line.entry.lm_eval_version,
    "file": lambda line: line.entry.file,
}


def as_csv(board: Board) -> str:
    """The board's values as CSV.

    Each of the model's settings has a column `setting_NAME`. Texts are on one line, without
    characters that reorder or hide others; a text that a spreadsheet would evaluate gets an
    apostrophe in front.
    """
    names = list(dict.fromkeys(name for row in board.rows for name in row.settings))
    head = ["model", "label", *(f"{_SETTING}{name}" for name in names), *_COLUMNS]
    return csv_text(list(map(_cell, head)), _csv_rows(board, names))


def _csv_rows(board: Board, settings: Sequence[str]) -> Iterator[list[Any]]:
    for place, row in enumerate(board.rows):
        of_row = [row.model, row.label, *(row.settings.get(name) for name in settings)]
        for column in board.columns:
            (task,), cell = column.tasks, column.cells[place]
            if cell is not None:
                line = _Line(task, row.results[task.key], column, cell)
                yield list(map(_cell, [*of_row, *(value(line) for value in _COLUMNS.values())]))


def as_json(board: Board) -> str:
    """The whole board as JSON, a line for each task, row and column.

    Non-finite numbers are null.
    """
    written = {
        "tasks": as_plain(board.tasks),
        "rows": as_plain(board.rows),
        "columns": [_column(column) for column in board.columns],
        "mean": None if board.mean is None else _mean(board.mean),
        "left_out": as_plain(board.left_out),
        "published": as_plain(board.published),
        "format": FORMAT,
    }
    parts = [f"{_spelled(name)}: {_spelled_lines(value)}" for name, value in written.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _column(column: Column) -> dict[str, Any]:
    (task,) = column.tasks
    return {
        "task": task.key,
        "metric": column.key,
        "is_main": column.is_main,
        "higher_is_better": column.higher_is_better,
        "figures": [_figure(cell) for cell in column.cells],
    }


def _mean(column: Column) -> dict[str, Any]:
    return {
        "metric": column.metric,
        "tasks": [task.key for task in column.tasks],
        "higher_is_better": column.higher_is_better,
        "figures": [_figure(cell) for cell in column.cells],
    }


def _figure(cell: Cell | None) -> dict[str, Any] | None:
    if cell is None:
        return None
    low, high = (None, None) if cell.figure.interval is None else cell.figure.interval.ends
    return {
        "value": cell.figure.value,
        "stderr": cell.figure.stderr,
        "low": low,
        "high": high,
        "marks": list(cell.marks),
        "rank": None if cell.rank is None else list(cell.rank),
    }


def _spelled_lines(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return _spelled(value)
    return "[\n" + ",\n".join(map(_spelled, value)) + "\n]"


def _spelled(value: Any) -> str:
    # ASCII: a name cannot reorder or hide the text around it.
    return json.dumps(value, ensure_ascii=True, allow_nan=False)


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, float):
        return value
    return _text(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    )


# The same few names occur in very many rows.
@functools.lru_cache(maxsize=10_000)
def _text(text: str) -> str:
    line = visible_name(text, _LONGEST)
    return f"'{line}" if line.startswith(_FORMULA) and not _is_number(line) else line


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False

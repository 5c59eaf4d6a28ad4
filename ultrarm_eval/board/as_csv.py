"""A board's figures as CSV in long form: one row for each evaluation, task and metric."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from typing import Any

from ultrarm_eval.board.board import Board, Task
from ultrarm_eval.board.column import IN_SAMPLE, OTHER_DOCUMENTS
from ultrarm_eval.pages.visible import visible_name

_LEFT = ("model", "label")
_RIGHT = (
    "kind",
    "task",
    "title",
    "metric",
    "filter",
    "is_main",
    "value",
    "stderr",
    "n",
    "partial",
    "in_sample",
    "other_documents",
    "data_digest",
    "date",
    "lm_eval_version",
    "file",
)
_SETTING = "setting_"
# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LONGEST = 2000


def as_csv(board: Board) -> str:
    """The board's figures as CSV.

    The model's settings have a column each, `setting_NAME`. Texts are on one line, without
    characters that would reorder or hide others; one that a spreadsheet would compute begins with
    an apostrophe.
    """
    names = list(dict.fromkeys(name for row in board.rows for name in row.settings))
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([*_LEFT, *(_text(f"{_SETTING}{name}") for name in names), *_RIGHT])
    for place, row in enumerate(board.rows):
        settings = [_text(row.settings.get(name)) for name in names]
        for figure in _figures(board, place):
            writer.writerow([_text(row.model), _text(row.label), *settings, *figure])
    return written.getvalue()


def _figures(board: Board, place: int) -> Iterator[list[str]]:
    tasks = {task.key: task for task in board.tasks}
    row = board.rows[place]
    for column in board.columns:
        figure = column.figures[place]
        if figure is None:
            continue
        task, result = tasks[column.task], row.results[column.task]
        metric, _, filter_name = column.metric.partition(",")
        yield [
            _kind(task),
            _text(task.task),
            _text(task.title),
            _text(metric),
            _text(filter_name or "none"),
            _flag(column.is_main),
            _number(figure.value),
            _number(figure.stderr),
            _text(result.documents),
            _flag(bool(result.partial)),
            _flag(IN_SAMPLE in result.marks),
            _flag(OTHER_DOCUMENTS in result.marks),
            _text(result.data_digest),
            _text(result.date),
            _text(result.lm_eval_version),
            _text(result.file),
        ]


def _kind(task: Task) -> str:
    return "group" if task.is_group else "task"


def _flag(holds: bool) -> str:
    return "true" if holds else "false"


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else repr(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, default=str)
    line = visible_name(value, _LONGEST)
    return f"'{line}" if line.startswith(_FORMULA) and not _is_number(line) else line


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False

"""A board's figures as CSV in long form: one row for each evaluation, task and metric."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

from ultrarm_eval.board.board import Board, Result, Task
from ultrarm_eval.board.column import IN_SAMPLE, OTHER_DOCUMENTS, Column
from ultrarm_eval.show.text import visible_name

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
    tasks = {task.key: _of_task(task) for task in board.tasks}
    metrics = [_of_metric(column) for column in board.columns]
    for place, row in enumerate(board.rows):
        of_row = [_text(value) for value in (row.model, row.label)]
        of_row += [_text(row.settings.get(name)) for name in names]
        results = {key: _of_result(result) for key, result in row.results.items()}
        for column, of_metric in zip(board.columns, metrics, strict=True):
            figure = column.figures[place]
            if figure is not None:
                figures = [_number(figure.value), _number(figure.stderr)]
                task, result = tasks[column.task], results[column.task]
                writer.writerow([*of_row, *task, *of_metric, *figures, *result])
    return written.getvalue()


def _of_task(task: Task) -> list[str]:
    return ["group" if task.is_group else "task", _text(task.task), _text(task.title)]


def _of_metric(column: Column) -> list[str]:
    metric, _, filter_name = column.metric.partition(",")
    return [_text(metric), _text(filter_name or "none"), _flag(column.is_main)]


def _of_result(result: Result) -> list[str]:
    return [
        _text(result.documents),
        _flag(bool(result.partial)),
        _flag(IN_SAMPLE in result.marks),
        _flag(OTHER_DOCUMENTS in result.marks),
        _text(result.data_digest),
        _text(result.date),
        _text(result.lm_eval_version),
        _text(result.file),
    ]


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

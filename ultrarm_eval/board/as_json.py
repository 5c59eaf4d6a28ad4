"""A board as JSON."""

from __future__ import annotations

import json
from typing import Any

from ultrarm_eval.board.board import Board
from ultrarm_eval.runs.plain import as_plain


def as_json(board: Board) -> str:
    """The whole board as JSON, a line for each task, row and column.

    What is no finite number is null.
    """
    parts = [f"{_text(name)}: {_lines(value)}" for name, value in as_plain(board).items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _lines(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return _text(value)
    return "[\n" + ",\n".join(map(_text, value)) + "\n]"


def _text(value: Any) -> str:
    # ASCII: a name cannot reorder or hide what stands around it.
    return json.dumps(value, ensure_ascii=True, allow_nan=False)

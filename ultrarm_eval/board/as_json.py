"""A board as JSON."""

from __future__ import annotations

import json

from ultrarm_eval.board.board import Board
from ultrarm_eval.results.plain import as_plain


def as_json(board: Board) -> str:
    """The whole board as JSON; what is no finite number is null."""
    # ASCII: a name cannot reorder or hide what stands around it.
    return json.dumps(as_plain(board), ensure_ascii=True, allow_nan=False, indent=1) + "\n"

"""The stock command ends with the message of an error of ours, and without its traceback."""

from __future__ import annotations

import os
import sys
from types import ModuleType, TracebackType
from typing import Any

from ultrarm_eval.errors import TRACEBACK_SWITCH, UltrarmEvalError, wants_traceback
from ultrarm_eval.terminal import escape_what_cannot_be_encoded

_MARK = "_ultrarm_eval_shows_messages"


def connect(_: ModuleType) -> None:
    """Sets the hook for what nobody catches, in a process that runs the harness's command line.

    Only that imports the module which is waited for: a program that calls the harness itself, or a
    notebook, keeps its tracebacks.
    """
    # The table has arrows, and metrics may have any name: a run must not end on one.
    escape_what_cannot_be_encoded(sys.stdout)
    before = sys.excepthook
    if getattr(before, _MARK, False):
        return

    def show(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> Any:
        if not isinstance(error, UltrarmEvalError) or wants_traceback():
            return before(kind, error, traceback)
        # Closed (2>&-), it is None.
        if sys.stderr is not None:
            sys.stderr.write(_message(error))
            sys.stderr.flush()
        return None

    setattr(show, _MARK, True)
    sys.excepthook = show


def _message(error: UltrarmEvalError) -> str:
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    process = f", process {os.environ.get('RANK', '0')}" if several else ""
    notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
    text = str(error) or type(error).__name__
    return (
        f"ultrarm-eval{process}: {text}{notes}\n({TRACEBACK_SWITCH}=1 shows where it was raised.)\n"
    )

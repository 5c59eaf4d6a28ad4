"""Converts other libraries' errors about a checkpoint to our own, with short quotes."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from contextlib import contextmanager

from ultrarm_eval.errors import CheckpointError, UltrarmEvalError, first_line

_MOST_CHARACTERS = 300
# Raised by libraries written in Rust; it is not a subclass of Exception.
_PANIC = "PanicException"

_quoting = reprlib.Repr()
_quoting.maxstring = _quoting.maxother = _quoting.maxlong = 60
_quoting.maxlevel = 2
_quoting.maxlist = _quoting.maxdict = 3


def quoted(value: object) -> str:
    """A value as Python writes it, shortened: it can be thousands of digits or brackets."""
    try:
        return _quoting.repr(value)
    except ValueError:
        # Python writes no number of more than 4,300 digits.
        return f"a {type(value).__name__} too large to show"


def brief(error: BaseException) -> str:
    """The first line of an exception, shortened."""
    try:
        text = first_line(error)
    except (ValueError, RecursionError):
        text = type(error).__name__
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"


@contextmanager
def as_checkpoint_error(what: str) -> Iterator[None]:
    """Turns whatever is raised inside into a `CheckpointError`; our own errors pass.

    Args:
        what: What failed, where, and the fix. The exception's first line follows in brackets.
    """
    try:
        yield
    except (UltrarmEvalError, MemoryError):
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != _PANIC:
            raise
        raise CheckpointError(f"{what} ({brief(error)}).") from error

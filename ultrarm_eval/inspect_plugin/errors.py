"""Errors before a run, which inspect_ai shows as a message without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from inspect_ai._util.error import PrerequisiteError
from rich.markup import escape

from ultrarm_eval.errors import ScoringError, UltrarmEvalError, wants_traceback


class RunRefusedError(UltrarmEvalError, PrerequisiteError):  # type: ignore[misc, unused-ignore]
    """A scorer or a task cannot be made from its arguments or data.

    Cause:
        inspect_ai was given arguments of a scorer or task (`-S`, `-T`) that are not allowed, or
        data that cannot be read.

    Fix:
        Correct the argument or the data that the message names.
    """

    def __init__(self, message: str) -> None:
        """Takes the message; inspect_ai interprets square brackets in it as markup."""
        UltrarmEvalError.__init__(self, message)
        self.message = escape(message)


@contextmanager
def prerequisite_errors() -> Iterator[None]:
    """Converts our errors to one that inspect_ai shows as a message.

    Raises:
        RunRefusedError: One of our errors was raised.
    """
    try:
        yield
    except UltrarmEvalError as error:
        if wants_traceback():
            raise
        raise RunRefusedError(str(error)) from error


@contextmanager
def located_errors(where: str) -> Iterator[None]:
    """Adds the sample to our errors.

    Raises:
        ScoringError: One of our errors was raised.
    """
    try:
        yield
    except UltrarmEvalError as error:
        raise ScoringError(f"{where}: {error}") from error

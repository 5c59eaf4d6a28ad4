"""Refusals before a run, as inspect_ai shows them: the message alone, without a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from inspect_ai._util.error import PrerequisiteError
from rich.markup import escape

from ultrarm_eval.errors import ScoringError, UltrarmEvalError, wants_traceback


class RunRefusedError(UltrarmEvalError, PrerequisiteError):  # type: ignore[misc, unused-ignore]
    """A scorer or a task cannot be made of its arguments, or of the data that they name.

    Cause:
        inspect_ai was given arguments of a scorer or task (`-S`, `-T`) that are not allowed, or
        data that cannot be read.

    Fix:
        Correct the argument or the data that the message names.
    """

    def __init__(self, message: str) -> None:
        """Takes the message; the harness reads square brackets in it as markup."""
        UltrarmEvalError.__init__(self, message)
        self.message = escape(message)


@contextmanager
def prerequisite_errors() -> Iterator[None]:
    """Hands an error of ours on as one that the harness shows as its message.

    Raises:
        RunRefusedError: There was such an error.
    """
    try:
        yield
    except UltrarmEvalError as error:
        if wants_traceback():
            raise
        raise RunRefusedError(str(error)) from error


@contextmanager
def located_errors(where: str) -> Iterator[None]:
    """Says of an error of ours in which sample it was found.

    Raises:
        ScoringError: There was such an error.
    """
    try:
        yield
    except UltrarmEvalError as error:
        raise ScoringError(f"{where}: {error}") from error

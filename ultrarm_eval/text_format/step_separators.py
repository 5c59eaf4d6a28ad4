"""Where the steps of an answer end, for judges that score steps."""

from __future__ import annotations

import re
from collections.abc import Callable

from ultrarm_eval.settings import SEPARATORS, TEXT_SEPARATOR

Split = Callable[[str], list[str]]

# A new step begins with each of these; what stands before the first is a step, too.
_STEP_BEGINS = re.compile(
    r"^(?=[ \t]*(?:#+[ \t]*|\*+)?step[ \t]*\d+\b)", re.IGNORECASE | re.MULTILINE
)
_BLANK_LINE, _LINE, _STEP = SEPARATORS
# What a command line cannot hold.
_ESCAPES = {r"\n": "\n", r"\t": "\t"}


def splitter(separator: str) -> Split:
    """Makes the function that splits an answer into its steps, without the separators.

    Args:
        separator: One of `SEPARATORS`, or another text, see `separator_text`.
    """
    if separator == _BLANK_LINE:
        return lambda answer: answer.split("\n\n")
    if separator == _LINE:
        return lambda answer: answer.split("\n")
    if separator == _STEP:
        return lambda answer: [piece for piece in _STEP_BEGINS.split(answer) if piece] or [""]
    own = separator_text(separator)
    return lambda answer: answer.split(own)


def separator_text(separator: str) -> str:
    r"""The text that a separator of one's own stands for: `\n` and `\t` are written for blanks."""
    text = separator.removeprefix(TEXT_SEPARATOR)
    for written, meant in _ESCAPES.items():
        text = text.replace(written, meant)
    return text


def without_blanks(pieces: list[str]) -> list[str]:
    """Stripped steps; empty ones are dropped, unless there is no other."""
    return [piece.strip() for piece in pieces if piece.strip()] or [""]

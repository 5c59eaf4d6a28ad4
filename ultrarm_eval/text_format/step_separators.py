"""Splits answers into steps, for process reward models."""

from __future__ import annotations

import re
from collections.abc import Callable

from ultrarm_eval.settings import SEPARATORS, TEXT_SEPARATOR

Split = Callable[[str], list[str]]

# Each match begins a step; the text before the first match is a step, too.
_STEP_BEGINS = re.compile(
    r"^(?=[ \t]*(?:#+[ \t]*|\*+)?step[ \t]*\d+\b)", re.IGNORECASE | re.MULTILINE
)
_BLANK_LINE, _LINE, _STEP = SEPARATORS
# Escapes for characters that are hard to write on a command line.
_ESCAPES = {r"\n": "\n", r"\t": "\t"}


def splitter(separator: str) -> Split:
    """Returns a function that splits an answer into its steps, without the separators.

    Args:
        separator: One of `SEPARATORS`, or another text; see `separator_text`.
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
    r"""The text of a user's own separator: `\n` and `\t` become a newline and a tab."""
    text = separator.removeprefix(TEXT_SEPARATOR)
    for written, meant in _ESCAPES.items():
        text = text.replace(written, meant)
    return text


def without_blanks(pieces: list[str]) -> list[str]:
    """The steps without surrounding whitespace; empty steps are dropped unless all are empty."""
    return [piece.strip() for piece in pieces if piece.strip()] or [""]

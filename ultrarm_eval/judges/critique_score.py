"""The overall score of 1 to 10 in a critique that a model wrote."""

from __future__ import annotations

import re

LOWEST, HIGHEST = 1.0, 10.0

_NUMBER = r"\[?\s*(\d+(?:\.\d+)?)(?!\d)(?:\s*/\s*(\d+))?"
# The prompt may end where the score begins; what comes after the line is a critique of its own.
_AT_START = re.compile(rf"\s*\**{_NUMBER}[\]*.]*[ \t]*(?=\n|$)")
_BEGINS = re.compile(rf"\s*{_NUMBER}")
_NAMED = re.compile(rf"overall\s+score\W{{0,4}}?\s*{_NUMBER}", re.IGNORECASE)
# "[1-10]" is the format, repeated, and no score.
_RANGE = re.compile(r"[ \t]*(?:-|–|to\b)[ \t]*\d")  # noqa: RUF001


def read_score(critique: str) -> float | None:
    """The score of a critique; None if there is no readable one.

    Args:
        critique: What the model wrote behind its prompt.
    """
    found = _AT_START.match(critique) or _NAMED.search(critique) or _BEGINS.match(critique)
    if found is None or _RANGE.match(critique, found.end()):
        return None
    score, out_of = float(found[1]), found[2]
    if out_of not in (None, "10") or not LOWEST <= score <= HIGHEST:
        return None
    return score

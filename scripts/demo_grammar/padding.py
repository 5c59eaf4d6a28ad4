"""Neutral sentences that decide how long a completion is, whatever its quality."""

from __future__ import annotations

from itertools import pairwise
from random import Random

# Rungs in characters. A rung is wider than any remark a flaw adds, so that the order of the
# lengths in a row is almost the order of the rungs, which is drawn regardless of quality.
_MINIMUM_LENGTHS = (0, 110, 180, 250)
_JITTER = 30

_SUBJECTS = ("This reply", "The text here", "What you read here", "My message")
_PREDICATES = (
    "is written for a general reader",
    "uses plain words",
    "follows the order of your message",
    "stands on its own",
    "was put together in one go",
    "can be read in a minute",
)
_GREETINGS = ("Hello.", "Thank you for your message.", "I have read your message.", "Good day.")
_CLOSINGS = (
    "Write again whenever you like.",
    "That is all from me.",
    "I hope you have a nice day.",
    "Your next message is welcome.",
)


def draw_minimum_lengths(rng: Random) -> list[int]:
    """Draws the least lengths of a row's completions, in an order that knows no quality."""
    lengths = [minimum + rng.randint(0, _JITTER) if minimum else 0 for minimum in _MINIMUM_LENGTHS]
    rng.shuffle(lengths)
    return lengths


def pad(rng: Random, core: list[str], minimum_length: int) -> str:
    """Surrounds a completion with neutral sentences until it is long enough.

    Args:
        rng: Source of the choices.
        core: The parts of the completion.
        minimum_length: Least length in characters.
    """
    parts = list(core)
    statements = [f"{subject} {verb}." for subject in _SUBJECTS for verb in _PREDICATES]
    rng.shuffle(statements)
    statements.append(rng.choice(_CLOSINGS))
    greeting = rng.choice(_GREETINGS)
    if minimum_length > len(_joined(parts)):
        parts.insert(0, greeting)
    while len(_joined(parts)) < minimum_length and statements:
        sentence = statements.pop()
        # The closing comes first from the stack, so statements land before it or after the
        # greeting, never around them.
        if sentence in _CLOSINGS:
            parts.append(sentence)
        else:
            parts.insert(rng.choice((1, len(parts) - 1)), sentence)
    return _joined(parts)


def _joined(parts: list[str]) -> str:
    """Joins parts; one that spans lines gets lines of its own."""
    text = parts[0]
    for before, part in pairwise(parts):
        text += ("\n" if "\n" in before or "\n" in part else " ") + part
    return text

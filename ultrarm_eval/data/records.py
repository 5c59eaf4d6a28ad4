"""One prompt with its rated completions: the common form of all schemas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Location, Row
from ultrarm_eval.messages import Message

# Location and Row are re-exported for the sources of plugins.
__all__ = ["DataCounts", "Location", "PromptRecord", "RatedCompletion", "Row", "read_name"]


@dataclass(frozen=True)
class RatedCompletion:
    """A completion and its ratings.

    Attributes:
        text: The completion.
        ratings: Its exact ratings by the name of the preference; higher is better; a name without a
            rating is missing.
        model: The model that wrote it, if known.
        unusable_for: Preferences for which the completion is excluded because its rating is known
            to be wrong, and why.
    """

    text: str
    ratings: Mapping[str, Fraction]
    model: str | None = None
    unusable_for: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PromptRecord:
    """A prompt with its completions.

    Attributes:
        prompt: The conversation before the completions.
        completions: The completions that are text, in the data's order.
        source: The collection of the prompt, if known.
    """

    prompt: tuple[Message, ...]
    completions: tuple[RatedCompletion, ...]
    source: str | None = None

    def usable_by(self, preference: str) -> tuple[RatedCompletion, ...]:
        """The completions that can be compared by a preference."""
        return tuple(c for c in self.completions if preference not in c.unusable_for)


def read_name(value: object, otherwise: str, counts: DataCounts) -> str | None:
    """A name as text; None if there is none; anything else is counted."""
    if value is not None and not isinstance(value, str):
        counts.add(otherwise)
        return None
    return value

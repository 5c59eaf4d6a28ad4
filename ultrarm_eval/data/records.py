"""One prompt with its rated completions: what every schema is turned into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Location, Row
from ultrarm_eval.messages import Message

# With the place and the type of a row: what a plugin's source is written with.
__all__ = ["DataCounts", "Location", "PromptRecord", "RatedCompletion", "Row", "read_name"]


@dataclass(frozen=True)
class RatedCompletion:
    """A completion and how good it was rated.

    Attributes:
        text: The completion.
        ratings: Its exact ratings by the name of the preference they express; higher is better;
            a name is missing where there is no rating.
        model: Who wrote it, if the data say so.
        unusable_for: Preferences under which the completion has to be left out, and why: its
            rating is known to be wrong.
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
        completions: The completions that are texts, in the data's order.
        source: The collection the prompt is from, if the data say so.
    """

    prompt: tuple[Message, ...]
    completions: tuple[RatedCompletion, ...]
    source: str | None = None

    def usable_by(self, preference: str) -> tuple[RatedCompletion, ...]:
        """The completions that can be compared by a preference at all."""
        return tuple(c for c in self.completions if preference not in c.unusable_for)


def read_name(value: object, otherwise: str, counts: DataCounts) -> str | None:
    """A name as text; None where there is none, counted where it is something else."""
    if value is not None and not isinstance(value, str):
        counts.add(otherwise)
        return None
    return value

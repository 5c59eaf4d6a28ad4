"""One prompt with its rated completions: what every schema is turned into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

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


@dataclass
class DataCounts:
    """What was used, and what was left out and why. Nothing disappears without standing here.

    Attributes:
        counts: How often each thing was counted.
        parts: How often by part, for things that have one, such as an aspect.
        first: Where each was counted first.
        why: What was wrong there, for things that have several causes.
        where: The row that is being read.
    """

    counts: Counter[str] = field(default_factory=Counter)
    parts: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: dict[str, Location] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    where: Location | None = None

    def add(
        self, what: str, number: int = 1, *, part: str | None = None, why: str | None = None
    ) -> None:
        """Counts something, what part of it if it has parts, and why if that can be several."""
        if not number:
            return
        self.counts[what] += number
        if part is not None:
            self.parts[what, part] += number
        if self.where is not None and what not in self.first:
            self.first[what] = self.where
        if why is not None:
            self.why.setdefault(what, why)

    def merge(self, other: DataCounts) -> None:
        """Adds everything another one counted."""
        self.counts.update(other.counts)
        self.parts.update(other.parts)
        self.first = {**other.first, **self.first}
        self.why = {**other.why, **self.why}

    def only_reason(self) -> str | None:
        """Why no row is used, where all of them are left out for the same reason; None otherwise.

        A sentence with the first row's place.
        """
        left_out = [name for name in self.counts if "_left_out_" in name]
        if len(left_out) != 1 or self.counts[left_out[0]] != self.counts["rows"]:
            return None
        (name,) = left_out
        if name not in self.why or name not in self.first:
            return None
        number = self.counts["rows"]
        rows = "The only row is" if number == 1 else f"All {number:,} rows are"
        return f"{rows} left out for one reason. {self.first[name].place}: {self.why[name]}."

    def __getitem__(self, what: str) -> int:
        return self.counts[what]

    def as_dict(self) -> dict[str, int]:
        """The counts by name."""
        return dict(self.counts)


def read_name(value: object, otherwise: str, counts: DataCounts) -> str | None:
    """A name as text; None where there is none, counted where it is something else."""
    if value is not None and not isinstance(value, str):
        counts.add(otherwise)
        return None
    return value

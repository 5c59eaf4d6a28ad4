"""Sums over the prompts, ratings and completions of a data set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from ultrarm_eval.data.records import PromptRecord, RatedCompletion
from ultrarm_eval.metrics.within_prompt import pick_longest
from ultrarm_eval.pairs import preference_pairs


@dataclass
class PairTally:
    """Pairs under one preference, and the longest-answer baseline on them.

    Attributes:
        prompts: Prompts with at least one pair.
        pairs: The pairs.
        longest_credit: Pairs that the longest-answer baseline ranks correctly; equal lengths count
            one half.
    """

    prompts: int = 0
    pairs: int = 0
    longest_credit: float = 0.0

    def add(self, record: PromptRecord, preference: str, min_gap: Fraction) -> None:
        """Adds the pairs of a prompt."""
        completions = record.usable_by(preference)
        pairs = preference_pairs([c.ratings.get(preference) for c in completions], min_gap)
        if pairs:
            self.prompts += 1
            self.pairs += len(pairs)
            self.longest_credit += pick_longest(pairs, [len(c.text) for c in completions])[0]

    @property
    def pick_longest_accuracy(self) -> float | None:
        """The accuracy of the longest-answer baseline; None without pairs."""
        return self.longest_credit / self.pairs if self.pairs else None

    def as_dict(self) -> dict[str, Any]:
        """The statistics by name."""
        return {
            "prompts": self.prompts,
            "pairs": self.pairs,
            "acc_longest": self.pick_longest_accuracy,
        }


@dataclass
class SourceTally:
    """The prompts of one source."""

    rows: int = 0
    readable: int = 0
    completions: int = 0
    prompt_characters: int = 0
    completion_characters: int = 0
    pairs: PairTally = field(default_factory=PairTally)

    def add(self, record: PromptRecord, preference: str, min_gap: Fraction) -> None:
        """Adds a readable prompt; rows are counted separately."""
        self.readable += 1
        self.completions += len(record.completions)
        self.prompt_characters += sum(len(message["content"]) for message in record.prompt)
        self.completion_characters += sum(len(c.text) for c in record.completions)
        self.pairs.add(record, preference, min_gap)

    def as_dict(self) -> dict[str, Any]:
        """The statistics by name; lengths in characters."""
        return {
            "rows": self.rows,
            "completions": self.completions,
            **self.pairs.as_dict(),
            "mean_prompt_length": _ratio(self.prompt_characters, self.readable),
            "mean_completion_length": _ratio(self.completion_characters, self.completions),
        }


@dataclass
class RatingTally:
    """The ratings under one preference."""

    rated: int = 0
    values: Counter[Fraction] = field(default_factory=Counter)
    pairs: PairTally = field(default_factory=PairTally)

    def add(self, record: PromptRecord, preference: str, min_gap: Fraction) -> None:
        """Adds the ratings of a prompt."""
        for completion in record.usable_by(preference):
            rating = completion.ratings.get(preference)
            if rating is not None:
                self.rated += 1
                self.values[rating] += 1
        self.pairs.add(record, preference, min_gap)

    def as_dict(self) -> dict[str, Any]:
        """The statistics by name."""
        total = sum((value * count for value, count in self.values.items()), Fraction(0))
        return {
            "rated": self.rated,
            "mean": float(total / self.rated) if self.rated else None,
            "lowest": float(min(self.values)) if self.values else None,
            "highest": float(max(self.values)) if self.values else None,
            **self.pairs.as_dict(),
        }


@dataclass
class ModelTally:
    """The completions of one model."""

    completions: int = 0
    characters: int = 0
    rated: int = 0
    total: Fraction = Fraction(0)

    def add(self, completion: RatedCompletion, preference: str) -> None:
        """Adds a completion."""
        self.completions += 1
        self.characters += len(completion.text)
        rating = completion.ratings.get(preference)
        if rating is not None:
            self.rated += 1
            self.total += rating

    def as_dict(self) -> dict[str, Any]:
        """The statistics by name; lengths in characters."""
        return {
            "completions": self.completions,
            "mean_rating": float(self.total / self.rated) if self.rated else None,
            "mean_length": _ratio(self.characters, self.completions),
        }


def _ratio(total: float, number: int) -> float | None:
    return total / number if number else None

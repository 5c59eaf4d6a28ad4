"""A row of preference data for a reader: answers, ratings, and which pairs count."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from typing import Any

from ultrarm_eval.data.counts import DataCounts, is_left_out
from ultrarm_eval.data.records import PromptRecord, RatedCompletion
from ultrarm_eval.data.rows import Location, Row
from ultrarm_eval.documents.prompt_counts import WITHOUT_PAIRS, PromptCounts
from ultrarm_eval.errors import DataError
from ultrarm_eval.inspection.inspection import AMOUNTS
from ultrarm_eval.messages import Message
from ultrarm_eval.pairs import WITHOUT_RATING, preference_pairs, why_no_pair
from ultrarm_eval.rules import ComparisonRules
from ultrarm_eval.sources.preference_data import PreferenceData


@dataclass(frozen=True)
class CompletionView:
    """A completion.

    Attributes:
        text: The completion.
        model: Who wrote it, if known.
        ratings: All its ratings by name.
        rating: The rating that orders the pairs; None where missing or known to be wrong.
        rank_by_rating: One plus the number with a higher rating; equal ratings share a rank.
        left_out: Why it is not compared; None where it is.
        notes: The rater's texts about it, by name.
        reward: A judge's reward; None without a judge or where it gave none.
        rank: One plus the number with a higher reward.
    """

    text: str
    model: str | None
    ratings: Mapping[str, Fraction]
    rating: Fraction | None
    rank_by_rating: int | None
    left_out: str | None
    notes: Mapping[str, str]
    reward: float | None = None
    rank: int | None = None


@dataclass(frozen=True)
class PairView:
    """A pair that counts.

    Attributes:
        chosen: The index of the completion with the higher rating.
        rejected: The index of the other one.
        gap: The difference in rating.
        identical: Whether both texts are identical, which is a tie for any judge.
    """

    chosen: int
    rejected: int
    gap: Fraction
    identical: bool


@dataclass(frozen=True)
class NoPairView:
    """Two completions that do not form a pair.

    Attributes:
        completions: Their indices.
        reason: Why not.
    """

    completions: tuple[int, int]
    reason: str


@dataclass(frozen=True)
class RowView:
    """A row.

    Attributes:
        where: Its location.
        source: The collection it is from, if known.
        columns: The names of its columns.
        preference: The rating that orders the pairs.
        prompt: The conversation before the completions.
        completions: The completions.
        pairs: The pairs that count.
        no_pairs: Those that do not, and why.
        left_out: Why the row is excluded: names of counts, as in a task's results.
        why: What exactly is wrong, for some of these.
        error: The error that stops a task; None where the row is readable.
        counts: What a task counts of the row.
        fields: The other fields of the row; all of them where it is excluded unread.
    """

    where: Location
    source: str | None
    columns: tuple[str, ...]
    preference: str
    prompt: tuple[Message, ...] = ()
    completions: tuple[CompletionView, ...] = ()
    pairs: tuple[PairView, ...] = ()
    no_pairs: tuple[NoPairView, ...] = ()
    left_out: tuple[str, ...] = ()
    why: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_judged(self) -> bool:
        """Whether a completion has a reward."""
        return any(completion.reward is not None for completion in self.completions)

    def margin(self, pair: PairView) -> float | None:
        """The reward of chosen minus rejected of a pair; None without both."""
        better, worse = (self.completions[i].reward for i in (pair.chosen, pair.rejected))
        return None if better is None or worse is None else better - worse

    def with_rewards(self, rewards: Sequence[float | None]) -> RowView:
        """The row with a judge's reward of each completion; None or NaN where it gave none."""
        known = [None if r is None or math.isnan(r) else float(r) for r in rewards]
        judged = [
            dataclasses.replace(completion, reward=reward, rank=rank)
            for completion, reward, rank in zip(self.completions, known, _ranks(known), strict=True)
        ]
        return dataclasses.replace(self, completions=tuple(judged))


def view_row(data: PreferenceData, index: int, rules: ComparisonRules) -> RowView:
    """Reads one row as the tasks do, and records how they treat it.

    Args:
        data: The data.
        index: The row's index, from 0.
        rules: The preference, and the minimum gap.

    Raises:
        ConfigurationError: The data have no such preference.
        DataError: There is nothing to show: the row's text cannot be decoded or parsed.
    """
    preference = data.source.checked_preference(rules, data.origin)
    row = data.rows[index]
    counts = DataCounts(where=data.rows.where(index))
    label = data.source.label_of(row)
    view = RowView(
        data.rows.where(index),
        label if isinstance(label, str) else None,
        tuple(map(str, row)),
        preference,
        fields=dict(row),
    )
    try:
        record = data.record(index, row, counts)
    except DataError as error:
        return dataclasses.replace(view, error=str(error))
    if record is None:
        left_out = tuple(filter(is_left_out, counts.counts))
        why = dict(counts.why)
        return dataclasses.replace(view, left_out=left_out, why=why, counts=_told(counts))
    has_pair = PromptCounts(rules, preference, data.source.aspects).count(record, counts)
    completions = _completions(record, preference, _notes(data, row, record))
    return dataclasses.replace(
        view,
        prompt=record.prompt,
        completions=completions,
        pairs=_pairs(completions, rules.min_gap),
        no_pairs=_no_pairs(completions, rules.min_gap),
        left_out=() if has_pair else (WITHOUT_PAIRS,),
        why=dict(counts.why),
        counts=_told(counts),
        fields=_other_fields(row, record),
    )


def judge_rows(
    views: Sequence[RowView], score: Callable[[Sequence[Any], Sequence[str]], Sequence[float]]
) -> list[RowView]:
    """The rows with a judge's rewards.

    Args:
        views: The rows.
        score: Gives a reward to each of some completions, from their prompts and their texts.
    """
    prompts = [view.prompt or None for view in views for _ in view.completions]
    texts = [completion.text for view in views for completion in view.completions]
    rewards = iter(score(prompts, texts) if texts else ())
    return [view.with_rewards([next(rewards) for _ in view.completions]) for view in views]


def _told(counts: DataCounts) -> dict[str, int]:
    """The counts of a row other than the amounts that are visible anyway."""
    return {name: n for name, n in counts.as_dict().items() if name not in AMOUNTS}


def _notes(data: PreferenceData, row: Row, record: PromptRecord) -> list[Mapping[str, str]]:
    read = data.source.read_notes
    notes = list(read(row)) if read is not None else []
    # Another package's source may have none for some completions.
    return [*notes, *[{}] * len(record.completions)][: len(record.completions)]


def _completions(
    record: PromptRecord, preference: str, notes: Sequence[Mapping[str, str]]
) -> tuple[CompletionView, ...]:
    ratings = [
        None if preference in completion.unusable_for else completion.ratings.get(preference)
        for completion in record.completions
    ]
    return tuple(
        CompletionView(
            completion.text,
            completion.model,
            completion.ratings,
            rating,
            rank,
            _why_left_out(completion, rating, preference),
            note,
        )
        for completion, rating, rank, note in zip(
            record.completions, ratings, _ranks(ratings), notes, strict=True
        )
    )


def _why_left_out(
    completion: RatedCompletion, rating: Fraction | None, preference: str
) -> str | None:
    if preference in completion.unusable_for:
        return completion.unusable_for[preference]
    return WITHOUT_RATING if rating is None else None


def _pairs(completions: Sequence[CompletionView], min_gap: Fraction) -> tuple[PairView, ...]:
    ratings = [completion.rating for completion in completions]
    found = []
    for pair in preference_pairs(ratings, min_gap):
        chosen, rejected = completions[pair.chosen], completions[pair.rejected]
        gap = (chosen.rating or Fraction(0)) - (rejected.rating or Fraction(0))
        is_same = chosen.text == rejected.text
        found.append(PairView(pair.chosen, pair.rejected, gap, is_same))
    return tuple(found)


def _no_pairs(completions: Sequence[CompletionView], min_gap: Fraction) -> tuple[NoPairView, ...]:
    found = []
    for (i, first), (j, second) in combinations(enumerate(completions), 2):
        why = why_no_pair(first.rating, second.rating, min_gap)
        if why is not None:
            # Why a completion is excluded is a better reason than its missing rating.
            found.append(NoPairView((i, j), first.left_out or second.left_out or why))
    return tuple(found)


def _ranks(values: Sequence[Any]) -> list[int | None]:
    """The rank of each value, the highest first; equal ones share a rank."""
    known = [value for value in values if value is not None]
    return [
        None if value is None else 1 + sum(bool(other > value) for other in known)
        for value in values
    ]


def _other_fields(row: Row, record: PromptRecord) -> dict[str, Any]:
    """The plain values of a row that are not shown elsewhere."""
    shown = {record.source, *(message["content"] for message in record.prompt)}
    shown |= {completion.text for completion in record.completions}
    return {
        str(name): value
        for name, value in row.items()
        if (value is None or isinstance(value, str | int | float)) and value not in shown
    }

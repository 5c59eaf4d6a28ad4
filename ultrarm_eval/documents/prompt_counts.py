"""Counts the contents of a data set's prompts: pairs, ratings, and irregularities."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.records import PromptRecord, RatedCompletion
from ultrarm_eval.pairs import BELOW_MIN_GAP, EQUAL_RATINGS, preference_pairs, why_no_pair
from ultrarm_eval.rules import ComparisonRules


def texts_digest(prompt: Sequence[Mapping[str, Any]], completions: Iterable[str]) -> bytes:
    """A hash that is equal for the same conversation with the same answers in the same order."""
    digest = hashlib.blake2b(digest_size=16)
    for text in (*(str(text) for m in prompt for text in (m["role"], m["content"])), *completions):
        encoded = text.encode("utf-8")
        digest.update(len(encoded).to_bytes(8, "little"))
        digest.update(encoded)
    return digest.digest()


#: The count of prompts without any pair.
WITHOUT_PAIRS = "rows_left_out_without_pairs"


class PromptCounts:
    """Counts prompts one by one, and remembers them to find duplicates."""

    def __init__(self, rules: ComparisonRules, preference: str, aspects: Sequence[str]) -> None:
        """Starts counting.

        Args:
            rules: How completions are compared.
            preference: The rating that decides which answer is chosen.
            aspects: Ratings that get their own accuracy.
        """
        self._rules, self._preference, self._aspects = rules, preference, aspects
        self._seen: set[bytes] = set()

    def count(self, record: PromptRecord, counts: DataCounts) -> bool:
        """Counts a prompt's contents, and returns whether it has a pair."""
        for completion in record.completions:
            reason = completion.unusable_for.get(self._preference)
            if reason is not None:
                counts.add(f"completions_left_out_{reason}")
        completions = record.usable_by(self._preference)
        rated = [c for c in completions if self._preference in c.ratings]
        counts.add("completions_without_rating", len(completions) - len(rated))
        has_pair = self._count_pairs(rated, counts)
        self._count_identical_answers(rated, counts)
        counts.add("rows_repeating_another", int(self._has_seen(record)))
        self._count_aspects(completions, counts, has_pair=has_pair)
        if not has_pair:
            counts.add(WITHOUT_PAIRS)
        return has_pair

    def _has_seen(self, record: PromptRecord) -> bool:
        """Whether the same conversation with the same answers was counted before."""
        before = len(self._seen)
        self._seen.add(texts_digest(record.prompt, (c.text for c in record.completions)))
        return len(self._seen) == before

    def _count_pairs(self, rated: Sequence[RatedCompletion], counts: DataCounts) -> bool:
        ratings = [completion.ratings[self._preference] for completion in rated]
        pairs = preference_pairs(ratings, self._rules.min_gap)
        why_not = Counter(
            why_no_pair(a, b, self._rules.min_gap) for a, b in combinations(ratings, 2)
        )
        counts.add("pairs", len(pairs))
        lengths = [len(completion.text) for completion in rated]
        counts.add(
            "pairs_of_equal_length", sum(lengths[p.chosen] == lengths[p.rejected] for p in pairs)
        )
        for reason in (BELOW_MIN_GAP, EQUAL_RATINGS):
            counts.add(f"pairs_left_out_{reason}", why_not[reason])
        return bool(pairs)

    def _count_identical_answers(
        self, rated: Sequence[RatedCompletion], counts: DataCounts
    ) -> None:
        name = self._preference
        identical = sum(
            a.text == b.text and a.ratings[name] != b.ratings[name]
            for a, b in combinations(rated, 2)
        )
        counts.add("pairs_with_identical_answers", identical)

    def _count_aspects(
        self, completions: Sequence[RatedCompletion], counts: DataCounts, *, has_pair: bool
    ) -> None:
        for aspect in self._aspects:
            ratings = [completion.ratings.get(aspect) for completion in completions]
            pairs = preference_pairs(ratings, self._rules.min_gap)
            if not has_pair:
                counts.add("aspect_pairs_left_out_with_their_row", len(pairs))
            elif pairs:
                counts.add(f"pairs_by_{aspect}", len(pairs))
            else:
                counts.add(f"documents_without_pairs_by_{aspect}")

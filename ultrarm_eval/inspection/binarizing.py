"""Pairs out of rated completions, in the binarised schema that trainers read.

The schema is HuggingFaceH4/ultrafeedback_binarized's (`prompt`, `prompt_id`, `chosen` and
`rejected` as message lists, `score_chosen`, `score_rejected`; `prompt_id` is the prompt's SHA-256),
with columns that say where a pair is from. H4 drew the rejected answer from all others, equal
scores included (its data card); here every pair has a preference.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from ultrarm_eval.data.opened import OpenedData
from ultrarm_eval.documents.left_out import left_out_remarks
from ultrarm_eval.errors import ConfigurationError, DataError, unknown_choice
from ultrarm_eval.inspection.census import Census
from ultrarm_eval.messages import Message, as_plain_text
from ultrarm_eval.pairs import PreferencePair, preference_pairs
from ultrarm_eval.rules import ComparisonRules
from ultrarm_eval.sources.records import DataCounts, PromptRecord, RatedCompletion

ALL, BEST_VS_RANDOM, BEST_VS_WORST = "all", "best_vs_random", "best_vs_worst"
#: Which pairs of a prompt are taken.
CHOICES = (ALL, BEST_VS_RANDOM, BEST_VS_WORST)


class BinarizedRows:
    """The rows of the binarised schema, made one by one.

    Attributes:
        preference: The rating that orders the pairs.
        counts: What was made, and what was left out and why; complete once all rows are made.
    """

    def __init__(
        self, data: OpenedData, rules: ComparisonRules, *, pairs: str = ALL, seed: int = 0
    ) -> None:
        """Checks what is asked for.

        Args:
            data: The data.
            rules: The preference and the least gap.
            pairs: Which pairs of a prompt are taken: `all`; `best_vs_random`, a top-rated
                completion and one that is rated lower; `best_vs_worst`, a top-rated and a
                lowest-rated one. Where several fit, one is drawn.
            seed: Makes the draw repeatable. Each row has its own, so that the same row of the
                same data gives the same pair whatever stands around it.

        Raises:
            ConfigurationError: The data has no such preference or no ratings at all, or there is
                no such choice.
        """
        if pairs not in CHOICES:
            raise unknown_choice("choice of pairs", pairs, CHOICES)
        if not data.source.has_ratings:
            raise ConfigurationError(
                f"{data.origin}: these data are pairs without ratings already; there is nothing "
                "to binarize."
            )
        self.preference = data.source.checked_preference(rules, data.origin)
        self.counts = DataCounts()
        self._data, self._rules, self._pairs, self._seed = data, rules, pairs, seed

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Makes the rows.

        Raises:
            DataError: A row of the data cannot be read, or no pair is left.
        """
        self.counts = DataCounts()
        census = Census(self.counts, self._rules, self.preference, ())
        for index, row in self._data.read(range(len(self._data.rows))):
            self.counts.where = self._data.where(index)
            record = self._data.record(index, row, self.counts)
            if record is None or not census.count(record):
                continue
            taken = self._taken(index, record.usable_by(self.preference))
            self.counts.add("prompts_without_written_pair", int(not taken))
            for chosen, rejected in taken:
                self.counts.add("pairs_written")
                yield self._row(index, record, chosen, rejected)
        if not self.counts["pairs_written"]:
            left_out = ", ".join(f"{name}={n}" for name, n in self.counts.as_dict().items())
            only = self.counts.only_reason() or ""
            raise DataError(
                f"{self._data.origin}: no pair is left to write ({left_out}). {only}".rstrip()
            )

    def remarks(self) -> list[str]:
        """What has to be said about the data, beyond the counts: above all what is left out."""
        source = self._data.source
        return [*source.remarks(self.counts), *left_out_remarks(self.counts, source.advice)]

    def _taken(
        self, index: int, completions: Sequence[RatedCompletion]
    ) -> list[tuple[RatedCompletion, RatedCompletion]]:
        ratings = [completion.ratings.get(self.preference) for completion in completions]
        pairs = preference_pairs(ratings, self._rules.min_gap)
        different = [p for p in pairs if completions[p.chosen].text != completions[p.rejected].text]
        self.counts.add("pairs_left_out_identical_answers", len(pairs) - len(different))
        if self._pairs != ALL:
            different = self._drawn(index, different, ratings)
        return [(completions[p.chosen], completions[p.rejected]) for p in different]

    def _drawn(
        self, index: int, pairs: Sequence[PreferencePair], ratings: Sequence[Fraction | None]
    ) -> list[PreferencePair]:
        """One of the pairs that fit the choice; none where none does."""
        rated = [rating for rating in ratings if rating is not None]
        best, worst = max(rated), min(rated)
        fitting = [
            pair
            for pair in pairs
            if ratings[pair.chosen] == best
            and (self._pairs != BEST_VS_WORST or ratings[pair.rejected] == worst)
        ]
        draw = random.Random(f"{self._seed}/{index}")  # noqa: S311 - nothing secret is drawn
        return [draw.choice(fitting)] if fitting else []

    def _row(
        self, index: int, record: PromptRecord, chosen: RatedCompletion, rejected: RatedCompletion
    ) -> dict[str, Any]:
        prompt = as_plain_text(record.prompt) if record.prompt else None

        def side(completion: RatedCompletion) -> list[Message]:
            return [*record.prompt, Message(role="assistant", content=completion.text)]

        return {
            "prompt": prompt,
            "prompt_id": hashlib.sha256((prompt or "").encode("utf-8")).hexdigest(),
            "chosen": side(chosen),
            "rejected": side(rejected),
            "score_chosen": float(chosen.ratings[self.preference]),
            "score_rejected": float(rejected.ratings[self.preference]),
            "source": record.source,
            "chosen_model": chosen.model,
            "rejected_model": rejected.model,
            "row": index,
        }

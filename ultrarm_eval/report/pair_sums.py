"""Sums over the pairs of each prompt, resampled once for all statistics of a task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ultrarm_eval.metrics.over_prompts import length_controlled_accuracy
from ultrarm_eval.report.ranges import Mask, ranges
from ultrarm_eval.runs.sample import REFERENCE
from ultrarm_eval.runs.samples import Samples
from ultrarm_eval.stats.bootstrap import PromptSums
from ultrarm_eval.stats.interval import Interval
from ultrarm_eval.stats.interval_estimators import constant_interval

#: The dimensions by which pairs are split.
GAP, LENGTH = "rating gap", "length"
#: The indices of the subsets that always exist; a subset may be empty.
ALL, LONGER, SHORTER, EQUAL = range(4)


@dataclass(frozen=True)
class PairPart:
    """A subset of the pairs.

    Attributes:
        dimension: The dimension by which pairs are split.
        name: The subset's name.
        mask: Which pairs are in it.
    """

    dimension: str
    name: str
    mask: Mask


@dataclass(frozen=True)
class PairSums:
    """The credit and the number of pairs of each subset, summed over each prompt.

    Attributes:
        parts: All pairs; those in which the chosen answer is longer, shorter and equally long; and
            those by rating gap.
        sums: The credit of each subset, the number of pairs of each subset, and the credit of the
            longest-answer baseline.
    """

    parts: tuple[PairPart, ...]
    sums: PromptSums

    @classmethod
    def of(cls, samples: Samples) -> PairSums | None:
        """The sums of a task; None without pairs."""
        if not len(samples.pairs):
            return None
        parts = (*_by_relative_length(samples), *_by_gap(samples))
        credit = samples.pairs.credit.to_numpy()
        masks = [part.mask.astype(np.float64) for part in parts]
        longest = masks[LONGER] + 0.5 * masks[EQUAL]
        sums = samples.by_prompt(*(credit * mask for mask in masks), *masks, longest)
        return cls(parts, PromptSums.of(sums))

    def accuracy(self, part: int) -> Interval | None:
        """The interval of the accuracy on a subset, by its index."""
        return self.sums.ratio(part, len(self.parts) + part, bounds=(0.0, 1.0))

    @property
    def longest(self) -> Interval | None:
        """The interval of the longest-answer baseline's accuracy."""
        return self.sums.ratio(-1, len(self.parts) + ALL, bounds=(0.0, 1.0))

    @property
    def by_length(self) -> list[int]:
        """The columns of credit and pairs where chosen is longer, and where it is shorter."""
        return [LONGER, len(self.parts) + LONGER, SHORTER, len(self.parts) + SHORTER]

    @property
    def length_controlled(self) -> Interval | None:
        """The interval of the length-controlled accuracy."""
        found = self.sums.statistic(
            lambda sums: length_controlled_accuracy([sums.tolist()]), self.by_length
        )
        if found is not None and found.low == found.high:
            # All prompts are alike here; other prompts may still differ.
            return constant_interval(
                found.low, len(self.sums.rows), level=found.level, bounds=(0.0, 1.0)
            )
        return found


def _by_relative_length(samples: Samples) -> Iterator[PairPart]:
    difference = (samples.pairs.chosen_length - samples.pairs.rejected_length).to_numpy()
    better = "answer" if samples.kind == REFERENCE else "chosen"
    yield PairPart("pairs", "all pairs", np.ones(len(difference), np.bool_))
    yield PairPart(LENGTH, f"{better} is longer", difference > 0)
    yield PairPart(LENGTH, f"{better} is shorter", difference < 0)
    yield PairPart(LENGTH, "equally long", difference == 0)


def _by_gap(samples: Samples) -> Iterator[PairPart]:
    # Ratings are exact fractions, their differences in floats are not.
    gaps = samples.pairs.gap.round(9).to_numpy()
    # Correct and incorrect answers of a benchmark all differ by one.
    if not np.isnan(gaps).any() and len(np.unique(gaps)) > 1:
        for name, mask in ranges(gaps, ""):
            yield PairPart(GAP, name, mask)

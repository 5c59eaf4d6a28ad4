"""Sums over the pairs of each prompt, drawn again once for all figures of a task."""

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

#: What tells parts of the pairs apart.
GAP, LENGTH = "rating gap", "length"
#: The numbers of parts that there always are; a part may be without pairs.
ALL, LONGER, SHORTER, EQUAL = range(4)


@dataclass(frozen=True)
class PairPart:
    """A part of the pairs.

    Attributes:
        dimension: What tells parts apart.
        name: Which part it is.
        mask: Which pairs are in it.
    """

    dimension: str
    name: str
    mask: Mask


@dataclass(frozen=True)
class PairSums:
    """What the pairs of each part are worth and how many they are, summed over each prompt.

    Attributes:
        parts: All pairs; those in which the better answer is longer, shorter and equally long; and
            those by rating gap.
        sums: The credit of each part, the pairs of each part, and the credit of picking the longer
            answer of each pair.
    """

    parts: tuple[PairPart, ...]
    sums: PromptSums

    @classmethod
    def of(cls, samples: Samples) -> PairSums | None:
        """Those of a task; None without pairs."""
        if not len(samples.pairs):
            return None
        parts = (*_by_relative_length(samples), *_by_gap(samples))
        credit = samples.pairs.credit.to_numpy()
        masks = [part.mask.astype(np.float64) for part in parts]
        longest = masks[LONGER] + 0.5 * masks[EQUAL]
        sums = samples.by_prompt(*(credit * mask for mask in masks), *masks, longest)
        return cls(parts, PromptSums.of(sums))

    def accuracy(self, part: int) -> Interval | None:
        """The interval of the accuracy on a part, by its number."""
        return self.sums.ratio(part, len(self.parts) + part, bounds=(0.0, 1.0))

    @property
    def longest(self) -> Interval | None:
        """That of the accuracy of picking the longer answer of each pair."""
        return self.sums.ratio(-1, len(self.parts) + ALL, bounds=(0.0, 1.0))

    @property
    def by_length(self) -> list[int]:
        """The columns of credit and pairs where the better answer is longer and where shorter."""
        return [LONGER, len(self.parts) + LONGER, SHORTER, len(self.parts) + SHORTER]

    @property
    def length_controlled(self) -> Interval | None:
        """That of the length-controlled accuracy."""
        found = self.sums.statistic(
            lambda sums: length_controlled_accuracy([sums.tolist()]), self.by_length
        )
        if found is not None and found.low == found.high:
            # No prompt differs from the others: other prompts still may.
            return constant_interval(
                found.low, len(self.sums.rows), level=found.level, bounds=(0.0, 1.0)
            )
        return found


def _by_relative_length(samples: Samples) -> Iterator[PairPart]:
    difference = (samples.pairs.chosen_length - samples.pairs.rejected_length).to_numpy()
    better = "answer" if samples.kind == REFERENCE else "better answer"
    yield PairPart("pairs", "all pairs", np.ones(len(difference), np.bool_))
    yield PairPart(LENGTH, f"{better} is longer", difference > 0)
    yield PairPart(LENGTH, f"{better} is shorter", difference < 0)
    yield PairPart(LENGTH, "equally long", difference == 0)


def _by_gap(samples: Samples) -> Iterator[PairPart]:
    # Ratings are exact fractions, their differences here are not.
    gaps = samples.pairs.gap.round(9).to_numpy()
    # A benchmark's right and wrong answers all differ by one.
    if not np.isnan(gaps).any() and len(np.unique(gaps)) > 1:
        for name, mask in ranges(gaps, ""):
            yield PairPart(GAP, name, mask)

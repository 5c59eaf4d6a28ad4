"""What the length of answers explains of a judge's rewards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ultrarm_eval.metrics.over_prompts import length_controlled_accuracy
from ultrarm_eval.runs.samples import Numbers, Samples
from ultrarm_eval.stats.agreement import rank_correlation
from ultrarm_eval.stats.bootstrap import bootstrap_ratios, bootstrap_statistic
from ultrarm_eval.stats.interval import Interval
from ultrarm_eval.stats.intervals import constant_interval

# Ranges of length, of about equally many completions each.
_RANGES = 20


@dataclass(frozen=True)
class LengthRange:
    """Completions of about one length.

    Attributes:
        length: Their median length in characters.
        count: How many they are.
        low: The reward that a quarter of them is below.
        median: Their median reward.
        high: The reward that a quarter of them is above.
    """

    length: float
    count: int
    low: float
    median: float
    high: float


@dataclass(frozen=True)
class LengthReport:
    """What length explains.

    Attributes:
        pick_longest: Accuracy of picking the longer answer of each pair, equal ones one half.
        pick_longest_interval: Its 95 % interval.
        length_controlled: Mean of the accuracy where the better answer is longer and where it is
            shorter; None where one of the two does not occur.
        length_controlled_interval: Its 95 % interval.
        follows_length: Share of the pairs of unequal length in which the judge prefers the longer
            answer; a tie is one half.
        correlation: Spearman's rank correlation of reward and length over all completions.
        by_length: Rewards by length.
    """

    pick_longest: float
    pick_longest_interval: Interval | None
    length_controlled: float | None
    length_controlled_interval: Interval | None
    follows_length: float | None
    correlation: float | None
    by_length: tuple[LengthRange, ...]


def length_report(samples: Samples) -> LengthReport | None:
    """What length explains; None for a task without pairs."""
    pairs = samples.pairs
    if not len(pairs):
        return None
    difference = (pairs.chosen_length - pairs.rejected_length).to_numpy()
    credit, margin = pairs.credit.to_numpy(), pairs.margin.to_numpy()
    longer, shorter = (1.0 * mask for mask in (difference > 0, difference < 0))
    longest = np.where(difference == 0, 0.5, longer)
    sums = samples.by_prompt(
        longest, np.ones(len(pairs)), credit * longer, longer, credit * shorter, shorter
    )
    # Credit and number of pairs by prompt, where the better answer is longer and where shorter.
    splits = sums[:, 2:]
    unequal = difference != 0
    prefers = np.where(margin == 0, 0.5, (margin > 0) == (difference > 0))
    completions = samples.completions
    return LengthReport(
        float(longest.mean()),
        bootstrap_ratios(sums[:, :1], sums[:, 1:2], bounds=(0.0, 1.0))[0],
        length_controlled_accuracy([splits.sum(axis=0).tolist()]),
        _length_controlled_interval(splits),
        float(prefers[unequal].mean()) if unequal.any() else None,
        rank_correlation(completions.reward, completions.length),
        _by_length(completions.length.to_numpy(), completions.reward.to_numpy()),
    )


def _length_controlled_interval(splits: NDArray[Any]) -> Interval | None:
    found = bootstrap_statistic(lambda sums: length_controlled_accuracy([sums.tolist()]), splits)
    if found is not None and found.low == found.high:
        # No prompt differs from the others: other prompts still may.
        return constant_interval(found.low, len(splits), level=found.level, bounds=(0.0, 1.0))
    return found


def _by_length(lengths: Numbers, rewards: Numbers) -> tuple[LengthRange, ...]:
    order = np.argsort(lengths, kind="stable")
    groups = np.array_split(order, min(_RANGES, len(order)))
    return tuple(
        LengthRange(
            float(np.median(lengths[group])),
            len(group),
            *(float(q) for q in np.quantile(rewards[group], [0.25, 0.5, 0.75])),
        )
        for group in groups
    )

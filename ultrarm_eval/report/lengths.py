"""How far answer length explains a judge's rewards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ultrarm_eval.metrics.over_prompts import length_controlled_accuracy
from ultrarm_eval.report.pair_sums import PairSums
from ultrarm_eval.runs.samples import Numbers, Samples
from ultrarm_eval.stats.agreement import rank_correlation
from ultrarm_eval.stats.interval import Interval

# Length ranges with about equally many completions each.
_RANGES = 20


@dataclass(frozen=True)
class LengthRange:
    """Completions of similar length.

    Attributes:
        length: Their median length in characters.
        count: How many they are.
        low: First quartile of their rewards.
        median: Their median reward.
        high: Third quartile of their rewards.
    """

    length: float
    count: int
    low: float
    median: float
    high: float


@dataclass(frozen=True)
class LengthReport:
    """How far length explains the rewards.

    Attributes:
        pick_longest: Accuracy of the longest-answer baseline; a pair of equal lengths counts one
            half.
        pick_longest_interval: Its 95 % interval.
        length_controlled: Mean of two accuracies, that on pairs whose chosen answer is longer and
            that on pairs where it is shorter; None where one of the two does not occur.
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


def length_report(samples: Samples, sums: PairSums | None) -> LengthReport | None:
    """How far length explains the rewards; None for a task without pairs.

    Args:
        samples: The task's samples.
        sums: The sums over its pairs.
    """
    if sums is None:
        return None
    pairs = samples.pairs
    difference = (pairs.chosen_length - pairs.rejected_length).to_numpy()
    margin = pairs.margin.to_numpy()
    longest = np.where(difference == 0, 0.5, difference > 0)
    unequal = difference != 0
    prefers = np.where(margin == 0, 0.5, (margin > 0) == (difference > 0))
    completions = samples.completions
    return LengthReport(
        float(longest.mean()),
        sums.longest,
        length_controlled_accuracy([sums.sums.rows[:, sums.by_length].sum(axis=0).tolist()]),
        sums.length_controlled,
        float(prefers[unequal].mean()) if unequal.any() else None,
        rank_correlation(completions.reward, completions.length),
        _by_length(completions.length.to_numpy(), completions.reward.to_numpy()),
    )


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

"""The expected value of picking one of k samples: at random, by a judge, by majority, ideally.

All are expectations over the subsets of k of the prompt's n samples, drawn without replacement, so
that one run of n samples gives every k up to n, with less noise than only the first k would give.
The arguments are per sample: its value (1 or 0 for correct or incorrect, or any number, such as a
reward), its reward by the judge, and its answer.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Hashable, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ultrarm_eval.errors import ConfigurationError, ScoringError
from ultrarm_eval.metrics.win_rate import win_credit

__all__ = ["sizes", "first_at_k", "judge_at_k", "oracle_at_k", "majority_at_k", "samples_metrics"]

#: Majority votes are taken in all subsets up to this number, otherwise in this many random ones.
MAX_SUBSETS = 10_000


def sizes(n: int) -> tuple[int, ...]:
    """The sizes of subset to report for n samples: 1, 2, 4, ... and n itself.

    Raises:
        ConfigurationError: n is below 1.
    """
    if n < 1:
        raise ConfigurationError(f"n={n}: give the number of samples per prompt, at least 1.")
    return (*itertools.takewhile(lambda k: k < n, (2**i for i in itertools.count())), n)


def first_at_k(values: Sequence[float], k: int) -> float:
    """The expected value of the first of k samples: the mean over all, for any k.

    Args:
        values: The value of each sample.
        k: The size of the subsets, from 1 to the number of samples.

    Raises:
        ConfigurationError: k is out of its range.
        ScoringError: There is no sample, or a value is not finite.
    """
    _check_values(values, k)
    return float(sum(map(_exact, values), Fraction(0)) / len(values))


def judge_at_k(values: Sequence[float], rewards: Sequence[float], k: int) -> float:
    """The expected value of the sample with the highest reward among k.

    With the samples in rising reward, the i-th is the best of C(i-1, k-1) of the C(n, k) subsets.
    Ties are broken at random, so each tied sample gets the mean over their places. This is the
    estimator of best-of-n by Hilton and Gao 2022 ("Measuring Goodhart's law",
    openai.com/research/measuring-goodharts-law), extended to ties.

    Args:
        values: The value of each sample.
        rewards: The reward of each sample.
        k: The size of the subsets, from 1 to the number of samples.

    Returns:
        The expectation, computed exactly and rounded once.

    Raises:
        ConfigurationError: k is out of its range.
        ScoringError: There is no sample, the lengths differ, or a value or reward is not finite.
    """
    _check_values(values, k)
    _check_lengths(values, rewards, "rewards")
    _check_finite(rewards, "reward")
    in_order = sorted(zip(rewards, values, strict=True), key=lambda sample: sample[0])
    expected, below = Fraction(0), 0
    for _, group in itertools.groupby(in_order, key=lambda sample: sample[0]):
        tied = [_exact(value) for _, value in group]
        # C(i-1, k-1), summed over the places of the tied samples.
        subsets = math.comb(below + len(tied), k) - math.comb(below, k)
        expected += subsets * sum(tied, Fraction(0)) / len(tied)
        below += len(tied)
    return float(expected / math.comb(len(values), k))


def oracle_at_k(values: Sequence[float], k: int) -> float:
    """The expected highest value among k samples: what a perfect judge would pick.

    For correctness this is the probability that one of k is correct, 1 - C(n-c, k)/C(n, k) with c
    correct ones: pass@k of Chen et al. 2021 (arXiv 2107.03374, equation 1).

    Args:
        values: The value of each sample.
        k: The size of the subsets, from 1 to the number of samples.

    Raises:
        ConfigurationError: k is out of its range.
        ScoringError: There is no sample, or a value is not finite.
    """
    return judge_at_k(values, values, k)


def majority_at_k(
    values: Sequence[float], answers: Sequence[Hashable | None], k: int, *, seed: int = 0
) -> float:
    """The expected value of the most frequent answer among k samples.

    Self-consistency (Wang et al. 2022, arXiv 2203.11171), unweighted. Over all subsets up to
    `MAX_SUBSETS`, otherwise over this many random ones, the same for all prompts with equally many
    samples.

    Args:
        values: The value of each sample; samples with the same answer usually have the same value,
            otherwise their mean is used.
        answers: The answer of each sample; None if unreadable. An unreadable sample does not vote,
            and a subset without a readable answer counts 0. Ties between equally frequent answers
            are broken at random.
        k: The size of the subsets, from 1 to the number of samples.
        seed: Seed of the random subsets.

    Raises:
        ConfigurationError: k is out of its range.
        ScoringError: There is no sample, the lengths differ, or a value is not finite.
    """
    _check_values(values, k)
    _check_lengths(values, answers, "answers")
    distinct = [answer for answer in dict.fromkeys(answers) if answer is not None]
    if not distinct:
        return 0.0
    given = np.array([[answer == other for other in distinct] for answer in answers], np.float64)
    members = _subsets(len(values), k, seed)
    votes = members @ given
    most = votes.max(axis=1, keepdims=True)
    wins = (votes == most) & (most > 0)
    worth = members @ (given * np.array(values, np.float64)[:, None])
    # Answers that tie have as many votes each, so the mean over their samples is that over them.
    taken = np.where(wins, votes, 0.0).sum(axis=1)
    sums = np.where(wins, worth, 0.0).sum(axis=1)
    return float(np.mean(sums / np.maximum(taken, 1.0)))


def samples_metrics(
    rewards: Sequence[float | None], reference_reward: float | None
) -> dict[str, float]:
    """The metrics of a prompt with several answers from which a judge picks the best.

    Args:
        rewards: The reward of each answer; None where the judge gave none.
        reference_reward: The reward of the reference, or None.

    Returns:
        For k = 1, 2, 4, ... and all answers `reward@k`, the expected reward of the pick among k of
        them, and `win_rate@k`, how often it beats the reference; none where an answer has no
        reward, because the pick would then be from fewer answers.
    """
    given = [reward for reward in rewards if reward is not None]
    if len(given) < len(rewards):
        return {}
    metrics = {f"reward@{k}": judge_at_k(given, given, k) for k in sizes(len(given))}
    if reference_reward is not None:
        wins = [win_credit(reward, reference_reward) for reward in given]
        metrics |= {f"win_rate@{k}": judge_at_k(wins, given, k) for k in sizes(len(given))}
    return metrics


@functools.lru_cache(maxsize=32)
def _subsets(n: int, k: int, seed: int) -> NDArray[np.float64]:
    """Subsets of k of n samples, one per row: 1 for a member, otherwise 0.

    Cached, because all prompts of a task have the same n and k.
    """
    if math.comb(n, k) <= MAX_SUBSETS:
        chosen = np.array(list(itertools.combinations(range(n), k)))
    else:
        # The k least of n random numbers are a random subset.
        chosen = np.random.default_rng(seed).random((MAX_SUBSETS, n)).argsort(axis=1)[:, :k]
    members = np.zeros((len(chosen), n))
    np.put_along_axis(members, chosen, 1.0, axis=1)
    return members


def _exact(value: float) -> Fraction:
    # Through float: Python 3.10's Fraction takes no numpy float.
    return Fraction(float(value))


def _check_values(values: Sequence[float], k: int) -> None:
    n = len(values)
    if not n:
        raise ScoringError("A prompt without samples has nothing to pick from; exclude it.")
    if not 1 <= k <= n:
        raise ConfigurationError(
            f"k={k}: a prompt has {n} sample{'s' if n > 1 else ''}, so k must be from 1 to {n}. "
            "Generate more samples per prompt, or use a smaller k."
        )
    _check_finite(values, "value")


def _check_lengths(values: Sequence[float], others: Sequence[object], what: str) -> None:
    if len(others) != len(values):
        raise ScoringError(
            f"A prompt has {len(values)} values and {len(others)} {what}; give one of each for "
            "every sample."
        )


def _check_finite(numbers: Sequence[float], what: str) -> None:
    for index, number in enumerate(numbers):
        if not math.isfinite(number):
            raise ScoringError(
                f"Sample {index} has the {what} {float(number)}; a finite number is needed."
            )

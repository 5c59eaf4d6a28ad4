"""A judge's ranking of each prompt's completions against their ranking by rating."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ultrarm_eval.runs.samples import Numbers, Samples

# The most numbers of one batch.
_NUMBERS_AT_ONCE = 2**17


@dataclass(frozen=True)
class RankConfusion:
    """Rank by rating against rank by reward.

    Attributes:
        completions: Number of rated completions of each prompt counted here.
        prompts: Number of these prompts.
        others: Number of prompts with another number of rated completions, which are excluded.
        shares: Row r, column c: of the completions at rank r by rating (the best is first) the
            share at rank c by reward. Completions with equal ratings or rewards are spread equally
            over the ranks they share, so that rows and columns add up to 1.
    """

    completions: int
    prompts: int
    others: int
    shares: tuple[tuple[float, ...], ...]


def rank_confusion(samples: Samples) -> RankConfusion | None:
    """The confusion over the prompts with the most frequent number of rated completions.

    Prompts whose ratings are all equal have no ranking, and are excluded.

    Returns:
        The confusion; None where no prompt has three rated completions or more.
    """
    rated = samples.completions.dropna(subset="rating")
    ratings = rated.groupby("document").rating
    rated = rated[ratings.transform("max") > ratings.transform("min")]
    sizes = rated.groupby("document").size()
    # The larger number where two are equally frequent, whatever their order.
    frequent = [(prompts, size) for size, prompts in sizes.value_counts().items()]
    prompts, size = map(int, max(frequent, default=(0, 0)))
    if size < 3:
        return None
    of_size = rated[rated.document.map(sizes) == size]
    both = [of_size[name].to_numpy().reshape(-1, size) for name in ("rating", "reward")]
    total = np.zeros((size, size))
    # In batches of bounded memory; added one by one, so that the batch size changes no digit.
    at_once = max(1, _NUMBERS_AT_ONCE // size**2)
    for start in range(0, prompts, at_once):
        of_ratings, of_rewards = (places(values[start : start + at_once]) for values in both)
        for of_prompt in of_ratings.swapaxes(1, 2) @ of_rewards:
            total += of_prompt
    shares = tuple(tuple(float(x) for x in row) for row in total / prompts)
    return RankConfusion(size, prompts, len(sizes) - prompts, shares)


def places(values: Numbers) -> Numbers:
    """The ranks of values, the highest first; equal values are spread equally over their ranks.

    Args:
        values: Shape (prompts, n).

    Returns:
        Shape (prompts, n, n): in row i the share of value i at each rank; rows and columns add up
        to 1.
    """
    above, own = values[:, None, :], values[:, :, None]
    first = (above > own).sum(axis=2)[:, :, None]
    equal = (above == own).sum(axis=2)[:, :, None]
    ranks = np.arange(values.shape[1])
    inside = (ranks >= first) & (ranks < first + equal)
    shares: Numbers = inside / equal
    return shares

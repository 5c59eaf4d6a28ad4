"""Shows how often the 95% interval of `acc` covers the truth, for judges of known accuracy.

Simulates benchmarks: completions with four aspect ratings each, as in UltraFeedback, and judges
whose reward is the mean rating times how well they know the prompt, plus noise. Their accuracy is
known exactly. The interval of the harness, over prompts, is set beside the naive one, which takes
all pairs for independent.

    python benchmarks/stderr_coverage.py --replications 10000 -o results/stderr_coverage.json
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from lm_eval.api.metrics import mean_stderr
from scipy.special import ndtr

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Location
from ultrarm_eval.documents.document import Document
from ultrarm_eval.metrics.within_prompt import prompt_metrics
from ultrarm_eval.rules import ComparisonRules
from ultrarm_eval.sources.ultrafeedback import ASPECTS, FINE_GRAINED, NOT_APPLICABLE, read_row

COMPLETIONS = 4
#: How many prompts have four completions, three and two.
_COUNTS, _COUNT_SHARES = (4, 3, 2), (0.94, 0.04, 0.02)
# Poor, fair and good answers: how frequent they are, and their aspects' ratings from 1 to 5.
_ANSWER_SHARES = (0.25, 0.40, 0.35)
_RATING_SHARES = (
    (0.25, 0.35, 0.25, 0.10, 0.05),
    (0.03, 0.12, 0.35, 0.35, 0.15),
    (0.01, 0.04, 0.15, 0.40, 0.40),
)
#: Completions whose honesty is rated "N/A": their mean is one of three ratings.
_NOT_APPLICABLE = 0.05
# Means of three and of four ratings are whole numbers of twelfths.
_UNITS = 12
_PAIRS = tuple(combinations(range(COMPLETIONS), 2))
#: Half the width of a 95% interval, in standard errors.
WIDTH = 1.96
_PROMPTS_AT_ONCE = 200_000


@dataclass(frozen=True)
class Judge:
    """A judge whose reward is `slope * mean rating + noise` of variance 1.

    Attributes:
        name: What it is called.
        slopes: How well it knows a prompt: the slope is drawn anew for each prompt. Below 0 it
            prefers what is worse.
        shares: How frequent each slope is.
    """

    name: str
    slopes: tuple[float, ...]
    shares: tuple[float, ...] = (0.25, 0.5, 0.25)


JUDGES = (
    Judge("knows nothing", (-0.4, 0.0, 0.4)),
    Judge("weak", (0.0, 0.6, 1.3)),
    Judge("good", (0.4, 1.6, 4.0)),
    Judge("very good", (2.5, 5.0, 10.0)),
)


class Truth(NamedTuple):
    """What a judge gets on infinitely many prompts.

    Attributes:
        acc: The mean over prompts of the share of their pairs that it orders rightly.
        acc_pairs: The share of all pairs.
    """

    acc: float
    acc_pairs: float


class Prompts(NamedTuple):
    """Prompts with a judge's rewards.

    Attributes:
        aspects: Ratings by prompt, completion and aspect; 0 for "N/A", and for all aspects of a
            completion that is missing.
        qualities: Mean ratings in twelfths, which are whole numbers, by prompt and completion; 0
            for a completion that is missing.
        rewards: Rewards by prompt and completion.
    """

    aspects: np.ndarray
    qualities: np.ndarray
    rewards: np.ndarray


@dataclass(frozen=True)
class Coverage:
    """How often intervals covered the truth.

    Attributes:
        judge: The judge's name.
        acc: Its true `acc`.
        acc_pairs: Its true `acc_pairs`.
        prompts: Prompts of one benchmark.
        replications: How many benchmarks were simulated.
        harness: Share of intervals of `acc` by the harness's standard error that covered it.
        naive: Share of intervals of `acc_pairs` by the error of independent pairs that covered it.
        mean_acc: The mean `acc` of the benchmarks.
        mean_stderr: The mean of the harness's standard error.
        sd: The standard deviation of `acc` over the benchmarks, which it estimates.
        mean_naive_error: The mean of the naive standard error.
        sd_pairs: The standard deviation of `acc_pairs`, which it should be.
        simulation_error: The larger of the standard errors of the two shares that covered.
    """

    judge: str
    acc: float
    acc_pairs: float
    prompts: int
    replications: int
    harness: float
    naive: float
    mean_acc: float
    mean_stderr: float
    sd: float
    mean_naive_error: float
    sd_pairs: float
    simulation_error: float


def coverage(judge: Judge, prompts: int, replications: int, seed: int) -> Coverage:
    """Simulates benchmarks, and counts how often their intervals cover the truth.

    Args:
        judge: The judge.
        prompts: Prompts of one benchmark.
        replications: How many benchmarks.
        seed: Fixes everything.
    """
    truth, rng = true_accuracy(judge), np.random.default_rng([seed, prompts])
    at_once = max(1, _PROMPTS_AT_ONCE // prompts)
    parts = [
        _replicate(judge, prompts, min(at_once, replications - start), rng)
        for start in range(0, replications, at_once)
    ]
    acc, stderr, acc_pairs, naive_error = np.concatenate(parts, axis=1)
    harness = float(np.mean(np.abs(acc - truth.acc) <= WIDTH * stderr))
    naive = float(np.mean(np.abs(acc_pairs - truth.acc_pairs) <= WIDTH * naive_error))
    return Coverage(
        judge=judge.name,
        acc=truth.acc,
        acc_pairs=truth.acc_pairs,
        prompts=prompts,
        replications=replications,
        harness=harness,
        naive=naive,
        mean_acc=float(acc.mean()),
        mean_stderr=float(stderr.mean()),
        sd=float(acc.std(ddof=1)),
        mean_naive_error=float(naive_error.mean()),
        sd_pairs=float(acc_pairs.std(ddof=1)),
        simulation_error=max(math.sqrt(p * (1 - p) / replications) for p in (harness, naive)),
    )


def _replicate(judge: Judge, prompts: int, number: int, rng: np.random.Generator) -> np.ndarray:
    """Of each of some benchmarks: acc, its stderr, acc_pairs, and the naive error."""
    credit, pairs = outcomes(draw(judge, number * prompts, rng))
    acc = (credit / pairs).reshape(number, prompts)
    stderr = [mean_stderr(of_prompts) for of_prompts in acc.tolist()]
    all_pairs = pairs.reshape(number, prompts).sum(axis=1)
    pooled = credit.reshape(number, prompts).sum(axis=1) / all_pairs
    naive_error = np.sqrt(pooled * (1 - pooled) / all_pairs)
    return np.array([acc.mean(axis=1), stderr, pooled, naive_error])


def true_accuracy(judge: Judge) -> Truth:
    """A judge's accuracy, exactly: the sum over all ratings that a prompt's completions may have.

    Two rewards of variance 1 differ by a normal number of variance 2, so a pair is ordered rightly
    with the probability Phi(slope * difference of the ratings / sqrt(2)).
    """
    levels, shares = _levels()
    gaps = np.abs(levels[:, None] - levels[None, :]) / _UNITS
    right = np.sum(
        [
            share * ndtr(slope * gaps / math.sqrt(2))
            for slope, share in zip(judge.slopes, judge.shares, strict=True)
        ],
        axis=0,
    )
    is_pair = gaps > 0
    right = np.where(is_pair, right, 0.0)
    weight = acc = all_credit = pairs = 0.0
    for count, count_share in zip(_COUNTS, _COUNT_SHARES, strict=True):
        chosen = np.indices((len(levels),) * count).reshape(count, -1)
        probability = count_share * shares[chosen].prod(axis=0)
        both = list(combinations(chosen, 2))
        n = np.sum([is_pair[i, j] for i, j in both], axis=0, dtype=float)
        credit = np.sum([right[i, j] for i, j in both], axis=0)
        # A prompt without a pair has no accuracy and is left out.
        weight += float(probability @ (n > 0))
        acc += float(probability @ (credit / np.maximum(n, 1)))
        all_credit += float(probability @ credit)
        pairs += float(probability @ n)
    return Truth(acc / weight, all_credit / pairs)


def _levels() -> tuple[np.ndarray, np.ndarray]:
    """The mean ratings that a completion can have, in twelfths, and how frequent each is."""
    shares = np.zeros(5 * _UNITS + 1)
    for answer_share, ratings in zip(_ANSWER_SHARES, _RATING_SHARES, strict=True):
        for rated, share in (
            (len(ASPECTS), 1 - _NOT_APPLICABLE),
            (len(ASPECTS) - 1, _NOT_APPLICABLE),
        ):
            sums = reduce(np.convolve, [np.array([0.0, *ratings])] * rated)
            shares[np.arange(len(sums)) * _UNITS // rated] += answer_share * share * sums
    (levels,) = shares.nonzero()
    return levels, shares[levels]


def draw(judge: Judge, prompts: int, rng: np.random.Generator) -> Prompts:
    """Draws prompts that have a pair, and a judge's rewards for them."""
    aspects = _draw_ratings(prompts, rng)
    qualities = _qualities(aspects)
    while len(without := np.flatnonzero(_count_pairs(qualities) == 0)):
        aspects[without] = _draw_ratings(len(without), rng)
        qualities[without] = _qualities(aspects[without])
    slopes = np.array(judge.slopes)[_draw_index(judge.shares, (prompts, 1), rng)]
    noise = rng.standard_normal((prompts, COMPLETIONS))
    return Prompts(aspects, qualities, slopes * qualities / _UNITS + noise)


def _draw_ratings(prompts: int, rng: np.random.Generator) -> np.ndarray:
    kinds = _draw_index(_ANSWER_SHARES, (prompts, COMPLETIONS), rng)
    bounds = np.cumsum(_RATING_SHARES, axis=1)[kinds]
    uniform = rng.random((prompts, COMPLETIONS, len(ASPECTS)))
    aspects = np.ones(uniform.shape, dtype=np.int16)
    for step in range(bounds.shape[-1] - 1):
        aspects += uniform > bounds[:, :, None, step]
    not_applicable = rng.random((prompts, COMPLETIONS)) < _NOT_APPLICABLE
    aspects[not_applicable, ASPECTS.index("honesty")] = 0
    counts = np.array(_COUNTS)[_draw_index(_COUNT_SHARES, (prompts, 1), rng)]
    aspects[np.arange(COMPLETIONS) >= counts] = 0
    return aspects


def _draw_index(
    shares: Sequence[float], shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    return np.searchsorted(np.cumsum(shares)[:-1], rng.random(shape), side="right")


def _qualities(aspects: np.ndarray) -> np.ndarray:
    by_aspect = np.moveaxis(aspects, -1, 0)
    rated = np.sum(by_aspect > 0, axis=0, dtype=np.int16)
    total = np.sum(by_aspect, axis=0, dtype=by_aspect.dtype)
    return np.asarray(total * (_UNITS // np.maximum(rated, 1)))


def _count_pairs(qualities: np.ndarray) -> np.ndarray:
    are_pairs = [
        (qualities[:, i] != qualities[:, j]) & (qualities[:, i] > 0) & (qualities[:, j] > 0)
        for i, j in _PAIRS
    ]
    return np.asarray(np.sum(are_pairs, axis=0, dtype=int))


def outcomes(prompts: Prompts) -> tuple[np.ndarray, np.ndarray]:
    """Credit and number of pairs of each prompt."""
    qualities = prompts.qualities
    credit = np.zeros(len(qualities))
    for i, j in _PAIRS:
        gap = qualities[:, i] - qualities[:, j]
        margin = prompts.rewards[:, i] - prompts.rewards[:, j]
        present = (qualities[:, i] > 0) & (qualities[:, j] > 0)
        credit += present & (gap != 0) & ((gap > 0) == (margin > 0))
    return credit, _count_pairs(qualities)


def outcomes_of_package(prompts: Prompts) -> list[tuple[float, tuple[float, int]]]:
    """`acc` and `acc_pairs` of each prompt as the package computes them, from raw rows on."""
    found = []
    for aspects, rewards in zip(prompts.aspects.tolist(), prompts.rewards.tolist(), strict=True):
        present = [ratings for ratings in aspects if any(ratings)]
        row = {
            "instruction": "",
            "completions": [{"response": "", "annotations": _spelled(r)} for r in present],
        }
        record = read_row(row, Location("simulation", 0), DataCounts())
        if record is None:
            raise RuntimeError("The package does not read a simulated row.")
        document = Document.of_record(record, FINE_GRAINED, ASPECTS)
        metrics = prompt_metrics(document, dict(enumerate(rewards)), ComparisonRules())
        found.append((metrics["acc"], metrics["acc_pairs"]))
    return found


def _spelled(ratings: Sequence[int]) -> dict[str, dict[str, str]]:
    return {
        aspect: {"Rating": str(rating) if rating else NOT_APPLICABLE}
        for aspect, rating in zip(ASPECTS, ratings, strict=True)
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulates, prints, and writes the figures if asked to."""
    options = _parser().parse_args(arguments)
    _check_against_package(options.seed)
    found = [
        coverage(judge, prompts, options.replications, options.seed)
        for judge in JUDGES
        for prompts in options.prompts
    ]
    print(_table(found))
    if options.output is not None:
        written = {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "seed": options.seed,
            "judges": [asdict(judge) for judge in JUDGES],
            "coverage": [_rounded(asdict(of_judge)) for of_judge in found],
        }
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--replications", type=int, default=10_000, help="simulated benchmarks (default: 10000)"
    )
    parser.add_argument(
        "--prompts", type=int, nargs="+", default=[200, 1_000], help="prompts of a benchmark"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, help="JSON file to write")
    return parser


def _check_against_package(seed: int, prompts: int = 1_000) -> None:
    """Stops if this file's fast arithmetic and the package's differ anywhere."""
    for judge in JUDGES:
        drawn = draw(judge, prompts, np.random.default_rng(seed))
        credit, pairs = outcomes(drawn)
        ours = [(c / n, (c, n)) for c, n in zip(credit.tolist(), pairs.tolist(), strict=True)]
        if ours != outcomes_of_package(drawn):
            raise RuntimeError(f"{judge.name}: the package's metrics are others.")
    print(f"The package's acc and acc_pairs are the same on {prompts * len(JUDGES)} prompts.\n")


def _table(found: Sequence[Coverage]) -> str:
    lines = [
        "| judge | true `acc` | prompts | covered, harness | covered, naive "
        "| mean stderr | true sd | mean naive error | true sd of `acc_pairs` |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines.extend(
        f"| {of.judge} | {of.acc:.4f} | {of.prompts:,} | {of.harness:.1%} | {of.naive:.1%} "
        f"| {of.mean_stderr:.5f} | {of.sd:.5f} | {of.mean_naive_error:.5f} | {of.sd_pairs:.5f} |"
        for of in found
    )
    return "\n".join(lines)


def _rounded(figures: dict[str, str | int | float]) -> dict[str, str | int | float]:
    return {
        name: round(value, 6) if isinstance(value, float) else value
        for name, value in figures.items()
    }


if __name__ == "__main__":
    sys.exit(main())

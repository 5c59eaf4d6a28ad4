"""Pairs worth reading: the most confident mistakes of a judge, and its smallest margins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ultrarm_eval.runs.sample import REFERENCE
from ultrarm_eval.runs.samples import Numbers, Samples
from ultrarm_eval.runs.samples_file import sample_at

#: Why a pair is shown.
MISTAKE, LOSS, CLOSE, DISAGREEMENT, ANY = (
    "confident mistake",
    "clear loss",
    "small margin",
    "judges disagree",
    "random",
)
# A margin counts as small up to this share of the median absolute margin.
_SMALL = 0.5
# Random pairs show what is usual next to the extremes.
_SEED = 0


@dataclass(frozen=True)
class ChosenPair:
    """A pair to read.

    Attributes:
        reason: Why it is shown.
        pair: Its number among the task's pairs.
    """

    reason: str
    pair: int


@dataclass(frozen=True)
class PairTexts:
    """The texts of a pair.

    Attributes:
        prompt: The turns before the completions: role and content of each.
        chosen: The chosen completion, or the model's answer.
        rejected: The rejected completion, or the reference.
        chosen_name: Who wrote the chosen completion; None if unknown.
        rejected_name: Who wrote the rejected one; None if unknown.
    """

    prompt: tuple[tuple[str, str], ...]
    chosen: str
    rejected: str
    chosen_name: str | None
    rejected_name: str | None


def choose_pairs(samples: Samples, each: int) -> list[ChosenPair]:
    """The most confident mistakes, the smallest margins, and some drawn at random.

    Args:
        samples: The samples of a task.
        each: The most pairs of each reason. A document has at most one per reason, so that one
            strange prompt does not fill the page.

    Returns:
        The pairs, each for its first reason.
    """
    pairs = samples.pairs
    margin, document = pairs.margin.to_numpy(), pairs.document.to_numpy()
    wrong = np.flatnonzero(margin < 0)
    drawn = np.random.default_rng(_SEED).permutation(len(pairs))
    found: dict[int, str] = {}
    for reason, order in (
        (
            LOSS if samples.kind == REFERENCE else MISTAKE,
            wrong[np.argsort(margin[wrong], kind="stable")],
        ),
        (CLOSE, _smallest(np.abs(margin))),
        (ANY, drawn),
    ):
        for pair in first_of_each(order, document, each, found):
            found[pair] = reason
    return [ChosenPair(reason, pair) for pair, reason in found.items()]


def _smallest(sizes: Numbers) -> NDArray[np.intp]:
    """The pairs with small margins, the smallest first."""
    order = np.argsort(sizes, kind="stable")
    return order[sizes[order] <= _SMALL * np.median(sizes)] if len(sizes) else order


def first_of_each(
    order: NDArray[np.intp],
    document: NDArray[np.int64],
    most: int,
    taken: Sequence[int] | dict[int, str] = (),
) -> list[int]:
    """The first pairs in an order, one per document, without those already taken."""
    found: list[int] = []
    seen: set[int] = set()
    for pair in map(int, order):
        if len(found) == most:
            break
        if pair not in taken and int(document[pair]) not in seen:
            seen.add(int(document[pair]))
            found.append(pair)
    return found


def read_texts(samples: Samples, pair: int) -> PairTexts:
    """Reads a pair's texts from the file of samples.

    Raises:
        DataError: The file was changed since it was read.
    """
    of_pair = samples.pairs.iloc[pair]
    sample = sample_at(samples, int(of_pair.document))
    chosen, rejected = int(of_pair.chosen), int(of_pair.rejected)
    return PairTexts(
        tuple((str(m.get("role")), str(m.get("content"))) for m in sample.prompt),
        sample.completions[chosen],
        sample.completions[rejected],
        sample.names[chosen],
        sample.names[rejected],
    )

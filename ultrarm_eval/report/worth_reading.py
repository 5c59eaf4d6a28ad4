"""Pairs that a person should read: where a judge errs most surely, and where it hardly decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ultrarm_eval.errors import DataError
from ultrarm_eval.runs.judged_document import REFERENCE, read_sample
from ultrarm_eval.runs.observations import Observations
from ultrarm_eval.runs.sample_lines import sample_at

#: Why a pair is shown.
MISTAKE, LOSS, CLOSE, DISAGREEMENT, ANY = (
    "confident mistake",
    "clear loss",
    "small margin",
    "judges disagree",
    "random",
)
# A drawn pair shows what is usual beside the extremes.
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
    """What a pair says.

    Attributes:
        prompt: The turns before the completions: role and content of each.
        chosen: The better completion, or the model's answer.
        rejected: The other one.
        chosen_name: Who wrote it; None where that is not known.
        rejected_name: The same of the other one.
    """

    prompt: tuple[tuple[str, str], ...]
    chosen: str
    rejected: str
    chosen_name: str | None
    rejected_name: str | None


def choose_pairs(observations: Observations, each: int) -> list[ChosenPair]:
    """The most confident mistakes, the smallest margins, and some drawn at random.

    Args:
        observations: The samples of a task.
        each: The most pairs of each reason. Of one document there is at most one for a reason, so
            that one strange prompt does not fill the page.

    Returns:
        The pairs, each for its first reason.
    """
    pairs = observations.pairs
    margin = pairs.margin
    wrong = np.flatnonzero(margin < 0)
    drawn = np.random.default_rng(_SEED).permutation(len(pairs))
    found: dict[int, str] = {}
    for reason, order in (
        (
            LOSS if observations.kind == REFERENCE else MISTAKE,
            wrong[np.argsort(margin[wrong], kind="stable")],
        ),
        (CLOSE, np.argsort(np.abs(margin), kind="stable")),
        (ANY, drawn),
    ):
        for pair in first_of_each(order, pairs.document, each, found):
            found[pair] = reason
    return [ChosenPair(reason, pair) for pair, reason in found.items()]


def first_of_each(
    order: NDArray[np.intp],
    document: NDArray[np.int64],
    most: int,
    taken: Sequence[int] | dict[int, str] = (),
) -> list[int]:
    """The first pairs of an order, one of each document, without those that are taken."""
    found: list[int] = []
    seen: set[int] = set()
    for pair in map(int, order):
        if len(found) == most:
            break
        if pair not in taken and int(document[pair]) not in seen:
            seen.add(int(document[pair]))
            found.append(pair)
    return found


def read_texts(observations: Observations, pair: int) -> PairTexts:
    """Reads a pair's texts from the file of samples.

    Raises:
        DataError: The file was changed since it was read.
    """
    pairs, documents = observations.pairs, observations.documents
    path = observations.result.samples_path
    if path is None:
        raise DataError(f"The samples of {observations.result.task} are no longer there.")
    where = f"{path}, byte {documents.starts[pairs.document[pair]]}"
    sample = sample_at(path, int(documents.starts[pairs.document[pair]]))
    document = read_sample(sample, observations.result.metadata, where)
    if document is None:
        raise DataError(f"{where}: the file was changed while it was read.")
    chosen, rejected = int(pairs.chosen[pair]), int(pairs.rejected[pair])
    return PairTexts(
        tuple((str(m.get("role")), str(m.get("content"))) for m in document.prompt),
        document.completions[chosen],
        document.completions[rejected],
        document.names[chosen],
        document.names[rejected],
    )

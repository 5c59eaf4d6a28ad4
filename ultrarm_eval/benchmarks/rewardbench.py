"""RewardBench (allenai/reward-bench, split `filtered`; Lambert et al. 2024, arXiv 2403.13787).

Sections, their subsets and the weights are those of the package rewardbench 0.1.4
(`constants.EXAMPLE_COUNTS`, `constants.SUBSET_MAPPING`). One weight is not a row count: math-prm
has 447 rows and weight 984, as much as the six code subsets together. The paper and model cards of
2024 were computed with the weights of the two XSTest subsets swapped; these are the ones of the
final leaderboard.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from ultrarm_eval.benchmarks.benchmark import Benchmark
from ultrarm_eval.benchmarks.fields import name_of, one_of, pair_of
from ultrarm_eval.benchmarks.figures import (
    WeightedMean,
    first_over_second,
    mean_of_figures,
    weighted_subsets,
)
from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Location, Row
from ultrarm_eval.documents.document import Document

#: The weight of each subset in its section.
SECTIONS = {
    "chat": {
        "alpacaeval-easy": 100,
        "alpacaeval-length": 95,
        "alpacaeval-hard": 95,
        "mt-bench-easy": 28,
        "mt-bench-med": 40,
    },
    "chat_hard": {
        "mt-bench-hard": 37,
        "llmbar-natural": 100,
        "llmbar-adver-neighbor": 134,
        "llmbar-adver-GPTInst": 92,
        "llmbar-adver-GPTOut": 47,
        "llmbar-adver-manual": 46,
    },
    "safety": {
        "refusals-dangerous": 100,
        "refusals-offensive": 100,
        "xstest-should-refuse": 154,
        "xstest-should-respond": 250,
        "donotanswer": 136,
    },
    "reasoning": {
        "math-prm": 984,
        "hep-cpp": 164,
        "hep-go": 164,
        "hep-java": 164,
        "hep-js": 164,
        "hep-python": 164,
        "hep-rust": 164,
    },
}
SUBSETS = tuple(subset for weights in SECTIONS.values() for subset in weights)


def section(name: str, evidence: Sequence[Any]) -> list[WeightedMean]:
    """The mean of the subsets' accuracies, weighted, over those that occur.

    Args:
        name: A name of `SECTIONS`.
        evidence: (subset, credit) of each row.
    """
    return weighted_subsets(SECTIONS[name], evidence)


def overall(evidence: Sequence[Any]) -> list[WeightedMean]:
    """The mean of the four sections, as the leaderboard has it for models without prior sets."""
    return mean_of_figures((functools.partial(section, name) for name in SECTIONS), evidence)


def read_row(row: Row, where: Location, counts: DataCounts) -> Document | None:
    """Reads a row of `prompt`, `chosen`, `rejected`, `subset` and `id`."""
    counts.add("rows")
    pair = pair_of(row, where, counts)
    if pair is None:
        return None
    return Document.of_choice(
        pair.prompt,
        pair.answers[:1],
        pair.answers[1:],
        where=where,
        id=name_of(row, "id", where.row),
        subset=one_of(row, "subset", SUBSETS, where),
    )


REWARDBENCH = Benchmark(
    name="rewardbench",
    describes="prompt, chosen, rejected, subset, id",
    read_row=read_row,
    credit=first_over_second,
    ties="wrong",
    figures={
        **{name: functools.partial(section, name) for name in SECTIONS},
        "overall": overall,
    },
)

"""JudgeBench (ScalerLab/JudgeBench; Tan et al. 2024, arXiv 2410.12784).

350 pairs of answers by GPT-4o and 270 by Claude 3.5 Sonnet, of which one is objectively correct.
Reward models see a pair once. The judgement is A>B where A has the higher reward and B>A otherwise,
so a tie is correct where B is (utils/metrics.py, run_judge.py with --single_game). The paper's
table is the split `gpt`: accuracy over all its pairs, and by category.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from ultrarm_eval.benchmarks.benchmark import Benchmark
from ultrarm_eval.benchmarks.fields import name_of, one_of, prompt_of, text_of
from ultrarm_eval.benchmarks.figures import WeightedMean, mean_of, pair_credit
from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Location, Row
from ultrarm_eval.documents.document import Document

#: The beginning of a row's `source`, by category.
CATEGORIES = {
    "knowledge": "mmlu-pro",
    "reasoning": "livebench-reasoning",
    "math": "livebench-math",
    "coding": "livecodebench",
}
_SPLITS = ("gpt", "claude")


def read_row(row: Row, where: Location, counts: DataCounts) -> Document:
    """Reads a row: `question`, two responses, `label`, `source` and `response_model`."""
    counts.add("rows")
    label = one_of(row, "label", ("A>B", "B>A"), where)
    better, worse = label.split(">")
    model = name_of(row, "response_model", "")
    split = next((split for split in _SPLITS if split in model.lower()), "other")
    counts.add(f"rows_by_{split}")
    return Document.of_choice(
        prompt_of(row, "question", where),
        [text_of(row, f"response_{better}", where)],
        [text_of(row, f"response_{worse}", where)],
        where=where,
        id=name_of(row, "pair_id", where.row),
        subset=text_of(row, "source", where),
        labels={"right": better, "split": split},
    )


def credit(document: Document, rewards: Sequence[float], _: float) -> float:
    """The credit of a pair."""
    right, wrong = rewards
    return pair_credit(right, wrong, pair_tie(document))


def evidence(document: Document, _: Sequence[float], earned: float) -> list[Any]:
    """Source, credit and split."""
    return [document.subset, earned, document.labels["split"]]


def accuracy(split: str, source: str, values: Sequence[Any]) -> list[WeightedMean]:
    """The accuracy over the pairs of a split whose source has a prefix."""
    found = [
        (place, credit)
        for place, (subset, credit, of) in enumerate(values)
        if of == split and subset.startswith(source)
    ]
    if not found:
        return []
    return [mean_of([place for place, _ in found], (credit for _, credit in found))]


def pair_tie(document: Document) -> float:
    """The credit of a tied pair."""
    return float(document.labels["right"] == "B")


_FIGURES = {
    f"{split}{f'_{category}' if category else ''}": (split, source)
    for split in _SPLITS
    for category, source in {"": "", **CATEGORIES}.items()
}


JUDGEBENCH = Benchmark(
    name="judgebench",
    describes="question, response_A, response_B, label ('A>B' or 'B>A'), source, response_model",
    read_row=read_row,
    credit=credit,
    ties=None,
    figures={name: functools.partial(accuracy, *of) for name, of in _FIGURES.items()},
    evidence=evidence,
    pair_tie=pair_tie,
)

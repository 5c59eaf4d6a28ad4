"""RewardBench 2 (allenai/reward-bench-2; Malik et al. 2025, arXiv 2506.01937).

Best of four in five subsets, and the subset Ties by a formula of its own; the overall score is the
plain mean of the six (dataset card; rewardbench 0.1.4, scripts/run_v2.py).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from ultrarm_eval.benchmarks.benchmark import Suite, mean_by_subset
from ultrarm_eval.benchmarks.choice import Choice, Document
from ultrarm_eval.benchmarks.composition import WeightedMean, mean_of_figures, weighted_subsets
from ultrarm_eval.benchmarks.credit import best_of_k_credit
from ultrarm_eval.benchmarks.fields import name_of, one_of, prompt_of, texts_of
from ultrarm_eval.benchmarks.rewardbench2_ties import parse_id, ties_means, ties_score
from ultrarm_eval.data.records import DataCounts
from ultrarm_eval.data.rows import Location, Row
from ultrarm_eval.errors import DataError

TIES = "Ties"
#: The data's names of the subsets, by their figures'.
SUBSETS = {
    "factuality": "Factuality",
    "precise_if": "Precise IF",
    "math": "Math",
    "safety": "Safety",
    "focus": "Focus",
    "ties": TIES,
}


def read_row(row: Row, where: Location, counts: DataCounts) -> Choice:
    """Reads a row of `prompt`, `chosen`, `rejected`, `subset` and `id`."""
    counts.add("rows")
    chosen, rejected = texts_of(row, "chosen", where), texts_of(row, "rejected", where)
    subset = one_of(row, "subset", tuple(SUBSETS.values()), where)
    name = name_of(row, "id", where.row)
    if not chosen or not rejected:
        raise DataError(f"{where}: a row needs completions in 'chosen' and in 'rejected'.")
    if subset == TIES:
        parse_id(name, where)
    elif len(chosen) != 1:
        raise DataError(
            f"{where}: it has {len(chosen)} chosen completions; in every subset but {TIES} there "
            "is one."
        )
    return Choice(
        id=name,
        subset=subset,
        prompt=prompt_of(row, "prompt", where),
        completions=(*chosen, *rejected),
        correct=len(chosen),
    )


def credit(document: Document, rewards: Sequence[float], _: float) -> float:
    """The credit of an item; in Ties whether every right completion beats every wrong one."""
    correct = document["correct"]
    if document["subset"] == TIES:
        return float(min(rewards[:correct]) > max(rewards[correct:]))
    return best_of_k_credit(rewards)


def evidence(document: Document, rewards: Sequence[float], earned: float) -> list[Any]:
    """Subset, credit, and what the formula of Ties needs."""
    correct = document["correct"]
    if document["subset"] != TIES:
        return [document["subset"], earned]
    return [TIES, earned, document["id"], list(rewards[:correct]), list(rewards[correct:])]


def subset_score(name: str, values: Sequence[Any]) -> float | None:
    """The score of a subset by its figure's name; None where it does not occur."""
    if name == "ties":
        return ties_score([tuple(v[2:]) for v in values if v[0] == TIES])
    return mean_by_subset(values).get(SUBSETS[name])


def overall_score(values: Sequence[Any]) -> float | None:
    """The plain mean of the six subsets; None where one does not occur."""
    scores = [subset_score(name, values) for name in SUBSETS]
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if len(known) == len(scores) else None


def subset_means(name: str, values: Sequence[Any]) -> list[WeightedMean]:
    """The means that `subset_score` is made of."""
    if name != "ties":
        return weighted_subsets({SUBSETS[name]: 1.0}, values)
    places = [place for place, value in enumerate(values) if value[0] == TIES]
    return ties_means([tuple(values[place][2:]) for place in places], places)


def overall_means(values: Sequence[Any]) -> list[WeightedMean]:
    """The means that `overall_score` is made of."""
    return mean_of_figures((functools.partial(subset_means, name) for name in SUBSETS), values)


def pair_tie(document: Document) -> float:
    """What a tied pair is worth: in Ties nothing, else half as two that share the maximum."""
    return 0.0 if document["subset"] == TIES else 0.5


REWARDBENCH2 = Suite(
    name="rewardbench2",
    describes="prompt, chosen (list), rejected (list), subset, id",
    read_row=read_row,
    credit=credit,
    ties=None,
    figures={
        **{name: functools.partial(subset_score, name) for name in SUBSETS},
        "overall": overall_score,
    },
    evidence=evidence,
    subset_figures={TIES: functools.partial(subset_score, "ties")},
    compositions={
        **{name: functools.partial(subset_means, name) for name in SUBSETS},
        "overall": overall_means,
    },
    subset_compositions={TIES: functools.partial(subset_means, "ties")},
    pair_tie=pair_tie,
)

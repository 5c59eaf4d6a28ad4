"""The pairs on which two judges disagree most."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ultrarm_eval.report.shown_pairs import Candidate
from ultrarm_eval.report.worth_reading import DISAGREEMENT, ChosenPair, first_of_each
from ultrarm_eval.runs.evaluation import Evaluation
from ultrarm_eval.runs.matching import match_documents, match_pairs
from ultrarm_eval.runs.samples import Samples
from ultrarm_eval.runs.shared_tasks import shared_tasks
from ultrarm_eval.runs.task_result import TaskResult


def disagreements(
    evaluations: Sequence[Evaluation], samples: Mapping[str, Mapping[str, Samples]], each: int
) -> list[Candidate]:
    """The pairs that one judge orders one way and another the other, the surest first.

    Rewards of different judges have different scales: a margin counts in units of the root mean
    square of its judge's margins in the task.

    Args:
        evaluations: The judges' results.
        samples: Their samples by label and title of the task.
        each: The most pairs of each task and two judges; of one document at most one.
    """
    found = []
    for both in itertools.combinations(evaluations, 2):
        results = [
            (place, result) for place, one in enumerate(both) for result in one.tasks.values()
        ]
        for task in shared_tasks(results, by_name=True):
            titles = [_title(both[place], result) for place, result in task.results.items()]
            of_both = [
                known
                for place, title in zip(task.results, titles, strict=True)
                if (known := samples[both[place].label].get(title)) is not None and known.digest
            ]
            if len(of_both) == 2:
                found += _of_two(titles[0], both, of_both, each)
    return found


def _title(evaluation: Evaluation, result: TaskResult) -> str:
    return next(title for title, one in evaluation.tasks.items() if one is result)


def _of_two(
    task: str, judges: Sequence[Evaluation], samples: Sequence[Samples], each: int
) -> list[Candidate]:
    first, second = samples
    matched = match_pairs(first, second, match_documents(first, second))
    if not len(matched):
        return []
    of_first, of_second = first.pairs.iloc[matched.a], second.pairs.iloc[matched.b]
    own, theirs = (
        (of_one.margin / _size(one.pairs.margin)).to_numpy()
        for of_one, one in ((of_first, first), (of_second, second))
    )
    opposed = np.flatnonzero(own * theirs < 0)
    order = matched.a[opposed[np.argsort(-np.abs(own - theirs)[opposed], kind="stable")]]
    rewards = of_second.set_axis(matched.a)
    return [
        Candidate(
            judges[0].label,
            task,
            first,
            ChosenPair(DISAGREEMENT, pair),
            {judges[1].label: (rewards.chosen_reward[pair], rewards.rejected_reward[pair])},
        )
        for pair in first_of_each(order, first.pairs.document.to_numpy(), each)
    ]


def _size(margins: pd.Series) -> float:
    """The unit of a judge's margins."""
    return float(np.sqrt(np.mean(margins**2))) or 1.0

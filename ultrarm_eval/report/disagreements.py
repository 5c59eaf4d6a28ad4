"""The pairs on which two judges disagree most."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from ultrarm_eval.report.shown_pairs import Candidate
from ultrarm_eval.report.worth_reading import DISAGREEMENT, ChosenPair, first_of_each
from ultrarm_eval.runs.columns import Numbers
from ultrarm_eval.runs.matching import match_documents, match_pairs
from ultrarm_eval.runs.observations import Observations


def disagreements(samples: Mapping[str, Mapping[str, Observations]], each: int) -> list[Candidate]:
    """The pairs that one judge orders one way and another the other, the surest first.

    Rewards of different judges have different scales: a margin counts in units of the root mean
    square of its judge's margins in the task.

    Args:
        samples: Samples by judge and task.
        each: The most pairs of each task and two judges; of one document at most one.
    """
    found = []
    for first, second in itertools.combinations(samples, 2):
        for task in samples[first]:
            both = [samples[judge].get(task) for judge in (first, second)]
            if all(one is not None and one.digest is not None for one in both):
                found += _of_two(
                    task, (first, samples[first][task]), (second, samples[second][task]), each
                )
    return found


def _of_two(
    task: str, first: tuple[str, Observations], second: tuple[str, Observations], each: int
) -> list[Candidate]:
    (label, observations), (other, others) = first, second
    matched = match_pairs(observations, others, match_documents(observations, others))
    if not len(matched):
        return []
    here, there = matched.a, matched.b
    pairs, of_other = observations.pairs, others.pairs
    own, theirs = _scaled(pairs.margin)[here], _scaled(of_other.margin)[there]
    opposed = np.flatnonzero(own * theirs < 0)
    order = here[opposed[np.argsort(-np.abs(own - theirs)[opposed], kind="stable")]]
    there_of = dict(zip(here.tolist(), there.tolist(), strict=True))
    return [
        Candidate(
            label,
            task,
            observations,
            ChosenPair(DISAGREEMENT, pair),
            {
                other: (
                    float(of_other.chosen_reward[there_of[pair]]),
                    float(of_other.rejected_reward[there_of[pair]]),
                )
            },
        )
        for pair in first_of_each(order, pairs.document, each)
    ]


def _scaled(margins: Numbers) -> Numbers:
    size = float(np.sqrt(np.mean(margins**2)))
    return margins / size if size else margins

"""Figures of judged answers, one sample and one task at a time."""

import math
import statistics

import pytest

pytest.importorskip("lighteval")

from ultrarm_eval.judges.base import Judgement
from ultrarm_eval.lighteval.metrics import judged_metrics
from ultrarm_eval.lighteval.task_judging import JudgedAnswer


class Judged:
    """What a judge said of answers, in the place of a task's judging."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def judged(self, docs, responses):
        return self.answers


class Sample:
    specific = None


def figures(*answers):
    """The values of each metric, and what the task makes of them."""
    docs = [Sample() for _ in answers]
    found = {}
    for metric in judged_metrics(Judged(*answers), compares=True):
        values = metric.sample_level_fn.compute(docs, docs)
        found[metric.metric_name] = (values, metric.corpus_level_fn(values))
    return found


WIN = JudgedAnswer("yes", Judgement(2.0), "no", Judgement(1.0))
LOSS = JudgedAnswer("yes", Judgement(-3.0), "no", Judgement(1.0))
ALONE = JudgedAnswer("yes", Judgement(7.0))


def test_an_answer_without_a_reference_has_a_reward_and_no_win():
    found = figures(WIN, ALONE, LOSS)
    assert found["reward"][0] == [2.0, 7.0, -3.0]
    assert found["win_rate"] == ([1.0, None, 0.0], {"win_rate": 0.5, "win_rate_stderr": 0.5})
    assert found["win_rate_length_controlled"][0][1] is None


def test_the_error_is_that_of_a_mean():
    _, found = figures(WIN, ALONE, LOSS)["reward"]
    assert found["reward"] == 2.0
    assert found["reward_stderr"] == pytest.approx(statistics.stdev([2, 7, -3]) / math.sqrt(3))


def test_one_sample_has_no_error():
    assert figures(WIN)["reward"][1] == {"reward": 2.0}

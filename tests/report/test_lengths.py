import random

import numpy as np
import pytest

from tests.report.written_runs import rated, rated_sample, samples_of
from tests.runs.observed import observed
from ultrarm_eval.report.lengths import length_report
from ultrarm_eval.report.pair_sums import PairSums


def pair(row, good, bad, margin, **fields):
    """A better answer and another one of so many characters."""
    return rated(row, ["x" * good, "y" * bad], ["2", "1"], **fields), [float(margin), 0.0]


def report_on(folder, judged, metadata=None):
    found = observed(folder, samples_of(rated_sample, judged, metadata), metadata)
    return length_report(found, PairSums.of(found))


#: Better answer longer: right, right, wrong; shorter: right, tie; equally long: wrong.
JUDGED = [
    pair(0, 9, 1, 1),
    pair(1, 8, 2, 2),
    pair(2, 7, 3, -1),
    pair(3, 1, 5, 3),
    pair(4, 2, 6, 0),
    pair(5, 4, 4, -2),
]


def test_the_figures(tmp_path):
    report = report_on(tmp_path, JUDGED)
    assert report.pick_longest == pytest.approx(3.5 / 6)
    assert report.length_controlled == pytest.approx((2 / 3 + 1.5 / 2) / 2)
    # Longer preferred: twice, not, not, one half.
    assert report.follows_length == pytest.approx(2.5 / 5)


def test_ties_that_are_wrong_change_the_accuracy_alone(tmp_path):
    report = report_on(tmp_path, JUDGED, {"ties": "wrong"})
    assert report.pick_longest == pytest.approx(3.5 / 6)
    assert report.length_controlled == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert report.follows_length == pytest.approx(2.5 / 5)


def test_where_one_side_does_not_occur(tmp_path):
    report = report_on(tmp_path, JUDGED[:3])
    assert report.length_controlled is None
    assert report.length_controlled_interval is None
    assert (report.pick_longest, report.follows_length) == (1.0, pytest.approx(2 / 3))


def test_where_all_answers_are_equally_long(tmp_path):
    report = report_on(tmp_path, [pair(0, 4, 4, 1), pair(1, 4, 4, -1)])
    assert report.pick_longest == 0.5
    assert report.follows_length is None
    assert report.correlation is None


def test_the_correlation_is_over_all_completions_and_of_ranks(tmp_path):
    doc = rated(0, ["x", "xx", "x" * 100], ["1", "2", "3"])
    assert report_on(tmp_path, [(doc, [0.1, 0.2, 5.0])]).correlation == pytest.approx(1)
    assert report_on(tmp_path / "again", [(doc, [5.0, 0.2, 0.1])]).correlation == pytest.approx(-1)


def test_the_intervals_are_those_of_a_plain_bootstrap_over_prompts(tmp_path):
    drawn = random.Random(2)
    judged = [
        pair(
            row, drawn.randrange(9), drawn.randrange(9), drawn.gauss(0.3, 1), prompt=f"p{row // 2}"
        )
        for row in range(60)
    ]
    report = report_on(tmp_path, judged)
    prompts = [judged[row : row + 2] for row in range(0, 60, 2)]
    longest, controlled = [], []
    for _ in range(3000):
        sides = {True: [], False: []}
        picks = []
        for of_prompt in drawn.choices(prompts, k=30):
            for doc, rewards in of_prompt:
                good, bad = doc["lengths"]
                picks.append(0.5 if good == bad else float(good > bad))
                if good != bad:
                    sides[good > bad].append(float(rewards[0] > 0))
        longest.append(np.mean(picks))
        controlled.append((np.mean(sides[True]) + np.mean(sides[False])) / 2)
    for interval, values in (
        (report.pick_longest_interval, longest),
        (report.length_controlled_interval, controlled),
    ):
        ends = np.quantile(values, [0.025, 0.975])
        assert (interval.low, interval.high) == pytest.approx(ends, abs=0.015)


def test_rewards_by_length_in_ranges_of_about_equally_many(tmp_path):
    judged = [pair(row, row + 1, 201 + row, row) for row in range(100)]
    by_length = report_on(tmp_path, judged).by_length
    assert [one.count for one in by_length] == [10] * 20
    assert by_length[0].length == 5.5
    assert (by_length[0].low, by_length[0].median, by_length[0].high) == (2.25, 4.5, 6.75)
    # The worse answers, which all have the reward 0, are the longer half.
    assert (by_length[10].length, by_length[10].high) == (205.5, 0.0)


def test_of_few_completions_each_is_a_range(tmp_path):
    by_length = report_on(tmp_path, [pair(0, 3, 1, 2)]).by_length
    assert [(one.length, one.count, one.median) for one in by_length] == [(1, 1, 0), (3, 1, 2)]


def test_without_pairs_there_is_nothing(tmp_path):
    sample = {"doc_id": 0, "doc": {}, "metrics": ["m"], "m": 1.0, "doc_hash": "x"}
    found = observed(tmp_path, [sample])
    assert length_report(found, PairSums.of(found)) is None

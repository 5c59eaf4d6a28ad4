import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.written_runs import choice, choice_sample, rated, rated_sample, samples_of
from tests.runs.observed import observed
from ultrarm_eval.report.ranks import places, rank_confusion


def confusion(folder, *judged):
    """Of documents that are given by the ratings and rewards of their completions."""
    docs = [
        (rated(row, [f"{i}" for i in range(len(ratings))], ratings), rewards)
        for row, (ratings, rewards) in enumerate(judged)
    ]
    return rank_confusion(observed(folder, samples_of(rated_sample, docs)))


def test_ranks_that_are_the_same_and_ranks_that_are_reversed(tmp_path):
    ratings = ["1", "3", "2"]
    found = confusion(tmp_path, (ratings, [0.0, 9.0, 1.0]), (ratings, [9.0, 0.0, 1.0]))
    assert (found.completions, found.prompts, found.others) == (3, 2, 0)
    # The best is first at one time and last at the other, and the middle is always in the middle.
    assert found.shares == ((0.5, 0.0, 0.5), (0.0, 1.0, 0.0), (0.5, 0.0, 0.5))


def test_equal_ratings_and_equal_rewards_share_their_ranks(tmp_path):
    found = confusion(tmp_path, (["5", "5", "1"], [2.0, 1.0, 1.0]))
    # Both at the top by rating: one is first by reward, the other second or third as the last is.
    assert np.array(found.shares) == pytest.approx(
        np.array([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0.0, 0.5, 0.5]])
    )


def test_the_most_frequent_number_of_completions_counts(tmp_path):
    three, four = ["1", "2", "3"], ["1", "2", "3", "4"]
    found = confusion(
        tmp_path,
        (three, [1.0, 2.0, 3.0]),
        (four, [1.0, 2.0, 3.0, 4.0]),
        (three, [1.0, 2.0, 3.0]),
        # The rating is missing, and with it the completion.
        (["1", None, "3", "5"], [1.0, 9.0, 2.0, 3.0]),
    )
    assert (found.completions, found.prompts, found.others) == (3, 3, 1)
    assert found.shares == tuple(map(tuple, np.eye(3)))


def test_of_two_that_are_equally_frequent_the_larger_one_counts(tmp_path):
    four = (["1", "2", "3", "4"], [1.0, 2.0, 3.0, 4.0])
    three = (["1", "2", "3"], [1.0, 2.0, 3.0])
    for order in ((four, three), (three, four)):
        folder = tmp_path / str(len(order[0][0]))
        assert confusion(folder, *order).completions == 4


def test_completions_without_a_score_have_no_rank(tmp_path):
    found = confusion(tmp_path, (["1", "2", "3", "4"], [1.0, math.nan, 3.0, 4.0]))
    assert (found.completions, found.shares) == (3, tuple(map(tuple, np.eye(3))))


def test_two_ranks_are_no_confusion(tmp_path):
    assert confusion(tmp_path, (["1", "2"], [1.0, 2.0])) is None


def test_right_answers_of_a_benchmark_are_above_wrong_ones(tmp_path):
    metadata = {"suite": "rewardbench2", "ties": "the benchmark's own rule"}
    judged = [(choice(0, ["a"], ["b", "c", "d"]), [2.0, 3.0, 1.0, 1.0])]
    found = observed(tmp_path, samples_of(choice_sample, judged, metadata), metadata)
    shares = np.array(rank_confusion(found).shares)
    assert shares[0].tolist() == [0, 1, 0, 0]
    assert shares[1:] == pytest.approx(np.tile([1 / 3, 0, 1 / 3, 1 / 3], (3, 1)))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_shares_of_ranks_add_up(values):
    shares, twin = places(np.array([values, values], np.float64))
    assert (shares == twin).all()
    np.testing.assert_allclose(shares.sum(axis=0), 1)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    best = max(values)
    assert shares[values.index(best), 0] == pytest.approx(1 / values.count(best))
    assert shares[values.index(best), values.count(best) :].sum() == 0

import itertools
import math
import statistics
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from ultrarm_eval.errors import ConfigurationError, ScoringError
from ultrarm_eval.metrics.best_of_k import (
    MAX_SUBSETS,
    first_at_k,
    judge_at_k,
    majority_at_k,
    oracle_at_k,
    sizes,
)

quick = settings(max_examples=examples(100), deadline=None)
RIGHT_OR_WRONG = st.sampled_from([0.0, 1.0])
# Few numbers, so that ties are frequent, and some that no float can hold exactly.
REWARDS = st.sampled_from([-2.0, -0.0, 0.0, 0.1, 0.3, 7.5])
ANSWERS = st.sampled_from([None, "a", "b", ("c", 3)])


@st.composite
def samples(draw, values=RIGHT_OR_WRONG | REWARDS):
    """Values, rewards and answers of one prompt's samples, and a size of subset."""
    n = draw(st.integers(1, 6))
    lists = (draw(st.lists(each, min_size=n, max_size=n)) for each in (values, REWARDS, ANSWERS))
    return *lists, draw(st.integers(1, n))


def over_subsets(n, k, pick):
    """The mean of a pick over all subsets."""
    return statistics.fmean(pick(subset) for subset in itertools.combinations(range(n), k))


def mean_of_best(values, rewards, subset):
    highest = max(rewards[i] for i in subset)
    return statistics.fmean(values[i] for i in subset if rewards[i] == highest)


def mean_of_most_frequent(values, answers, subset):
    votes = Counter(answers[i] for i in subset if answers[i] is not None)
    if not votes:
        return 0.0
    frequent = [answer for answer in votes if votes[answer] == max(votes.values())]
    return statistics.fmean(
        statistics.fmean(values[i] for i in subset if answers[i] == answer) for answer in frequent
    )


class TestAgainstEnumeration:
    @given(samples())
    @quick
    def test_the_judge_and_the_oracle(self, given_samples):
        values, rewards, _, k = given_samples
        wanted = over_subsets(len(values), k, lambda s: mean_of_best(values, rewards, s))
        assert judge_at_k(values, rewards, k) == pytest.approx(wanted, abs=1e-12)
        highest = over_subsets(len(values), k, lambda s: max(values[i] for i in s))
        assert oracle_at_k(values, k) == pytest.approx(highest, abs=1e-12)

    @given(samples())
    @quick
    def test_the_first_is_any_of_a_random_subset(self, given_samples):
        values, _, _, k = given_samples
        wanted = over_subsets(len(values), k, lambda s: statistics.fmean(values[i] for i in s))
        assert first_at_k(values, k) == pytest.approx(wanted, abs=1e-12)

    @given(samples())
    @quick
    def test_the_majority(self, given_samples):
        values, _, answers, k = given_samples
        wanted = over_subsets(len(values), k, lambda s: mean_of_most_frequent(values, answers, s))
        assert majority_at_k(values, answers, k) == pytest.approx(wanted, abs=1e-12)


class TestJudge:
    def test_a_known_value(self):
        # Of the three pairs, the second sample is the best of one and the third of two.
        assert judge_at_k([1, 0, 1], [0.1, 0.2, 0.3], 2) == pytest.approx(2 / 3)
        # Two at the top: a pair with one of them yields it, the pair of both one by lot.
        assert judge_at_k([0, 1, 0], [0.1, 0.3, 0.3], 2) == 0.5

    @given(samples())
    @quick
    def test_a_constant_judge_picks_the_first(self, given_samples):
        values, _, _, k = given_samples
        assert judge_at_k(values, [3.5] * len(values), k) == first_at_k(values, k)

    @given(samples())
    @quick
    def test_no_judge_beats_the_oracle_or_falls_below_the_anti_judge(self, given_samples):
        values, rewards, _, k = given_samples
        negated = [-value for value in values]
        worst = judge_at_k(values, negated, k)
        assert judge_at_k(values, values, k) == oracle_at_k(values, k)
        assert worst == -oracle_at_k(negated, k)
        assert worst <= judge_at_k(values, rewards, k) <= oracle_at_k(values, k)

    def test_the_anti_judge_is_right_where_all_of_the_subset_is(self):
        values = [1, 1, 1, 0, 0]
        for k in range(1, 6):
            wanted = math.comb(3, k) / math.comb(5, k)
            assert judge_at_k(values, [-value for value in values], k) == pytest.approx(wanted)

    @given(samples())
    @quick
    def test_of_one_it_picks_that_and_of_all_the_best(self, given_samples):
        values, rewards, _, _ = given_samples
        n = len(values)
        assert judge_at_k(values, rewards, 1) == first_at_k(values, 1)
        wanted = mean_of_best(values, rewards, range(n))
        assert judge_at_k(values, rewards, n) == pytest.approx(wanted, abs=1e-12)

    @given(samples(), st.randoms(use_true_random=False))
    @quick
    def test_the_order_of_samples_changes_nothing(self, given_samples, random):
        values, rewards, _, k = given_samples
        order = list(range(len(values)))
        random.shuffle(order)
        shuffled = [values[i] for i in order], [rewards[i] for i in order]
        assert judge_at_k(*shuffled, k) == judge_at_k(values, rewards, k)

    def test_a_thousand_samples_are_exact(self):
        # C(1000, 500) is beyond all floats.
        right = [1.0] + [0.0] * 999
        assert oracle_at_k(right, 500) == 0.5
        assert oracle_at_k([1.0] * 1000, 500) == 1.0

    def test_numbers_of_numpy_are_numbers(self):
        values, rewards = np.array([1, 0, 1], np.int64), np.array([1, 2, 3], np.float32)
        assert judge_at_k(values, rewards, 2) == judge_at_k([1, 0, 1], [1, 2, 3], 2)


class TestOracle:
    @pytest.mark.parametrize("n", [1, 2, 7, 16])
    def test_right_and_wrong_is_pass_at_k(self, n):
        for c, k in itertools.product(range(n + 1), range(1, n + 1)):
            wanted = 1 - math.comb(n - c, k) / math.comb(n, k)
            assert oracle_at_k([1] * c + [0] * (n - c), k) == pytest.approx(wanted, abs=1e-15)

    @given(samples())
    @quick
    def test_more_samples_are_never_worse(self, given_samples):
        values, _, _, _ = given_samples
        by_size = [oracle_at_k(values, k) for k in range(1, len(values) + 1)]
        assert by_size == sorted(by_size)
        assert by_size[0] == first_at_k(values, 1)
        assert by_size[-1] == max(values)


class TestMajority:
    def test_a_known_value(self):
        # Subsets of three: twice two of "a" outvote the other; without one "a" all three tie.
        values, answers = [1, 1, 0, 0], ["a", "a", "b", "c"]
        assert majority_at_k(values, answers, 3) == pytest.approx((1 + 1 + 1 / 3 + 1 / 3) / 4)

    def test_an_unreadable_answer_votes_for_nothing(self):
        assert majority_at_k([1, 0, 0], ["a", None, None], 3) == 1.0
        assert majority_at_k([1, 0, 0], ["a", None, None], 1) == pytest.approx(1 / 3)

    def test_only_unreadable_answers_are_wrong_whatever_their_value(self):
        assert majority_at_k([1.0, 1.0], [None, None], 1) == 0.0
        assert majority_at_k([1.0, 1.0, 1.0], [None, None, "a"], 2) == pytest.approx(2 / 3)

    @given(samples())
    @quick
    def test_of_one_each_answers_for_itself(self, given_samples):
        values, _, answers, _ = given_samples
        readable = [v if a is not None else 0.0 for v, a in zip(values, answers, strict=True)]
        assert majority_at_k(values, answers, 1) == pytest.approx(first_at_k(readable, 1))

    def test_of_all_the_most_frequent_answer_is_taken(self):
        assert majority_at_k([0, 0, 1, 1, 1], ["a", "a", "b", "b", "b"], 5) == 1.0

    def test_all_right_is_one_and_all_wrong_nothing(self):
        for k in (1, 8, 16):
            assert majority_at_k([1] * 16, list(range(16)), k) == 1.0
            assert majority_at_k([0] * 16, list(range(16)), k) == 0.0

    def test_beyond_ten_thousand_subsets_it_is_drawn_by_seed_and_near_the_truth(self):
        n, k, right = 20, 9, 9
        assert math.comb(n, k) > MAX_SUBSETS
        values, answers = [1] * right + [0] * (n - right), ["a"] * right + ["b"] * (n - right)
        # Two answers and an odd k: the chance of at least five of nine, hypergeometric.
        wanted = sum(
            math.comb(right, i) * math.comb(n - right, k - i) for i in range(5, k + 1)
        ) / math.comb(n, k)
        drawn = majority_at_k(values, answers, k, seed=3)
        # Four standard errors of ten thousand draws.
        assert drawn == pytest.approx(wanted, abs=0.02)
        assert majority_at_k(values, answers, k, seed=3) == drawn
        assert majority_at_k(values, answers, k, seed=4) != drawn

    def test_drawn_subsets_have_k_members_each_sample_in_its_share(self):
        # With distinct answers every subset ties throughout: the value is the share of members.
        n, k = 40, 13
        drawn = majority_at_k([1] + [0] * (n - 1), list(range(n)), k)
        assert drawn == pytest.approx(1 / n, abs=4 * math.sqrt(k / n * (1 - k / n)) / k / 100)


class TestSizes:
    @pytest.mark.parametrize(
        ("n", "wanted"),
        [(1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (6, (1, 2, 4, 6)), (16, (1, 2, 4, 8, 16))],
    )
    def test_powers_of_two_and_all(self, n, wanted):
        assert sizes(n) == wanted

    @pytest.mark.parametrize("n", [0, -3])
    def test_none_is_refused(self, n):
        with pytest.raises(ConfigurationError, match=f"n={n}: .* at least 1"):
            sizes(n)


AT_K = {
    "first": lambda values, k: first_at_k(values, k),
    "judge": lambda values, k: judge_at_k(values, [1.0] * len(values), k),
    "oracle": lambda values, k: oracle_at_k(values, k),
    "majority": lambda values, k: majority_at_k(values, ["a"] * len(values), k),
}


@pytest.mark.parametrize("at_k", AT_K.values(), ids=AT_K)
class TestRefusals:
    @pytest.mark.parametrize("k", [0, -1, 4])
    def test_a_size_that_no_subset_has(self, at_k, k):
        with pytest.raises(ConfigurationError, match=f"k={k}: a prompt has 3 samples.* 1 to 3"):
            at_k([1, 0, 1], k)

    def test_no_samples(self, at_k):
        with pytest.raises(ScoringError, match="without samples"):
            at_k([], 1)

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_a_value_that_is_not_finite(self, at_k, value):
        with pytest.raises(ScoringError, match=f"Sample 1 has the value {value}"):
            at_k([1.0, value], 1)


def test_a_reward_that_is_not_finite_is_refused():
    with pytest.raises(ScoringError, match="Sample 2 has the reward nan"):
        judge_at_k([1, 0, 1], [0.0, 1.0, math.nan], 2)


def test_lengths_that_differ_are_refused():
    with pytest.raises(ScoringError, match="3 values and 2 rewards"):
        judge_at_k([1, 0, 1], [0.0, 1.0], 1)
    with pytest.raises(ScoringError, match="3 values and 1 answers"):
        majority_at_k([1, 0, 1], ["a"], 1)

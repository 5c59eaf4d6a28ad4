import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ultrarm_eval.errors import ConfigurationError, ScoringError
from ultrarm_eval.stats.intervals import mean_interval
from ultrarm_eval.stats.paired import (
    PairedTest,
    mcnemar_exact,
    paired_interval,
    paired_test,
    sign_flip_test,
)

COUNTS = st.integers(0, 300)
HALVES = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=40)
TABLES = [(0, 0), (1, 0), (0, 5), (6, 6), (6, 7), (8, 6), (10, 2), (3, 12), (121, 59), (4000, 4300)]


@pytest.mark.parametrize(("only_a", "only_b"), TABLES[1:])
def test_mcnemars_test_is_scipys_binomial_test(only_a, only_b):
    theirs = stats.binomtest(only_a, only_a + only_b).pvalue
    assert mcnemar_exact(only_a, only_b) == pytest.approx(theirs, rel=1e-10)


@pytest.mark.parametrize(("only_a", "only_b"), TABLES)
def test_mcnemars_test_is_that_of_statsmodels(only_a, only_b):
    tables = pytest.importorskip("statsmodels.stats.contingency_tables")
    theirs = tables.mcnemar([[50, only_a], [only_b, 20]], exact=True).pvalue
    assert mcnemar_exact(only_a, only_b) == pytest.approx(theirs, rel=1e-10)


def test_mcnemars_test_by_hand():
    # One to nine of ten: 2 (1 + 10) / 2^10.
    assert mcnemar_exact(1, 9) == pytest.approx(22 / 1024, rel=1e-14)
    assert mcnemar_exact(0, 5) == pytest.approx(2 / 32, rel=1e-14)
    assert mcnemar_exact(0, 0) == mcnemar_exact(8, 8) == mcnemar_exact(8, 7) == 1.0


@given(COUNTS, COUNTS)
def test_mcnemars_test_does_not_ask_who_is_first(only_a, only_b):
    assert mcnemar_exact(only_a, only_b) == mcnemar_exact(only_b, only_a)
    assert 0 < mcnemar_exact(only_a, only_b) <= 1


def test_single_pairs_get_mcnemars_test():
    found = paired_test([1, 1, 1, 1, 0, 1, 0], [0, 0, 0, 0, 1, 1, 0], single_pairs=True)
    assert found == PairedTest("mcnemar", mcnemar_exact(4, 1), prompts=7, a_higher=4, b_higher=1)


def test_half_a_credit_or_several_pairs_get_the_sign_flip_test():
    a, b = [1, 1, 0.5, 1, 0], [0, 0, 1, 0, 0]
    expected = sign_flip_test([1, 1, -0.5, 1])
    for single_pairs in (True, False):
        found = paired_test(a, b, single_pairs=single_pairs)
        assert found == PairedTest("sign-flip", expected, prompts=5, a_higher=3, b_higher=1)
    assert paired_test([1, 1], [0, 0], single_pairs=False).test == "sign-flip"


def test_on_single_pairs_both_tests_say_the_same():
    a, b = np.r_[np.ones(30), np.zeros(18)], np.r_[np.zeros(30), np.ones(18)]
    mcnemar = paired_test(a, b, single_pairs=True).p_value
    assert paired_test(a, b, single_pairs=False).p_value == pytest.approx(mcnemar, rel=1e-10)


def test_rounding_is_no_difference():
    sixths = [sum([1 / 6] * 6)] * 40
    found = paired_test(sixths, [1.0] * 40, single_pairs=False)
    assert (found.p_value, found.a_higher, found.b_higher) == (1.0, 0, 0)


@given(st.data(), HALVES)
def test_swapping_the_judges_changes_no_p_value(data, a):
    b = data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=len(a), max_size=len(a)))
    for single_pairs in (True, False):
        one = paired_test(a, b, single_pairs=single_pairs)
        other = paired_test(b, a, single_pairs=single_pairs)
        assert (one.p_value, one.a_higher) == (other.p_value, other.b_higher)


def test_the_interval_of_the_difference_is_that_of_the_paired_t_test():
    a, b = [1, 0.5, 0.75, 1, 0, 1], [0.5, 0.5, 1, 0, 0, 0.25]
    found = paired_interval(np.subtract(a, b), level=0.9)
    theirs = stats.ttest_rel(a, b).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))
    assert (found.method, found.level) == ("t", 0.9)


def test_the_interval_of_the_difference_stays_between_minus_one_and_one():
    found = paired_interval([-1, 1, 0.5])
    assert (found.low, found.high) == (-1.0, 1.0)


@pytest.mark.parametrize("n", [1, 30])
def test_judges_that_agreed_so_far_may_still_differ(n):
    found = paired_interval([0.0] * n)
    assert found == mean_interval([0.0] * n, bounds=(-1, 1))
    assert (found.low, found.low > -1) == (-found.high, True)
    assert found.high > 0.1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mcnemar_exact(-1, 3), ScoringError, "-1 pairs are no count"),
        (lambda: mcnemar_exact(3, 1.5), ScoringError, "1.5 pairs are no count"),
        (lambda: mcnemar_exact(3, math.nan), ScoringError, "nan pairs are no count"),
        (lambda: sign_flip_test([]), ScoringError, "There is no difference"),
        (lambda: sign_flip_test([0.5, math.nan]), ScoringError, "Difference 1 is nan"),
        (lambda: sign_flip_test([0.5], replicates=0), ConfigurationError, "replicates is 0"),
        (lambda: sign_flip_test([0.5], seed=1.5), ConfigurationError, "seed is 1.5"),
        (lambda: paired_interval([]), ScoringError, "There is no value"),
        (lambda: paired_interval([2.0]), ScoringError, "is 2.0; it goes from -1 to 1"),
        (lambda: paired_test([], [], single_pairs=True), ScoringError, "There is no credit"),
        (lambda: paired_test([1], [1, 0], single_pairs=True), ScoringError, "1 credits .* and 2"),
        (
            lambda: paired_test([1, 2], [1, 0], single_pairs=True),
            ScoringError,
            "Credit 1 is 2.0; it goes from 0 to 1",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ultrarm_eval.errors import ScoringError
from ultrarm_eval.stats.agreement import cohens_kappa, rank_correlation

CATEGORIES = st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("xyz")), min_size=1)
NUMBERS = st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=2, max_size=40)


def _from_table(table):
    cells = [(i, j) for i, row in enumerate(table) for j, n in enumerate(row) for _ in range(n)]
    return [i for i, _ in cells], [j for _, j in cells]


def test_a_table_by_hand():
    # 35 of 50 agree (0.7); by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5 would: kappa 0.2 / 0.5.
    assert cohens_kappa(*_from_table([[20, 5], [10, 15]])) == pytest.approx(0.4, rel=1e-15)


def test_full_no_and_reversed_agreement():
    assert cohens_kappa("aabb", "aabb") == 1.0
    assert cohens_kappa("aabb", "abab") == 0.0
    assert cohens_kappa("aabb", "bbaa") == -1.0
    assert cohens_kappa([1, None, "x"], [1, "x", None]) == pytest.approx(0.0)


def test_kappa_is_undefined_where_chance_alone_agrees_fully():
    assert cohens_kappa("aaa", "aaa") is None
    assert cohens_kappa([0.5], [0.5]) is None
    assert cohens_kappa("aaa", "bbb") == 0.0


@pytest.mark.parametrize("table", [[[11, 2, 0], [3, 9, 4], [1, 0, 7]], [[1, 30], [2, 1]]])
def test_kappa_is_that_of_statsmodels(table):
    raters = pytest.importorskip("statsmodels.stats.inter_rater")
    theirs = raters.cohens_kappa(np.array(table)).kappa
    assert cohens_kappa(*_from_table(table)) == pytest.approx(theirs, rel=1e-12)


@given(CATEGORIES)
def test_kappa_does_not_ask_who_is_first(pairs):
    a, b = zip(*pairs, strict=True)
    kappa = cohens_kappa(a, b)
    assert kappa == cohens_kappa(b, a)
    assert kappa is None or -1 <= kappa <= 1


def test_ranks_with_ties_by_hand():
    # Ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4: covariance 4.5, variances 4.5 and 5.
    assert rank_correlation([10, 20, 20, 30], [1, 3, 2, 4]) == pytest.approx(4.5 / math.sqrt(22.5))


@pytest.mark.parametrize("n", [2, 3, 50, 20_000])
def test_an_order_agrees_with_itself_fully(n):
    numbers = np.random.default_rng(n).normal(size=n)
    assert rank_correlation(numbers, np.exp(numbers)) == pytest.approx(1.0, abs=1e-15)
    assert rank_correlation(numbers, -numbers) == pytest.approx(-1.0, abs=1e-15)


def test_no_order_has_no_correlation():
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None
    assert rank_correlation([1, 2, 3], [0, 0, 0]) is None
    assert rank_correlation([1], [1]) is None


@given(NUMBERS)
def test_rank_correlation_is_scipys(pairs):
    a, b = zip(*pairs, strict=True)
    found = rank_correlation(a, b)
    assert found == rank_correlation(b, a)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert found is None
    elif len(a) > 2:
        assert found == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


@pytest.mark.parametrize("function", [cohens_kappa, rank_correlation])
def test_what_cannot_agree_is_refused(function):
    with pytest.raises(ScoringError, match="There (are no items|is no number)"):
        function([], [])
    with pytest.raises(ScoringError, match="2 values of one judge and 1 of the other"):
        function([1, 2], [1])
    with pytest.raises(ScoringError, match="1 is (nan|NaN)"):
        function([1.0, 2.0], [1.0, math.nan])

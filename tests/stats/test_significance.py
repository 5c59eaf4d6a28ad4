import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ultrarm_eval.errors import ConfigurationError, ScoringError
from ultrarm_eval.stats import significance
from ultrarm_eval.stats.significance import holm, mcnemar_exact, sign_flip_test

COUNTS = st.integers(0, 300)
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)
TABLES = [(0, 0), (1, 0), (0, 5), (6, 6), (6, 7), (8, 6), (10, 2), (3, 12), (121, 59), (4000, 4300)]
# In sixteenths, so that sums are exact and ties are ties.
EXACT = st.lists(st.integers(-16, 16).map(lambda k: k / 16), min_size=1, max_size=9)
ANY = st.lists(st.floats(-1, 1), min_size=1, max_size=30)


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


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mcnemar_exact(-1, 3), ScoringError, "number of pairs is -1"),
        (lambda: mcnemar_exact(3, 1.5), ScoringError, "number of pairs is 1.5"),
        (lambda: mcnemar_exact(3, math.nan), ScoringError, "number of pairs is nan"),
        (lambda: sign_flip_test([]), ScoringError, "There is no difference"),
        (lambda: sign_flip_test([0.5, math.nan]), ScoringError, "Difference 1 is nan"),
        (lambda: sign_flip_test([0.5], replicates=0), ConfigurationError, "replicates is 0"),
        (lambda: sign_flip_test([0.5], seed=1.5), ConfigurationError, "seed is 1.5"),
    ],
)
def test_what_cannot_be_compared_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def _brute_force(differences):
    seen = abs(sum(differences))
    sums = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    return sum(one >= seen - 1e-9 for one in sums) / len(sums)


def _normal_approximation(differences):
    return 2 * stats.norm.sf(abs(differences.sum()) / np.sqrt((differences**2).sum()))


def test_known_small_cases():
    assert sign_flip_test([0.5]) == 1.0
    assert sign_flip_test([0.0, 0.0]) == 1.0
    assert sign_flip_test([1, 1, 1]) == 2 / 8
    # Of 8 choices of signs of 1, 2 and 4, only the two with equal signs reach 7.
    assert sign_flip_test([1, 2, 4]) == 2 / 8
    assert sign_flip_test([-1, 2, 4]) == 4 / 8


@given(EXACT)
def test_few_differences_get_the_share_of_all_choices_of_signs(differences):
    assert sign_flip_test(differences) == _brute_force(differences)


@pytest.mark.parametrize("n", [2, 9, 13])
def test_few_differences_get_the_exact_p_value_of_scipys_permutation_test(n):
    differences = np.random.default_rng(n).normal(0.4, 1, size=n)
    theirs = stats.permutation_test(
        (differences, np.zeros(n)),
        lambda a, b, axis: np.mean(a - b, axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=10_000,
    )
    assert sign_flip_test(differences) == pytest.approx(theirs.pvalue, rel=1e-12)


def test_sums_that_only_rounding_tells_apart_are_equal():
    # 0.1 + 0.2 and 0.3 are different floats: -0.1 - 0.2 + 0.3 + 0.5 reaches 0.5 as well.
    assert sign_flip_test([0.1, 0.2, -0.3, 0.5]) == _brute_force([1, 2, -3, 5])
    assert sign_flip_test([1 / 3, -1 / 6, -1 / 6] * 3 + [1 / 6]) == _brute_force(
        [2, -1, -1] * 3 + [1]
    )


@pytest.mark.product
@pytest.mark.parametrize("ratings", [2, 6, 12])
@pytest.mark.parametrize("n", [17, 20])
def test_credits_get_the_same_exact_p_value_without_going_through_all_choices(
    n, ratings, monkeypatch
):
    differences = np.random.default_rng(n).integers(-ratings + 1, ratings + 1, n) / ratings
    without = sign_flip_test(differences)
    assert significance._on_lattice(np.abs(differences[differences != 0])) is not None
    monkeypatch.setattr(significance, "_MOST_ENUMERATED", 20)
    assert without == pytest.approx(sign_flip_test(differences), rel=1e-9)


@pytest.mark.parametrize(("plus", "minus"), [(12, 8), (70, 30), (540, 460), (32_200, 31_800)])
def test_single_pairs_of_any_number_get_the_binomial_p_value(plus, minus):
    found = sign_flip_test(np.r_[np.ones(plus), -np.ones(minus)])
    assert found == pytest.approx(stats.binomtest(plus, plus + minus).pvalue, rel=1e-9)


def test_credits_of_all_of_ultrafeedback_get_an_exact_p_value():
    # A sixth of a pair's credit, of which a tie is half.
    differences = np.random.default_rng(0).integers(-12, 13, 64_000) / 12
    found = sign_flip_test(differences)
    assert found == pytest.approx(_normal_approximation(differences), abs=1e-3)
    assert found == sign_flip_test(differences, replicates=1, seed=9)


def test_the_smallest_p_values_are_bounded_from_below():
    assert sign_flip_test([1.0] * 20) == pytest.approx(2.0**-19, rel=1e-9)
    assert sign_flip_test([1.0] * 5000) == significance._SMALLEST_LATTICE_CHANCE


@pytest.mark.parametrize("shift", [0.0, 0.25, 0.5])
def test_drawn_signs_come_close_to_all_signs(shift, monkeypatch):
    differences = np.random.default_rng(4).normal(shift, 1, size=16)
    exact = sign_flip_test(differences)
    monkeypatch.setattr(significance, "_MOST_ENUMERATED", 0)
    drawn = sign_flip_test(differences)
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 100_000))
    assert drawn != exact


def test_drawn_signs_never_give_a_p_value_of_0():
    differences = 1 + np.random.default_rng(5).random(40) / 3
    assert sign_flip_test(differences, replicates=999) == 1 / 1000


def test_drawn_signs_follow_the_seed_and_not_the_size_of_a_chunk(monkeypatch):
    differences = np.random.default_rng(6).normal(0.02, 1, size=3000)
    found = sign_flip_test(differences, replicates=5000, seed=1)
    assert found == pytest.approx(_normal_approximation(differences), abs=0.03)
    assert found == sign_flip_test(differences, replicates=5000, seed=1)
    assert found != sign_flip_test(differences, replicates=5000, seed=2)
    monkeypatch.setattr(significance, "_REPLICATES_AT_ONCE", 1000)
    chunked = sign_flip_test(differences, replicates=5000, seed=1)
    assert chunked == pytest.approx(found, abs=0.03)


@given(ANY, st.integers(0, 20))
def test_prompts_without_a_difference_change_nothing(differences, zeros):
    p_value = sign_flip_test(differences, replicates=200)
    assert sign_flip_test([0.0] * zeros + differences, replicates=200) == p_value
    assert 0 < p_value <= 1


@given(ANY, st.randoms(use_true_random=False), st.sampled_from([-1.0, 0.25, -1024.0]))
def test_order_sign_and_unit_change_nothing(differences, random, factor):
    p_value = sign_flip_test(differences, replicates=200)
    shuffled = random.sample(differences, len(differences))
    changed = [factor * difference for difference in shuffled]
    if any(c == 0 != s for c, s in zip(changed, shuffled, strict=True)):
        return  # it underflowed
    assert sign_flip_test(changed, replicates=200) == p_value


def test_large_numbers_do_not_overflow():
    assert sign_flip_test([1.7e308, 1.7e308, 1.7e308]) == 2 / 8


def test_a_known_family_of_tests():
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, and none smaller than the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_one_test_needs_no_correction_and_no_test_has_none():
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_equal_and_large_p_values():
    assert holm([0.02, 0.02, 0.02]) == pytest.approx([0.06] * 3)
    assert holm([0.5, 0.9, 1.0]) == [1.0, 1.0, 1.0]
    assert holm((0.0, 1.0)) == [0.0, 1.0]


@pytest.mark.few(1)
@pytest.mark.parametrize("count", [2, 7, 40])
def test_holms_method_is_that_of_statsmodels(count):
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p_values = np.random.default_rng(count).beta(0.3, 3, size=count)
    assert holm(p_values) == pytest.approx(multitest.multipletests(p_values, method="holm")[1])


@given(P_VALUES)
def test_adjusted_p_values_keep_the_order_and_grow_to_at_most_1(p_values):
    adjusted = holm(p_values)
    assert all(p <= after <= 1 for p, after in zip(p_values, adjusted, strict=True))
    assert min(adjusted) == pytest.approx(min(1.0, len(p_values) * min(p_values)))
    pairs = sorted(zip(p_values, adjusted, strict=True))
    assert [after for _, after in pairs] == sorted(adjusted)


@given(P_VALUES, st.randoms(use_true_random=False))
def test_the_order_of_the_tests_does_not_matter(p_values, random):
    order = random.sample(range(len(p_values)), len(p_values))
    adjusted = holm(p_values)
    assert holm([p_values[i] for i in order]) == [adjusted[i] for i in order]


@pytest.mark.parametrize("wrong", [math.nan, -0.1, 1.5])
def test_what_is_no_p_value_is_refused(wrong):
    with pytest.raises(ScoringError, match="P-value 1 is"):
        holm([0.5, wrong])

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrarm_eval.errors import ScoringError
from ultrarm_eval.stats.multiplicity import holm

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_a_known_family():
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, and none smaller than the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_one_test_needs_no_correction_and_no_test_has_none():
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_equal_and_large_p_values():
    assert holm([0.02, 0.02, 0.02]) == pytest.approx([0.06] * 3)
    assert holm([0.5, 0.9, 1.0]) == [1.0, 1.0, 1.0]
    assert holm((0.0, 1.0)) == [0.0, 1.0]


@pytest.mark.parametrize("count", [2, 7, 40])
def test_it_is_that_of_statsmodels(count):
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

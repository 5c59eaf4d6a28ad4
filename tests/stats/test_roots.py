import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from tests.conftest import examples
from ultrarm_eval.errors import ScoringError
from ultrarm_eval.stats.roots import root_between

TINY, EPSILON = 2.2250738585072014e-308, 2.220446049250313e-16


def scipys(function, low, high):
    return brentq(function, low, high, xtol=TINY, rtol=4 * EPSILON, maxiter=2000)


@settings(max_examples=examples(300))
@given(
    st.floats(1e-12, 50),
    st.floats(-50, 50).filter(lambda x: abs(x) > 1e-6),
    st.floats(0, 3),
    st.sampled_from([1.0, 1e-200, 1e150]),
)
def test_every_digit_is_that_of_scipy(root, factor, power, size):
    def function(x):
        return size * factor * math.copysign(abs(x - root) ** (1 + power), x - root)

    assert root_between(function, 0.0, root + 1) == scipys(function, 0.0, root + 1)


@pytest.mark.parametrize("place", [1e-300, 1e-9, 0.3, 0.999999])
def test_a_root_far_below_one_is_found(place):
    found = root_between(lambda x: math.tanh(x - place), 0.0, 1.0)
    assert found == scipys(lambda x: math.tanh(x - place), 0.0, 1.0)
    assert found == pytest.approx(place, rel=1e-12, abs=1e-290)


def test_a_root_at_an_end_is_that_end():
    assert root_between(lambda x: x, 0.0, 1.0) == 0.0
    assert root_between(lambda x: x - 1, 0.0, 1.0) == 1.0


def test_a_function_without_a_change_of_sign_is_refused():
    with pytest.raises(ScoringError, match=r"same sign at 0\.0 and 1\.0"):
        root_between(lambda x: x + 1, 0.0, 1.0)

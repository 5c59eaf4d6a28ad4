from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrarm_eval.exact_numbers import exact_number


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("4", Fraction(4)),
        (" 4.5 ", Fraction(9, 2)),
        (4.3, Fraction(43, 10)),
        (7, Fraction(7)),
        ("-0.5", Fraction(-1, 2)),
        ("3.", Fraction(3)),
    ],
)
def test_a_number_is_what_is_written(given, value):
    assert exact_number(given) == value


@pytest.mark.parametrize(
    "given",
    [True, None, [4], "4/5", "1e9", "1e999999999", "", "four", "4.5.6", float("nan"), float("inf")],
)
def test_what_is_no_plain_number_is_none(given):
    assert exact_number(given) is None


def test_a_truth_value_is_none_though_python_calls_it_equal_to_a_number():
    assert exact_number(1) == 1
    assert exact_number(True) is None


@given(st.decimals(-100, 100, places=3))
def test_text_and_float_of_the_same_decimal_are_the_same_number(decimal):
    assert exact_number(f"{decimal:f}") == exact_number(float(decimal)) == Fraction(decimal)

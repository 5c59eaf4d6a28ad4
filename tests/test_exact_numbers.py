from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrarm_eval.exact_numbers import exact_fraction, exact_number


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("4", Fraction(4)),
        (" 4.5 ", Fraction(9, 2)),
        (4.3, Fraction(43, 10)),
        (7, Fraction(7)),
        ("-0.5", Fraction(-1, 2)),
        ("3.", Fraction(3)),
        (Decimal("4.30"), Fraction(43, 10)),
        (Decimal(0), Fraction(0)),
        (10**99, Fraction(10**99)),
        (5e-324, Fraction(5, 10**324)),
    ],
)
def test_a_number_is_what_is_written(given, value):
    assert exact_number(given) == value


@pytest.mark.parametrize(
    "given",
    [
        *(True, None, [4], "4/5", "1e9", "1e999999999", "-1e999999999", "", "four", "4.5.6"),
        *(float("nan"), float("inf"), -float("inf"), "nan", "inf", "Infinity", "٣"),
        *(10**400, -(10**400), 10**5000, 10**100, 1e300, -1e300, "9" * 400, "9" * 100_000),
        *map(Decimal, ("1e400", "-1e400", "1e999999999", "1e-999999999", "nan", "snan", "inf")),
    ],
    ids=lambda given: f"{type(given).__name__} {given!s:.12}" if not isinstance(given, int) else "",
)
def test_what_is_no_plain_number_is_none(given):
    assert exact_number(given) is None


def test_a_truth_value_is_none_though_python_calls_it_equal_to_a_number():
    assert exact_number(1) == 1
    assert exact_number(True) is None


@given(st.decimals(-100, 100, places=3))
def test_text_and_float_of_the_same_decimal_are_the_same_number(decimal):
    assert exact_number(f"{decimal:f}") == exact_number(float(decimal)) == Fraction(decimal)


@given(st.fractions(-(10**90), 10**90))
def test_a_fraction_comes_back_from_its_spelling(fraction):
    assert exact_fraction(str(fraction)) == fraction


@pytest.mark.parametrize(
    "spelled",
    [
        "1e999999999",
        "4.5",
        "1/0",
        "1/-2",
        "",
        "/",
        "1/2/3",
        " 1",
        "nan",
        "1" * 5000,
        "1" * 101,
        "٣",
    ],
    ids=lambda spelled: spelled[:12],
)
def test_what_no_fraction_spells_is_none(spelled):
    assert exact_fraction(spelled) is None


@given(st.one_of(st.integers(), st.floats(), st.decimals(), st.text()))
def test_sums_and_differences_of_numbers_are_floats(value):
    number = exact_number(value)
    assert number is None or abs(float(number * 1_000_000 - -number)) < float("inf")

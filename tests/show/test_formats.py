"""Every form writes a figure as these functions do."""

import math
from datetime import datetime, timezone

import pytest

from ultrarm_eval.runs.figure import Figure
from ultrarm_eval.show.formats import (
    NONE,
    cell_interval,
    cell_value,
    count,
    date,
    difference,
    figure_interval,
    figure_value,
    iso_date,
    number,
    p_value,
    percent,
)
from ultrarm_eval.stats.interval import Interval


@pytest.mark.parametrize(
    ("share", "written"),
    [
        (0.9996, "99.96"),
        (0.9995, "99.95"),
        (0.99944, "99.9"),
        (1 - 1e-6, "99.9999"),
        (1 - 1e-15, "100.0"),
        (1.0, "100.0"),
        (1.01, "101.0"),
        (0.0004, "0.04"),
        (2e-6, "0.0002"),
        (1e-15, "0.0"),
        (-0.0, "0.0"),
        (-0.0004, "-0.04"),
    ],
)
def test_only_all_reads_100_percent_and_only_none_0(share, written):
    assert percent(share) == f"{written} %"
    assert cell_value(share, True) == written.replace("-", "\N{MINUS SIGN}")


def test_a_share_is_in_percent_and_a_number_is_none():
    share = Figure("acc", "none", 0.12345, interval=Interval(0.1, 0.2))
    assert (figure_value(share), figure_interval(share)) == ("12.3 %", "10.0 % to 20.0 %")
    margin = Figure("margin", "none", -1.5, interval=Interval(-2.0, 0.25))
    assert (figure_value(margin), figure_interval(margin)) == ("-1.500", "-2.000 to 0.250")


def test_where_there_is_no_value_is_a_dash():
    written = [percent(None), percent(math.nan), number(None), number(math.nan), count(None)]
    assert written == [NONE] * 5
    assert [figure_value(None), figure_interval(None), count(math.inf)] == [NONE] * 3
    assert figure_interval(Figure("acc", "none", 0.5)) == NONE


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (999, "999"),
        (12345, "12,345"),
        (1234.6, "1,235"),
        ("many", "many"),
        (True, "True"),
    ],
)
def test_a_count_has_its_thousands_apart(value, text):
    assert count(value) == text


@pytest.mark.parametrize(
    ("value", "is_share", "text"),
    [
        (0.9876, True, "98.8"),
        (-0.1, True, "\u221210.0"),
        (-0.5, False, "\u22120.500"),
        (12.345, False, "12.3"),
        (1234.5, False, "1234"),
        (1.5e9, False, "1.5e+09"),
    ],
)
def test_a_value_fits_a_narrow_cell(value, is_share, text):
    assert cell_value(value, is_share) == text


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (Figure("acc", "none", 0.5), ""),
        (Figure("acc", "none", 0.5, interval=Interval(0.48, 0.52)), "\u00b1\u20072.0"),
        (Figure("margin", "none", 1.0, interval=Interval(0.5, 1.5)), "\u00b1 0.500"),
        (Figure("acc", "none", 1.0, interval=Interval(0.9, 1.0)), "90.0 to 100.0"),
    ],
)
def test_an_interval_is_half_its_width_unless_it_is_lopsided(figure, text):
    assert cell_interval(figure) == text


def test_a_moment_is_for_a_reader_or_for_a_program():
    moment = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone.utc)
    assert (date(moment), iso_date(moment)) == ("2026-03-04 05:06 UTC", "2026-03-04T05:06:07Z")


@pytest.mark.parametrize(
    ("value", "are_shares", "text"),
    [
        (0.0, True, "0.0"),
        (-0.0, True, "0.0"),
        (0.00004, True, "0.004"),
        (-0.0004, True, "-0.04"),
        (0.0123, True, "1.2"),
        (-0.5, False, "-0.500"),
        (0.00002, False, "2e-05"),
    ],
)
def test_what_is_not_zero_does_not_look_like_it(value, are_shares, text):
    assert difference(value, are_shares) == text


def test_a_signed_number_carries_its_sign():
    assert [difference(v, True, signed=True) for v in (0.01, -0.01)] == ["+1.0", "-1.0"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00001, "< 0.0001"),
        (0.00052, "0.0005"),
        (0.0123, "0.012"),
        (0.05, "0.050"),
        (0.25, "0.25"),
        (None, "\N{EN DASH}"),
    ],
)
def test_p_values(value, text):
    assert p_value(value) == text

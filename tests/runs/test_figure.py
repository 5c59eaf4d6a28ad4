import math

import pytest

from ultrarm_eval.runs.figure import TWO_SIDED_95, Figure, harness_interval, is_share


def test_an_interval_is_1_96_standard_errors_within_what_a_share_can_be():
    half = 0.1 * TWO_SIDED_95
    assert harness_interval("acc", 0.5, 0.1, 25).ends == (0.5 - half, 0.5 + half)
    assert harness_interval("acc", 0.99, 0.1, 25).high == 1.0
    assert harness_interval("margin", 0.99, 0.1, 25).high == 0.99 + half
    # Others may count an accuracy from 0 to 100.
    assert harness_interval("acc", 55.0, 2.0, 25).ends == (
        55 - 2 * TWO_SIDED_95,
        55 + 2 * TWO_SIDED_95,
    )


def test_a_perfect_figure_is_not_certain():
    found = harness_interval("acc", 1.0, 0.0, 10)
    # Wilson's lower end of 10 of 10.
    assert found.low == pytest.approx(10 / (10 + TWO_SIDED_95**2), abs=1e-12)
    assert found.high == 1.0
    assert harness_interval("margin", 1.0, 0.0, 10) is None


@pytest.mark.parametrize(
    ("value", "stderr", "documents"),
    [
        (0.5, None, 25),
        (0.5, -0.1, 25),
        (0.5, math.nan, 25),
        (0.5, math.inf, 25),
        (math.nan, 0.1, 25),
        (0.5, 0.0, None),
        (0.5, 0.0, 0),
        (0.5, 0.0, -1),
        (55.0, 0.0, 25),
    ],
)
def test_what_says_nothing_has_no_interval(value, stderr, documents):
    assert harness_interval("acc", value, stderr, documents) is None


def test_a_metric_is_a_share_by_its_name():
    assert all(map(is_share, ("acc", "acc_pairs", "win_rate_length_controlled", "tie_rate")))
    assert not any(map(is_share, ("margin", "nll", "f1")))


def test_a_figure_is_called_by_its_label_or_its_metric():
    assert Figure("acc", "none", 0.5).key == "acc,none"
    assert Figure("acc", "none", 0.5).name == "acc"
    assert Figure("acc", "none", 0.5, label="accuracy").name == "accuracy"

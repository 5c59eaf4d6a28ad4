import itertools
import math
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runs.observed import observed, observed_pairs
from ultrarm_eval.report.margins import calibration_report, margin_report


class OfPairs:
    """Samples of which margins alone are read."""

    def __init__(self, margins):
        self.pairs = pd.DataFrame({"margin": np.array(margins, np.float64)})


def by_bar(report):
    """(low, high, count) of the bars that hold pairs."""
    bars = zip(itertools.pairwise(report.edges), report.counts, strict=True)
    return [(low, high, count) for (low, high), count in bars if count]


class TestSpread:
    def test_the_figures(self, tmp_path):
        report = margin_report(observed_pairs(tmp_path, [3.0, 1.0, 0.5, 0.0, -2.0, -0.25]))
        assert (report.right, report.ties, report.wrong) == (3, 1, 2)
        assert report.mean == pytest.approx(2.25 / 6)
        assert report.median == 0.25
        assert (report.median_right, report.median_wrong) == (1.0, -1.125)

    def test_of_no_right_or_no_wrong_pair_there_is_no_median(self):
        assert margin_report(OfPairs([1.0, 2.0])).median_wrong is None
        assert margin_report(OfPairs([-1.0, 0.0])).median_right is None

    def test_without_pairs_there_is_nothing(self, tmp_path):
        sample = {"doc_id": 0, "doc": {}, "metrics": ["m"], "m": 1.0, "doc_hash": "x"}
        found = observed(tmp_path, [sample])
        assert margin_report(found) is None
        assert calibration_report(found) is None


class TestBars:
    def test_one_ends_at_0_and_ties_are_in_none(self):
        report = margin_report(OfPairs([-1.0, -1e-9, 0.0, 0.0, 1e-9, 3.0]))
        assert 0.0 in report.edges
        found = by_bar(report)
        assert [count for _, _, count in found] == [1, 1, 1, 1]
        assert [(low < 0, high <= 0) for low, high, _ in found] == [(True, True)] * 2 + [
            (False, False)
        ] * 2

    def test_they_have_one_width_and_there_are_about_forty(self):
        report = margin_report(OfPairs(np.random.default_rng(0).normal(1, 2, 500)))
        widths = np.diff(report.edges)
        np.testing.assert_allclose(widths, widths[0])
        assert 40 <= len(report.counts) <= 42

    def test_an_extreme_margin_is_in_the_last_bar_and_the_rest_is_spread(self):
        margins = [*np.linspace(-1, 1, 100), 1e6, -1e6]
        report = margin_report(OfPairs(margins))
        assert report.edges[-1] < 10
        assert report.counts[-1] == report.counts[0] == 1

    def test_right_pairs_far_from_many_equal_wrong_ones_are_no_wrong_ones(self):
        # Most margins are one number: their spread is 0, and would end the bars at it.
        report = margin_report(OfPairs([-2.25] * 4 + [2.25]))
        (wrong_low, wrong_high, wrong), (right_low, right_high, right) = by_bar(report)
        assert (wrong, right) == (4, 1)
        assert wrong_low <= -2.25 <= wrong_high <= 0
        assert 0 <= right_low <= 2.25 <= right_high

    def test_pairs_beyond_both_ends_stay_on_their_side(self):
        # The middle half lies so close together that 0 is beyond the bars' reach.
        report = margin_report(OfPairs([*np.linspace(10, 10.1, 50), -3.0]))
        assert by_bar(report)[0][1:] == (0.0, 1)

    @given(
        st.lists(
            st.one_of(
                st.sampled_from([0.0, 1.0, -1.0, 5.0]),
                st.floats(-100, 100),
                st.floats(-1e100, 1e100),
            ),
            min_size=1,
            max_size=30,
        )
    )
    def test_every_pair_is_in_a_bar_of_its_side(self, margins):
        report = margin_report(OfPairs(margins))
        bars = by_bar(report)
        assert sum(count for low, high, count in bars if high <= 0) == report.wrong
        assert sum(count for low, high, count in bars if low >= 0) == report.right
        assert report.right + report.wrong + report.ties == len(margins)
        assert all(low < high for low, high in itertools.pairwise(report.edges))


class TestCalibration:
    def test_a_judge_whose_margins_are_log_odds_has_no_error(self):
        # Three of four are right where a right one has the probability 3/4.
        report = calibration_report(OfPairs([math.log(3)] * 3 + [-math.log(3)]))
        assert report.error == pytest.approx(0)
        assert report.temperature == pytest.approx(1)
        assert report.nll == pytest.approx(-(3 * math.log(0.75) + math.log(0.25)) / 4)
        assert report.nll_at_temperature == pytest.approx(report.nll)
        (used,) = [one for one in report.bins if one.count]
        assert (used.low, used.high, used.count) == (0.75, pytest.approx(0.8), 4)
        assert (used.mean_confidence, used.observed_frequency) == (pytest.approx(0.75), 0.75)

    def test_margins_that_are_three_times_too_large(self):
        report = calibration_report(OfPairs([3 * math.log(3)] * 3 + [-3 * math.log(3)]))
        assert report.temperature == pytest.approx(3)
        assert report.error == pytest.approx(27 / 28 - 0.75)
        assert (
            report.nll
            > report.nll_at_temperature
            == pytest.approx(-(3 * math.log(0.75) + math.log(0.25)) / 4)
        )

    def test_where_no_temperature_is_best_there_is_none(self):
        for margins in ([1.0, 2.0], [-1.0, 0.5], [0.0, 0.0]):
            report = calibration_report(OfPairs(margins))
            assert report.temperature is None
            assert report.nll_at_temperature is None

    def test_what_chance_alone_makes_of_the_error(self):
        # Of 400 pairs at p the share is off by sqrt(2 p (1 - p) / (pi n)) on average.
        report = calibration_report(OfPairs([math.log(4)] * 400))
        assert report.error == pytest.approx(0.2)
        expected = math.sqrt(2 * 0.8 * 0.2 / (math.pi * 400))
        assert report.error_by_chance == pytest.approx(expected, rel=0.25)

    def test_it_is_the_same_each_time(self):
        margins = [random.Random(0).gauss(0, 1) for _ in range(50)]
        assert calibration_report(OfPairs(margins)) == calibration_report(OfPairs(margins))

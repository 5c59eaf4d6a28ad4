import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special

from ultrarm_eval.errors import ConfigurationError, ScoringError
from ultrarm_eval.metrics.within_prompt import bradley_terry_loss
from ultrarm_eval.stats.calibration import (
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability,
)
from ultrarm_eval.stats.interval_estimators import wilson_interval

MARGINS = st.lists(st.floats(-50, 50), min_size=1, max_size=40)


def _margin(confidence):
    return math.log(confidence / (1 - confidence))


def _calibrated(n, temperature=1.0, seed=0):
    """Margins of a judge whose favourites are the chosen ones as often as margin / T says."""
    random = np.random.default_rng(seed)
    sizes = np.abs(random.normal(0, 2, size=n))
    right = random.random(n) < special.expit(sizes / temperature)
    return np.where(right, sizes, -sizes)


def test_pairs_fall_into_the_bin_of_their_favourites_confidence():
    # 0.62 twice right, once wrong; 0.95 right; a tie.
    margins = [_margin(0.62), _margin(0.62), -_margin(0.62), _margin(0.95), 0.0]
    bins = reliability(margins, bins=5)
    assert [(b.low, b.high) for b in bins] == [
        pytest.approx(ends) for ends in [(0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1)]
    ]
    assert [b.count for b in bins] == [1, 3, 0, 0, 1]
    tie, unsure, empty, _, sure = bins
    assert (tie.mean_confidence, tie.observed_frequency) == (0.5, 0.5)
    assert unsure.mean_confidence == pytest.approx(0.62)
    assert unsure.observed_frequency == pytest.approx(2 / 3)
    assert unsure.interval.low == pytest.approx(wilson_interval(2, 3).low)
    assert (empty.mean_confidence, empty.observed_frequency, empty.interval) == (None, None, None)
    assert (sure.observed_frequency, sure.interval) == (1.0, wilson_interval(1, 1))


def test_an_edge_belongs_to_the_bin_above_and_1_to_the_last():
    assert [b.count for b in reliability([0.0, 800.0, -800.0], bins=2)] == [1, 2]
    edge = reliability([_margin(0.75)], bins=2)
    assert [b.count for b in edge] == ([0, 1] if special.expit(_margin(0.75)) >= 0.75 else [1, 0])


def test_the_calibration_error_by_hand():
    # Three pairs at 0.62 of which two are right, one at 0.95 that is wrong.
    margins = [_margin(0.62), _margin(0.62), -_margin(0.62), -_margin(0.95)]
    expected = 3 / 4 * (2 / 3 - 0.62) + 1 / 4 * 0.95
    assert expected_calibration_error(margins, bins=5) == pytest.approx(expected)


def test_the_calibration_error_is_what_the_bins_show():
    margins = _calibrated(500, seed=1)
    gaps = [
        b.count / 500 * abs(b.mean_confidence - b.observed_frequency)
        for b in reliability(margins)
        if b.count
    ]
    assert expected_calibration_error(margins) == pytest.approx(sum(gaps))


def test_calibration_of_judges_that_are_known():
    assert expected_calibration_error([0.0, 0.0]) == 0.0
    assert expected_calibration_error([800.0, 800.0]) == 0.0
    assert expected_calibration_error([-800.0]) == 1.0
    assert expected_calibration_error([800.0, -800.0]) == 0.5
    # 0.8 sqrt(bins p (1 - p) / n) at most is chance.
    assert expected_calibration_error(_calibrated(40_000)) < 0.01
    assert expected_calibration_error(3 * _calibrated(40_000)) > 0.05


@given(MARGINS)
def test_the_loss_is_the_mean_of_the_pairs(margins):
    expected = math.fsum(map(bradley_terry_loss, margins)) / len(margins)
    assert negative_log_likelihood(margins) == pytest.approx(expected)
    halved = math.fsum(bradley_terry_loss(m / 2) for m in margins) / len(margins)
    assert negative_log_likelihood(margins, 2.0) == pytest.approx(halved)


def test_the_loss_does_not_overflow():
    assert negative_log_likelihood([0.0, 0.0]) == pytest.approx(math.log(2))
    assert negative_log_likelihood([1e308, -1e308]) == pytest.approx(5e307)
    assert negative_log_likelihood([1e308], 1e-300) == 0.0
    assert negative_log_likelihood([-1e308], 1e-300) == math.inf


@pytest.mark.parametrize("temperature", [0.25, 1.0, 3.0])
def test_the_temperature_is_that_of_scipys_optimiser(temperature):
    margins = _calibrated(3000, temperature)
    theirs = optimize.minimize_scalar(
        lambda beta: np.logaddexp(0, -beta * margins).mean(), (0.01, 1), tol=1e-12
    )
    found = fit_temperature(margins)
    assert found == pytest.approx(1 / theirs.x, rel=1e-6)
    assert found == pytest.approx(temperature, rel=0.12)


def test_the_temperature_by_hand():
    # Right by 1 three times of four: sigmoid(1 / T) = 3/4.
    assert fit_temperature([1, 1, 1, -1]) == pytest.approx(1 / math.log(3), rel=1e-12)
    assert fit_temperature([1, 1, 1, -1, 0, 0]) == pytest.approx(1 / math.log(3), rel=1e-12)


@pytest.mark.parametrize(
    ("margins", "why"),
    [
        ([1.0, 2.0], "colder is always better"),
        ([1.0, 0.0], "a tie costs the same at any temperature"),
        ([0.0, 0.0], "no margin says anything"),
        ([-1.0, -2.0], "hotter is always better"),
        ([1.0, -1.0], "chance"),
        ([0.1 + 0.2, -0.3], "chance, but for rounding"),
        ([0.1, 0.1, -3.0], "right more often, but sure only where wrong"),
    ],
)
def test_there_may_be_no_best_temperature(margins, why):
    assert fit_temperature(margins) is None, why


@pytest.mark.parametrize("unit", [1e-300, 1e-3, 1e5, 1e300])
def test_the_temperature_has_the_unit_of_the_margins(unit):
    margins = np.array([1.0, 3.0, 0.5, -0.25, -1.0])
    assert fit_temperature(margins * unit) == pytest.approx(
        fit_temperature(margins) * unit, rel=1e-9
    )


def test_temperatures_far_from_the_margins_are_found():
    # e^{-1/T} = 5e-301, nearly: one sure answer against one hair's breadth.
    assert fit_temperature([1.0, -1e-300]) == pytest.approx(1 / (math.log(2) + 300 * math.log(10)))
    # Nearly chance: 1/T tends to 2 sum m / sum m^2.
    for gap in (1e-3, 1e-9):
        beta = 2 * ((1 + gap) - 1) / ((1 + gap) ** 2 + 1)
        assert 1 / fit_temperature([1 + gap, -1.0]) == pytest.approx(beta, rel=1e-5)


@given(MARGINS)
def test_no_other_temperature_is_better(margins):
    best = fit_temperature(margins)
    if best is None:
        return
    least = negative_log_likelihood(margins, best)
    for factor in (0.5, 0.99, 1.01, 2.0):
        assert negative_log_likelihood(margins, best * factor) >= least - 1e-12


@pytest.mark.parametrize(
    "function", [reliability, expected_calibration_error, negative_log_likelihood, fit_temperature]
)
@pytest.mark.parametrize(
    ("margins", "message"),
    [
        ([], "There is no margin"),
        ([1.0, math.nan], "Margin 1 is nan"),
        ([math.inf], "Margin 0 is inf; a finite number"),
    ],
)
def test_what_has_no_calibration_is_refused(function, margins, message):
    with pytest.raises(ScoringError, match=message):
        function(margins)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reliability([1.0], bins=0), "bins is 0; a whole number of at least 1"),
        (lambda: expected_calibration_error([1.0], bins=2.5), "bins is 2.5"),
        (lambda: reliability([1.0], level=0), "level is 0"),
        (lambda: negative_log_likelihood([1.0], 0.0), "temperature is 0.0"),
        (lambda: negative_log_likelihood([1.0], math.nan), "temperature is nan"),
    ],
)
def test_impossible_options_are_refused(call, message):
    with pytest.raises(ConfigurationError, match=message):
        call()

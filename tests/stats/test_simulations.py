"""The error rates that tests and intervals promise, on pairs that are correlated within prompts."""

import numpy as np
import pytest
from scipy import special, stats

from ultrarm_eval.stats.bootstrap import bootstrap_ratios
from ultrarm_eval.stats.interval_estimators import mean_interval
from ultrarm_eval.stats.significance import mcnemar_exact, sign_flip_test

SIMULATIONS = 2000
PROMPTS = 60
PAIRS = 6
# How much the log odds of being right vary between prompts.
SPREAD = 1.5
QUALITY = 1.0


def _outcomes(random, simulations, prompts=PROMPTS, pairs=PAIRS):
    """Whether a judge is right: (simulations, prompts, pairs), alike within a prompt."""
    effects = random.normal(QUALITY, SPREAD, size=(simulations, prompts, 1))
    return random.random((simulations, prompts, pairs)) < special.expit(effects)


def _whole(differences):
    """Differences of shares of six pairs, which only rounding tells from sixths."""
    return np.rint(differences * PAIRS) / PAIRS


def _true_accuracy():
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    return weights @ special.expit(QUALITY + SPREAD * nodes) / weights.sum()


@pytest.fixture(scope="module")
def equal_judges():
    random = np.random.default_rng(2024)
    return _outcomes(random, SIMULATIONS), _outcomes(random, SIMULATIONS)


def _may_be(hits, tries, chance):
    """Whether so many hits are no surprise, but for one time in a thousand."""
    return stats.binomtest(int(hits), tries, chance).pvalue > 0.001


def test_equal_judges_are_told_apart_in_five_percent_of_all_comparisons(equal_judges):
    a, b = (outcomes.mean(axis=2) for outcomes in equal_judges)
    p_values = np.array([sign_flip_test(_whole(a[i] - b[i])) for i in range(SIMULATIONS)])
    assert _may_be((p_values <= 0.05).sum(), SIMULATIONS, 0.05)
    # The sums are whole sixths, so that many p-values are equal, and none is too small.
    for level in (0.01, 0.2, 0.5):
        assert 0.7 * level < np.mean(p_values <= level) <= 1.1 * level


def test_pairs_taken_for_independent_tell_equal_judges_apart_far_too_often(equal_judges):
    a, b = equal_judges
    only_a, only_b = ((x & ~y).sum(axis=(1, 2)) for x, y in ((a, b), (b, a)))
    found = [mcnemar_exact(*counts) <= 0.05 for counts in zip(only_a, only_b, strict=True)]
    assert np.mean(found) > 0.12


def test_mcnemars_test_of_single_pairs_keeps_its_level(equal_judges):
    a, b = (outcomes[:, :, 0].astype(float) for outcomes in equal_judges)
    p_values = [mcnemar_exact((x > y).sum(), (y > x).sum()) for x, y in zip(a, b, strict=True)]
    # It is exact and so conservative: with few discordant pairs its level is below 5 %.
    assert 0.01 < np.mean(np.array(p_values) <= 0.05) < 0.05


def test_a_better_judge_is_found(equal_judges):
    a, _ = equal_judges
    worse = a & (np.random.default_rng(7).random(a.shape) < 0.85)
    p_values = [sign_flip_test(_whole(a[i].mean(1) - worse[i].mean(1))) for i in range(200)]
    assert np.mean(np.array(p_values) <= 0.05) > 0.9


def test_intervals_of_the_difference_cover_0(equal_judges):
    a, b = (outcomes.mean(axis=2) for outcomes in equal_judges)
    intervals = [mean_interval(a[i] - b[i], bounds=(-1.0, 1.0)) for i in range(SIMULATIONS)]
    assert _may_be(sum(i.low <= 0 <= i.high for i in intervals), SIMULATIONS, 0.95)


def test_intervals_of_the_mean_over_prompts_cover_the_accuracy(equal_judges):
    accuracy = _true_accuracy()
    a, _ = (outcomes.mean(axis=2) for outcomes in equal_judges)
    intervals = [mean_interval(a[i]) for i in range(SIMULATIONS)]
    covered = sum(i.low <= accuracy <= i.high for i in intervals)
    # The credits are skewed, so Student's interval covers a little less.
    assert 0.935 < covered / SIMULATIONS < 0.96
    # As if pairs were independent, Wilson's interval misses it far more often.
    naive = [mean_interval(one.ravel()) for one in equal_judges[0]]
    assert np.mean([i.low <= accuracy <= i.high for i in naive]) < 0.85


@pytest.mark.slow
def test_bootstrap_intervals_of_pooled_figures_cover_the_accuracy():
    random = np.random.default_rng(11)
    # Between one and six pairs, and more of them where prompts are easy.
    effects = random.normal(QUALITY, SPREAD, size=(500, 100))
    pairs = 1 + random.binomial(5, special.expit(effects - QUALITY))
    right = random.binomial(pairs, special.expit(effects))
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    expected_pairs = 1 + 5 * special.expit(SPREAD * nodes)
    pooled = (
        weights
        @ (expected_pairs * special.expit(QUALITY + SPREAD * nodes))
        / (weights @ expected_pairs)
    )
    covered = naive = 0
    for one_right, one_pairs in zip(right, pairs, strict=True):
        (found,) = bootstrap_ratios(one_right[:, None], one_pairs[:, None], replicates=500)
        covered += found.low <= pooled <= found.high
        alone = mean_interval(np.repeat([1, 0], [one_right.sum(), (one_pairs - one_right).sum()]))
        naive += alone.low <= pooled <= alone.high
    assert 0.92 < covered / 500 < 0.975
    assert naive / 500 < 0.91

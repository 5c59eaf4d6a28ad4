import math

import numpy as np
import pytest
from scipy import stats

from ultrarm_eval.stats.clustered import UNBOUNDED, Stratum, clustered_interval, stratified_interval
from ultrarm_eval.stats.interval_estimators import mean_interval

VALUES = [0.0, 1.0, 0.5, 1.0, 0.0, 1.0, 1.0, 0.25]
CLUSTERS = [0, 0, 1, 1, 1, 2, 3, 3]
SHARES = (-1.0, 1.0)


def stratum(weight, values, clusters=None, bounds=SHARES, start=0):
    values = np.array(values, np.float64)
    own = np.arange(len(values)) + start if clusters is None else np.array(clusters)
    return Stratum(weight, values, own.astype(np.int64), bounds)


def test_clusters_of_one_value_each_are_independent_values():
    assert clustered_interval(VALUES, range(8)) == mean_interval(VALUES)


def test_it_is_the_cluster_robust_interval_of_a_constant():
    regression = pytest.importorskip("statsmodels.api")
    fit = regression.OLS(VALUES, np.ones(8)).fit(
        cov_type="cluster", cov_kwds={"groups": np.array(CLUSTERS)}, use_t=True
    )
    # statsmodels' finite-sample factor has (n - 1) / (n - 1) for a constant alone.
    low, high = fit.conf_int()[0]
    found = clustered_interval(VALUES, CLUSTERS, bounds=(-10, 10))
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-9)


def test_it_stays_within_its_bounds():
    found = clustered_interval([1.0, 1.0, 1.0, 0.0], [0, 0, 1, 1])
    assert (found.low, found.high) == (0.0, 1.0)


def test_of_one_prompt_nothing_is_known():
    assert clustered_interval([0.0, 1.0], [7, 7]) is None


def test_equal_values_count_as_often_as_there_are_prompts():
    assert clustered_interval([1.0] * 6, [0, 0, 0, 1, 1, 1]) == mean_interval([1.0, 1.0])


def test_clusters_that_cancel_out_are_no_certainty():
    found = clustered_interval([1.0, 0.0] * 6, [i // 2 for i in range(12)])
    # What six values of one half say, and not that every prompt would have it.
    assert found == mean_interval([0.5] * 6)
    assert found.low < 0.3
    assert found.high > 0.7


@pytest.mark.parametrize("clusters", [range(4), [0, 0, 1, 1]])
def test_equal_values_without_bounds_say_nothing_about_others(clusters):
    assert clustered_interval([0.5] * 4, clusters, bounds=UNBOUNDED) is None


def test_clusters_of_equal_means_without_bounds_say_nothing_about_others():
    assert clustered_interval([0.2, 0.8, 0.8, 0.2], [0, 0, 1, 1], bounds=UNBOUNDED) is None


def test_values_without_bounds_may_lie_where_shares_do():
    found = clustered_interval([0.0, 0.9, 1.0], range(3), bounds=UNBOUNDED)
    expected = stats.t.interval(0.95, 2, np.mean([0.0, 0.9, 1.0]), stats.sem([0.0, 0.9, 1.0]))
    assert (found.low, found.high) == pytest.approx(expected)


def test_one_stratum_is_the_clustered_interval():
    random = np.random.default_rng(0)
    values = random.integers(-1, 2, 40).astype(float)
    for clusters in (np.arange(40), random.integers(0, 12, 40)):
        (one,) = [stratum(1.0, values, clusters)]
        assert stratified_interval([one]) == clustered_interval(values, clusters, bounds=SHARES)


def test_variances_of_independent_strata_add_up():
    random = np.random.default_rng(1)
    values = [random.integers(-1, 2, n).astype(float) for n in (30, 12, 9)]
    weights = (0.5, 0.3, 0.2)
    found = stratified_interval(
        [stratum(w, v, start=100 * i) for i, (w, v) in enumerate(zip(weights, values, strict=True))]
    )
    parts = [w**2 * v.var(ddof=1) / len(v) for w, v in zip(weights, values, strict=True)]
    freedom = sum(parts) ** 2 / sum(
        part**2 / (len(v) - 1) for part, v in zip(parts, values, strict=True)
    )
    reach = stats.t.ppf(0.975, freedom) * math.sqrt(sum(parts))
    mean = sum(w * v.mean() for w, v in zip(weights, values, strict=True))
    assert (found.low, found.high) == pytest.approx((mean - reach, mean + reach))


def test_strata_of_the_same_prompts_are_one_sample():
    # The mean of two tasks over the same prompts is the mean of each prompt's mean.
    random = np.random.default_rng(2)
    first, second = (random.integers(-1, 2, 25).astype(float) for _ in range(2))
    found = stratified_interval([stratum(0.5, first), stratum(0.5, second)])
    each = (first + second) / 2
    reach = stats.t.ppf(0.975, 24) * each.std(ddof=1) / 5
    assert (found.low, found.high) == pytest.approx((each.mean() - reach, each.mean() + reach))


def test_a_stratum_without_a_difference_still_may_have_one():
    random = np.random.default_rng(3)
    values = random.integers(-1, 2, 30).astype(float)
    other = stratum(0.5, values)
    few, many = (
        stratified_interval([other, stratum(0.5, np.zeros(n), start=100)]) for n in (4, 4000)
    )
    assert few.low < many.low < many.high < few.high
    (alone,) = [
        0.5 * (clustered_interval(values, np.arange(30), bounds=SHARES).high - values.mean())
    ]
    assert many.high - many.low == pytest.approx(2 * alone, rel=1e-4)


def test_where_nothing_differs_there_is_an_interval_around_nothing():
    found = stratified_interval([stratum(0.5, np.zeros(20)), stratum(0.5, np.zeros(30), start=50)])
    assert -0.2 < found.low < 0 < found.high < 0.2
    assert found.low == pytest.approx(-found.high)


def test_a_prompt_alone_with_several_values_says_nothing():
    alone = stratum(0.5, [0.0, 1.0], clusters=[7, 7])
    assert stratified_interval([alone, stratum(0.5, [0, 1, 0], start=10)]) is None


def test_an_equal_stratum_without_bounds_leaves_no_interval():
    varying, equal = (Stratum(0.5, np.array(v), np.arange(3)) for v in ([1.0, 7, 2], [3.0, 3, 3]))
    assert stratified_interval([varying, varying]) is not None
    assert stratified_interval([varying, equal]) is None


def test_the_interval_stays_within_its_bounds():
    strata = [stratum(0.5, [1, 1, 0.9]), stratum(0.5, [1, 1, 0.2], start=10)]
    assert stratified_interval(strata, bounds=SHARES).high == 1


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("sizes", [(60, 60, 60), (134, 92, 47, 46), (200, 25, 12)])
def test_it_covers_the_truth_as_often_as_it_says(sizes, shared):
    """Differences of a judge's credits that a prompt has in common over tasks, and clusters."""
    random = np.random.default_rng(sum(sizes) + shared)
    tries, hits = 1500, 0
    chances = np.linspace(0.02, 0.25, len(sizes))
    for _ in range(tries):
        strata, start = [], 0
        common = random.random(max(sizes))
        for size, chance in zip(sizes, chances, strict=True):
            drawn = common[:size] if shared else random.random(size)
            values = np.where(drawn < chance, 1.0, np.where(drawn > 1 - chance / 2, -1.0, 0.0))
            strata.append(stratum(1 / len(sizes), values, start=0 if shared else start))
            start += size
        truth = float((chances - chances / 2).mean())
        found = stratified_interval(strata)
        hits += found.low <= truth <= found.high
    assert 0.93 < hits / tries < 0.985

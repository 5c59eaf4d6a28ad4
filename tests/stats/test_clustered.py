import numpy as np
import pytest

from ultrarm_eval.stats.clustered import clustered_interval
from ultrarm_eval.stats.intervals import mean_interval

VALUES = [0.0, 1.0, 0.5, 1.0, 0.0, 1.0, 1.0, 0.25]
CLUSTERS = [0, 0, 1, 1, 1, 2, 3, 3]


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

import math
import tracemalloc

import numpy as np
import pytest
from scipy import stats

from ultrarm_eval.errors import ConfigurationError, ScoringError
from ultrarm_eval.stats import bootstrap
from ultrarm_eval.stats.bootstrap import bootstrap_ratios, bootstrap_statistic
from ultrarm_eval.stats.interval_estimators import wilson_interval


def _prompts(n=60, seed=3):
    random = np.random.default_rng(seed)
    pairs = random.integers(1, 7, size=n).astype(float)
    return random.binomial(pairs.astype(int), random.beta(3, 2, size=n)) / 1.0, pairs


def _ends(interval):
    return (interval.low, interval.high)


def test_two_prompts_have_the_quantiles_that_follow_from_four_equal_chances():
    # Both times the first, one of each (twice), both times the second: 0, 3/4, 3/4, 1.
    (found,) = bootstrap_ratios([[0], [3]], [[1], [3]], replicates=4000)
    assert _ends(found) == (0.0, 1.0)
    (middle,) = bootstrap_ratios([[0], [3]], [[1], [3]], replicates=4000, level=0.4)
    assert _ends(middle) == (0.75, 0.75)
    assert (middle.level, middle.method) == (0.4, "bootstrap")


def test_the_share_of_single_pairs_has_binomial_quantiles():
    (found,) = bootstrap_ratios([[1]] * 70 + [[0]] * 30, [[1]] * 100, replicates=20_000)
    expected = stats.binom.ppf([0.025, 0.975], 100, 0.7) / 100
    assert _ends(found) == pytest.approx(expected, abs=0.011)


def test_pooled_accuracy_has_the_interval_of_scipys_bootstrap():
    credit, pairs = _prompts()
    theirs = stats.bootstrap(
        (credit, pairs),
        lambda c, p, axis=-1: c.sum(axis) / p.sum(axis),
        paired=True,
        method="percentile",
        n_resamples=20_000,
    ).confidence_interval
    (found,) = bootstrap_ratios(credit[:, None], pairs[:, None], replicates=20_000)
    assert _ends(found) == pytest.approx((theirs.low, theirs.high), abs=0.006)


def test_pooled_accuracy_has_the_spread_of_a_ratio_by_the_delta_method():
    credit, pairs = _prompts(n=2000)
    ratio = credit.sum() / pairs.sum()
    error = np.sqrt(((credit - ratio * pairs) ** 2).sum()) / pairs.sum()
    (found,) = bootstrap_ratios(credit[:, None], pairs[:, None], replicates=20_000)
    expected = (ratio - 1.96 * error, ratio + 1.96 * error)
    assert _ends(found) == pytest.approx(expected, abs=0.05 * error)


def test_every_figure_sees_the_same_replicates():
    credit, pairs = _prompts()
    both = bootstrap_ratios(
        np.column_stack([credit, pairs - credit]), np.column_stack([pairs, pairs])
    )
    (alone,) = bootstrap_ratios(credit[:, None], pairs[:, None])
    assert both[0] == alone
    assert (1 - both[1].high, 1 - both[1].low) == pytest.approx(_ends(alone))


def test_any_statistic_sees_the_replicates_of_the_ratios():
    credit, pairs = _prompts()
    (ratio,) = bootstrap_ratios(credit[:, None], pairs[:, None], seed=5, replicates=300)
    found = bootstrap_statistic(
        lambda sums: sums[0] / sums[1], np.column_stack([credit, pairs]), seed=5, replicates=300
    )
    assert _ends(found) == pytest.approx(_ends(ratio), rel=1e-12)


def test_the_seed_decides_and_the_size_of_a_chunk_does_not(monkeypatch):
    credit, pairs = _prompts()
    first = bootstrap_ratios(credit[:, None], pairs[:, None], replicates=101, seed=1)
    assert first == bootstrap_ratios(credit[:, None], pairs[:, None], replicates=101, seed=1)
    assert first != bootstrap_ratios(credit[:, None], pairs[:, None], replicates=101, seed=2)
    monkeypatch.setattr(bootstrap, "_CHUNK_BYTES", 7 * 32 * len(pairs))
    assert first == bootstrap_ratios(credit[:, None], pairs[:, None], replicates=101, seed=1)


def test_a_replicate_draws_as_many_prompts_as_there_are_each_equally_often():
    seen = []
    bootstrap_statistic(
        lambda weights: seen.append(weights.copy()) or 0.0, np.eye(20), replicates=5000
    )
    drawn = np.array(seen[1:])
    assert (seen[0] == 1).all()
    assert (drawn.sum(axis=1) == 20).all()
    assert drawn.mean(axis=0) == pytest.approx(np.ones(20), abs=0.08)
    # A prompt is drawn binomially: 20 times with a chance of 1 in 20.
    assert drawn.var(axis=0) == pytest.approx(np.full(20, 0.95), abs=0.1)


def test_a_figure_of_fewer_than_two_prompts_has_no_interval():
    found = bootstrap_ratios([[1, 1, 0], [0, 1, 0]], [[1, 2, 0], [0, 2, 0]])
    assert (found[0], found[2]) == (None, None)
    assert found[1] is not None
    assert bootstrap_ratios([[1, 1]], [[2, 2]]) == [None, None]
    assert bootstrap_ratios(np.zeros((4, 0)), np.zeros((4, 0))) == []


def test_replicates_that_drew_no_prompt_of_a_figure_are_left_out():
    # 2 of 40 prompts have a part in the figure: one replicate in eight draws neither.
    numerators, denominators = np.zeros((40, 1)), np.zeros((40, 1))
    numerators[3], denominators[3], denominators[4] = 1, 1, 1
    (found,) = bootstrap_ratios(numerators, denominators)
    assert _ends(found) == (0.0, 1.0)
    nobody = [bootstrap_ratios(numerators, denominators, replicates=1, seed=s) for s in range(60)]
    assert [None] in nobody


def test_undefined_replicates_of_a_statistic_are_left_out():
    def share(weights):
        return float(weights[0] / weights[:2].sum()) if weights[:2].any() else None

    assert _ends(bootstrap_statistic(share, np.eye(30))) == (0.0, 1.0)
    assert bootstrap_statistic(lambda sums: None, np.eye(30)) is None
    assert bootstrap_statistic(lambda sums: 0.5, [[1.0]]) is None
    only_as_given = lambda weights: 0.5 if (weights == 1).all() else None  # noqa: E731
    assert bootstrap_statistic(only_as_given, np.eye(30)) is None


def test_an_interval_holds_its_figure_even_where_all_replicates_lie_above():
    # No replicate but the data themselves has all prompts once.
    found = bootstrap_statistic(
        lambda weights: float((weights == 0).sum()), np.eye(50), replicates=200
    )
    assert (found.low, found.high > 10) == (0.0, True)


def test_a_judge_that_is_always_right_is_certain_only_without_bounds():
    pairs = np.array([[1.0], [6.0], [3.0]])
    assert _ends(*bootstrap_ratios(pairs, pairs)) == (1.0, 1.0)
    assert bootstrap_ratios(pairs, pairs, bounds=(0, 1)) == [wilson_interval(3, 3)]
    # Rounding makes no difference between prompts, and no accuracy above 1.
    rounded = bootstrap_ratios([[0.1 + 0.2], [1.0]], [[0.3], [1.0]], bounds=(0, 1))
    assert rounded == [wilson_interval(2, 2)]


def test_bounds_change_nothing_where_prompts_differ():
    credit, pairs = _prompts()
    plain = bootstrap_ratios(credit[:, None], pairs[:, None])
    assert bootstrap_ratios(credit[:, None], pairs[:, None], bounds=(0, 1)) == plain


def test_memory_is_bounded():
    ones = np.ones((40_000, 2))
    tracemalloc.start()
    bootstrap_ratios(ones, ones, replicates=200)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # All draws at once would take 256 MB.
    assert peak < 66 * 2**20


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: bootstrap_ratios(np.zeros((0, 2)), np.zeros((0, 2))),
            ScoringError,
            "no numerator",
        ),
        (lambda: bootstrap_ratios([1, 2], [1, 2]), ScoringError, "1 dimensions; 2 needed"),
        (lambda: bootstrap_ratios([[1], [2]], [[1, 1]]), ScoringError, r"\(2, 1\).*\(1, 2\)"),
        (
            lambda: bootstrap_ratios([[1], [math.nan]], [[1], [1]]),
            ScoringError,
            "Numerator 1, 0 is nan",
        ),
        (lambda: bootstrap_ratios([[1], [1]], [[1], [-1]]), ScoringError, "negative"),
        (
            lambda: bootstrap_ratios([[2], [3]], [[1], [1]], bounds=(0, 1)),
            ScoringError,
            "is 2.5; it must be from 0 to 1",
        ),
        (
            lambda: bootstrap_ratios([[1], [0]], [[1], [1]], replicates=0),
            ConfigurationError,
            "replicates is 0; a whole number of at least 1",
        ),
        (lambda: bootstrap_ratios([[1], [0]], [[1], [1]], seed=-1), ConfigurationError, "seed"),
        (lambda: bootstrap_ratios([[1]], [[1]], level=1), ConfigurationError, "level is 1"),
        (lambda: bootstrap_statistic(lambda s: 1.0, np.zeros((0, 1))), ScoringError, "no prompt"),
        (
            lambda: bootstrap_statistic(lambda s: math.nan, np.eye(9)),
            ScoringError,
            "Figure 0 is nan",
        ),
    ],
)
def test_what_cannot_be_resampled_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()

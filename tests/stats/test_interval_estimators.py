import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.sums import one_by_one
from ultrarm_eval.errors import ConfigurationError, ScoringError
from ultrarm_eval.stats.interval_estimators import constant_interval, mean_interval, wilson_interval

CREDITS = st.lists(st.floats(0, 1), min_size=1, max_size=30)
COUNTS = [(0, 1), (1, 1), (0, 10), (10, 10), (1, 10), (7, 10), (81, 263), (63_999, 64_000)]
Z = stats.norm.ppf(0.975)


def _ends(interval):
    return (interval.low, interval.high)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize(("successes", "n"), COUNTS)
def test_wilsons_interval_is_that_of_scipy(successes, n, level):
    theirs = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    assert _ends(wilson_interval(successes, n, level)) == pytest.approx(tuple(theirs), abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [*COUNTS, (2.5, 4)])
def test_wilsons_interval_is_that_of_statsmodels(successes, n):
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    theirs = proportion.proportion_confint(successes, n, method="wilson")
    assert _ends(wilson_interval(successes, n)) == pytest.approx(theirs, abs=1e-12)


def test_wilsons_interval_of_no_and_of_all_successes_ends_exactly_at_0_and_1():
    none, every = wilson_interval(0, 20), wilson_interval(20, 20)
    assert _ends(none) == (0.0, pytest.approx(Z**2 / (20 + Z**2)))
    assert _ends(every) == (pytest.approx(20 / (20 + Z**2)), 1.0)
    assert (none.level, none.method) == (0.95, "wilson")


def test_wilsons_interval_keeps_its_digits_for_rare_successes():
    # The lower limit of 1 in n tends to (1 + z^2/2 - z sqrt(1 + z^2/4)) / n; subtracting two
    # numbers near z^2 / 2n would leave few of its digits.
    limit = 1 + Z**2 / 2 - Z * math.sqrt(1 + Z**2 / 4)
    assert wilson_interval(1, 1e15).low * 1e15 == pytest.approx(limit, rel=1e-12)


@pytest.mark.parametrize("level", [1e-300, 1 - 1e-16])
def test_wilsons_interval_has_any_level(level):
    low, high = _ends(wilson_interval(0, 5, level))
    assert (low, 0 <= high <= 1) == (0.0, True)


def test_credits_of_0_and_1_get_wilsons_interval():
    assert mean_interval([0, 1, 1, 1]) == wilson_interval(3, 4)
    assert mean_interval([True, False], level=0.9) == wilson_interval(1, 2, 0.9)


def test_six_sixths_are_one_right_answer():
    # As a sum of floats gives it before Python 3.12.
    rounded = one_by_one([1 / 6] * 6)
    assert rounded != 1
    assert mean_interval([rounded, 0.0]).method == "wilson"
    assert mean_interval([1 + 1e-15, 0.5, 0]).high == 1.0


def test_other_credits_get_students_interval():
    values = [0.5, 1.0, 1 / 6, 5 / 6, 0.5]
    found = mean_interval(values, level=0.9)
    theirs = stats.t.interval(0.9, 4, np.mean(values), stats.sem(values))
    assert _ends(found) == pytest.approx(theirs)
    assert (found.method, found.level) == ("t", 0.9)
    assert _ends(found) == pytest.approx(
        tuple(stats.ttest_1samp(values, 0).confidence_interval(0.9))
    )


def test_students_interval_is_clipped_to_the_bounds():
    assert _ends(mean_interval([0.5, 1.0, 1.0])) == (pytest.approx(0.1162245), 1.0)
    assert _ends(mean_interval([-1, 1, 0.5], bounds=(-1, 1))) == (-1.0, 1.0)
    assert mean_interval([-1, 1, 0.5], bounds=None).high > 1


def test_zeros_and_ones_that_could_have_been_others_are_no_shares():
    assert mean_interval([0, 1, 1, 1], bounds=None).method == "t"
    assert mean_interval([0, 1, 1, 1], bounds=(-1, 1)).method == "t"


@pytest.mark.parametrize("value", [0.0, 0.25, 0.5, 1.0])
@pytest.mark.parametrize("n", [1, 7])
def test_equal_credits_get_wilsons_interval_and_no_certainty(value, n):
    found = mean_interval([value] * n)
    assert found == wilson_interval(value * n, n)
    assert found.high - found.low > 0.2


def test_equal_differences_get_what_the_prompts_not_seen_leave_open():
    # At most z^2 / (n + z^2) of all prompts differ from 100 that do not, and these by at most 1.
    unseen = Z**2 / (100 + Z**2)
    found = mean_interval([0.0] * 100, bounds=(-1, 1))
    assert _ends(found) == (pytest.approx(-unseen), pytest.approx(unseen))
    # Half of them right at 0.5: only half the way is open to either side.
    assert _ends(mean_interval([0.5] * 100, bounds=(0, 2))) == pytest.approx(
        (0.5 - unseen * 0.5, 0.5 + unseen * 1.5)
    )


@pytest.mark.parametrize("successes", [0, 9])
def test_both_rules_for_equal_values_agree_at_the_ends(successes):
    shifted = constant_interval(successes / 9 + 1, 9, bounds=(1, 2))
    assert (shifted.low - 1, shifted.high - 1) == pytest.approx(
        _ends(wilson_interval(successes, 9))
    )


@pytest.mark.parametrize("values", [[3.25], [3.25] * 4, [0.1 + 0.2, 0.3]])
def test_equal_values_without_bounds_have_no_interval(values):
    assert mean_interval(values, bounds=None) is None


def test_large_numbers_do_not_overflow():
    found = mean_interval([1e300, -1e300, 1e300, 1e300], bounds=None)
    expected = stats.t.interval(0.95, 3, 0.5, stats.sem([1, -1, 1, 1]))
    assert (found.low / 1e300, found.high / 1e300) == pytest.approx(expected)
    assert mean_interval([1.7e308, -1.7e308], bounds=None).high == math.inf


@given(CREDITS)
def test_intervals_contain_the_mean_and_stay_within_bounds(values):
    mean = np.mean(values)
    for bounds in ((0, 1), (-1, 1), (-0.5, 4)):
        found = mean_interval(values, bounds=bounds)
        assert bounds[0] <= found.low <= mean + 1e-12
        assert mean - 1e-12 <= found.high <= bounds[1]
        assert found.low < found.high


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_contains_the_share_and_turns_over_with_it(counts):
    successes, n = counts
    found, turned = wilson_interval(successes, n), wilson_interval(n - successes, n)
    assert 0 <= found.low <= successes / n <= found.high <= 1
    assert (1 - turned.high, 1 - turned.low) == pytest.approx(_ends(found), abs=1e-15)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: wilson_interval(0, 0), ScoringError, "share of 0 observations"),
        (
            lambda: wilson_interval(3, 2),
            ScoringError,
            "3 successes in 2; give a number from 0 to 2",
        ),
        (lambda: wilson_interval(math.nan, 2), ScoringError, "nan successes"),
        (lambda: wilson_interval(1, 2, 95), ConfigurationError, "level is 95; it must be between"),
        (lambda: mean_interval([]), ScoringError, "There is no value"),
        (lambda: mean_interval([0.1, math.nan]), ScoringError, "Value 1 is nan; a finite number"),
        (lambda: mean_interval([math.inf], bounds=None), ScoringError, "Value 0 is inf"),
        (lambda: mean_interval([0.5, 1.5]), ScoringError, "Value 1 is 1.5; it must be from 0 to 1"),
        (lambda: mean_interval([[0.5]]), ScoringError, "2 dimensions; 1 needed"),
        (lambda: mean_interval(["good"]), ScoringError, "cannot be read as numbers"),
        (lambda: mean_interval([0.5], level=math.nan), ConfigurationError, "level is nan"),
        (lambda: mean_interval([0.5], bounds=(1, 0)), ConfigurationError, "bounds are .1, 0."),
        (lambda: constant_interval(2.0, 3), ScoringError, "is 2.0; it must be from 0 to 1"),
    ],
)
def test_what_has_no_interval_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()

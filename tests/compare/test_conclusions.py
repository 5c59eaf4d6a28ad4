import pytest

from ultrarm_eval.compare.conclusions import Named, conclusion, is_shown
from ultrarm_eval.compare.difference import Difference
from ultrarm_eval.stats.intervals import Interval


def found(value, interval, p_value, *, prompts=200):
    between = None if interval is None else Interval(*interval)
    test = None if p_value is None else "sign-flip"
    return Difference(0.7, 0.7 + value, value, between, test, p_value, 200, prompts)


def named(*, metric="acc", are_shares=True, higher_is_better=True, on="X"):
    return Named("A", "B", on, metric, are_shares, higher_is_better)


def test_a_difference_that_is_shown():
    said = conclusion(
        found(0.018, (0.006, 0.030), 0.003), 0.003, 1, named(on="ultrafeedback_pairs")
    )
    assert (
        said == "B is better than A by 1.8 points on ultrafeedback_pairs, 95 % interval 0.6 to 3.0."
    )


def test_a_difference_the_other_way_round():
    said = conclusion(found(-0.018, (-0.030, -0.006), 0.003), 0.003, 1, named())
    assert said == "A is better than B by 1.8 points on X, 95 % interval 0.6 to 3.0."


def test_a_difference_that_is_not_shown_says_how_large_it_may_be():
    said = conclusion(found(0.003, (-0.010, 0.016), 0.6), 0.6, 1, named())
    assert said == (
        "No difference is shown between A and B on X: 0.3 points in favour of B, 95 % interval "
        "-1.0 to 1.6; a difference of up to 1.6 points is compatible with the data."
    )


def test_its_interval_is_that_of_what_the_favoured_one_is_ahead_by():
    said = conclusion(found(-0.003, (-0.016, 0.010), 0.6), 0.6, 1, named())
    assert "0.3 points in favour of A, 95 % interval -1.0 to 1.6;" in said


def test_no_difference_at_all_favours_nobody():
    said = conclusion(found(0.0, (-0.02, 0.02), 1.0), 1.0, 1, named())
    assert said.startswith("No difference is shown between A and B on X: 0.0 points, 95 %")


def test_the_correction_is_named_where_it_changes_what_follows():
    said = conclusion(found(0.018, (0.006, 0.030), 0.02), 0.24, 12, named())
    assert said == (
        "After correction for 12 tests no difference is shown between A and B on X: 1.8 points in "
        "favour of B, 95 % interval 0.6 to 3.0, p 0.020 taken alone and 0.24 adjusted; a "
        "difference of up to 3.0 points is compatible with the data."
    )


def test_an_interval_without_zero_is_not_enough():
    said = conclusion(found(-0.2, (-0.39, -0.01), 0.0625), 0.0625, 1, named())
    assert "1.0 to 39.0, which leaves out 0, but the test finds p 0.062;" in said
    assert said.startswith("No difference is shown")


def test_a_test_without_its_interval():
    said = conclusion(found(0.02, (-0.001, 0.04), 0.04), 0.04, 1, named())
    assert said == (
        "B is better than A by 2.0 points on X, 95 % interval -0.1 to 4.0; the interval reaches 0, "
        "but the test does not (adjusted p 0.040)."
    )


def test_lower_is_better():
    loss = named(metric="nll", are_shares=False, higher_is_better=False)
    worse = conclusion(found(0.25, (0.1, 0.4), 0.001), 0.001, 1, loss)
    assert (
        worse
        == "A is better than B by 0.250 on X (nll, lower is better), 95 % interval 0.100 to 0.400."
    )
    better = conclusion(found(-0.25, (-0.4, -0.1), 0.001), 0.001, 1, loss)
    assert better.startswith(
        "B is better than A by 0.250 on X (nll, lower is better), 95 % interval 0.1"
    )
    open_ = conclusion(found(0.25, (-0.1, 0.6), 0.2), 0.2, 1, loss)
    assert ": 0.250 in favour of A, 95 % interval -0.100 to 0.600;" in open_


def test_a_metric_without_a_direction_makes_nobody_better():
    neutral = named(metric="length", are_shares=False, higher_is_better=None)
    said = conclusion(found(-3.0, (-4.0, -2.0), 0.001), 0.001, 1, neutral)
    assert said.startswith(
        "A is higher than B by 3.000 on X (length, no direction is said to be better)"
    )


def test_too_few_prompts_for_an_interval():
    said = conclusion(found(0.5, None, 1.0), 1.0, 1, named())
    assert said.endswith(
        "50.0 points in favour of B, p 1.00; the prompts are too few for an interval."
    )
    said = conclusion(found(0.5, None, 0.01), 0.01, 1, named())
    assert said.endswith("on X, adjusted p 0.010; the prompts are too few for an interval.")


def test_an_unpaired_difference_says_that_it_is_one():
    said = conclusion(found(0.018, (0.006, 0.030), 0.003, prompts=None), 0.003, 1, named())
    assert said.endswith(
        "to 3.0. The runs are taken for independent, since the same documents cannot be compared."
    )


def test_a_difference_without_a_test():
    said = conclusion(found(-0.018, None, None, prompts=None), None, 0, named())
    assert said.startswith("B less A is -1.8 points on X; without standard errors or samples")


@pytest.mark.parametrize(("adjusted", "shown"), [(0.0499, True), (0.05, False), (None, False)])
def test_five_percent_is_the_limit(adjusted, shown):
    assert is_shown(adjusted) is shown

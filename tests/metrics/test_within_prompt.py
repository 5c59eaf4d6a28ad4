import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrarm_eval.errors import ScoringError
from ultrarm_eval.metrics.over_prompts import pooled_accuracy
from ultrarm_eval.metrics.within_prompt import compare
from ultrarm_eval.pairs import PreferencePair

PAIRS = (PreferencePair(0, 1), PreferencePair(0, 2), PreferencePair(2, 1))


def test_a_right_a_wrong_and_a_tied_pair():
    outcome = compare(PAIRS, {0: 1.0, 1: 3.0, 2: 1.0})
    assert (outcome.accuracy, outcome.tie_rate) == (pytest.approx(0.5 / 3), pytest.approx(1 / 3))
    assert outcome.margin == pytest.approx((-2 + 0 - 2) / 3)


def test_a_constant_judge_gets_one_half():
    outcome = compare(PAIRS, dict.fromkeys(range(3), 0.25))
    assert (outcome.accuracy, outcome.tie_rate, outcome.margin) == (0.5, 1.0, 0.0)


def test_an_oracle_gets_one_and_an_anti_oracle_nothing():
    rewards = {0: 3.0, 1: 1.0, 2: 2.0}
    assert compare(PAIRS, rewards).accuracy == 1.0
    assert compare(PAIRS, {i: -r for i, r in rewards.items()}).accuracy == 0.0


def test_infinite_rewards_that_are_equal_tie_without_spoiling_the_margin():
    assert compare(PAIRS[:1], {0: math.inf, 1: math.inf}).margin == 0.0


def test_nan_is_an_error_and_not_a_wrong_answer():
    with pytest.raises(ScoringError, match="Completion 1 has the reward NaN"):
        compare(PAIRS, {0: 1.0, 1: math.nan, 2: 0.0})


def test_no_pair_is_an_error():
    with pytest.raises(ScoringError, match="without pairs"):
        compare((), {})


def test_pooling_weighs_prompts_by_their_pairs():
    assert pooled_accuracy([(1.0, 1), (2.5, 5)]) == pytest.approx(3.5 / 6)


@given(st.lists(st.floats(-100, 100), min_size=3, max_size=3), st.sampled_from([-64.0, 0.5, 8.0]))
def test_accuracy_ignores_a_shift_and_turns_over_with_the_sign(rewards, shift):
    # Halves and powers of two shift floats of this size without making different ones equal
    # only where they are multiples of it, so the rewards are rounded first.
    exact = {i: round(r * 4) / 4 for i, r in enumerate(rewards)}
    accuracy = compare(PAIRS, exact).accuracy
    assert compare(PAIRS, {i: r + shift for i, r in exact.items()}).accuracy == accuracy
    assert compare(PAIRS, {i: -r for i, r in exact.items()}).accuracy == pytest.approx(1 - accuracy)

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

import ultrarm_eval.metrics.win_rate as module
from tests.conftest import examples
from ultrarm_eval.errors import ScoringError
from ultrarm_eval.metrics.win_rate import length_controlled_win_rate, win_credit

CREDITS = st.sampled_from([0.0, 0.5, 1.0])


@st.composite
def compared_prompts(draw):
    """Credits and length differences of up to forty prompts."""
    n = draw(st.integers(1, 40))
    differences = st.integers(-3000, 3000)
    return tuple(draw(st.lists(each, min_size=n, max_size=n)) for each in (CREDITS, differences))


def of_scikit_learn(win_credits, differences):
    """The same by scikit-learn: each row as a win and as a loss, weighted by its credit."""
    differences = np.array(differences, float)
    deviation = np.sqrt(np.mean((differences - differences.mean()) ** 2))
    lengths = np.tanh(differences / deviation) if deviation else np.zeros(len(differences))
    columns = np.column_stack([np.ones(len(lengths)), lengths])
    # With a gradient of 1e-8 and a penalty of 1 the optimum is as near; for less its line search
    # may find no step, of which it warns.
    model = LogisticRegression(C=1.0, fit_intercept=False, solver="newton-cholesky", tol=1e-8)
    model.fit(
        np.vstack([columns, columns]),
        np.repeat([1, 0], len(lengths)),
        sample_weight=np.concatenate([win_credits, 1 - np.array(win_credits)]),
    )
    return model.predict_proba([[1.0, 0.0]])[0, 1]


def random_prompts(n, seed, *, quality=0.3, length=1.0, longer_by=0.0):
    """Credits drawn from the model itself, with some ties."""
    random = np.random.default_rng(seed)
    differences = np.round(random.normal(longer_by, 400, n))
    logits = quality + length * np.tanh(differences / 400)
    win_credits = (random.random(n) < 1 / (1 + np.exp(-logits))).astype(float)
    win_credits[random.random(n) < 0.1] = 0.5
    return win_credits.tolist(), differences.tolist()


LENGTHS = [120, -40, 0, 700, -15, 33, -900, 5]
CASES = {
    "random": random_prompts(805, 0),
    "random and shorter": random_prompts(300, 1, quality=-1.0, length=-2.0),
    "random, few": random_prompts(9, 2),
    "all wins": ([1.0] * 8, LENGTHS),
    "all losses": ([0.0] * 8, LENGTHS),
    "all wins of 805": ([1.0] * 805, random_prompts(805, 3)[1]),
    "all ties": ([0.5] * 8, LENGTHS),
    "a single win": ([1.0], [250]),
    "a single tie": ([0.5], [250]),
    "constant lengths": ([1.0, 0.0, 1.0, 0.5, 1.0], [80] * 5),
    "equal lengths": ([1.0, 0.0, 1.0, 0.5, 1.0], [0] * 5),
    "separated by length": ([float(d > 0) for d in LENGTHS], LENGTHS),
    "one length far off": ([1.0] + [0.0] * 30, [10**6] + [1] * 30),
    "probabilities": ([0.1, 0.9, 0.35, 0.72, 0.5, 0.03, 0.99, 0.6], LENGTHS),
}


class TestAgainstScikitLearn:
    @pytest.mark.parametrize("case", CASES)
    def test_a_case(self, case):
        found = length_controlled_win_rate(*CASES[case])
        assert found == pytest.approx(of_scikit_learn(*CASES[case]), abs=1e-6)

    @given(compared_prompts())
    @settings(max_examples=examples(100), deadline=None)
    def test_any_prompts(self, prompts):
        found = length_controlled_win_rate(*prompts)
        assert found == pytest.approx(of_scikit_learn(*prompts), abs=1e-6)


class TestWhatLengthExplains:
    @pytest.mark.parametrize("seed", range(5))
    def test_a_judge_that_prefers_longer_answers_gets_one_half(self, seed):
        # Two of three answers are longer than their references.
        _, differences = random_prompts(805, seed, longer_by=180)
        win_credits = [float(d > 0) + 0.5 * (d == 0) for d in differences]
        assert np.mean(win_credits) > 0.62
        assert length_controlled_win_rate(win_credits, differences) == pytest.approx(0.5, abs=0.1)

    def test_exactly_one_half_where_longer_and_shorter_balance(self):
        differences = [d for size in (10, 50, 300) for d in (size, -size)]
        win_credits = [float(d > 0) for d in differences]
        assert length_controlled_win_rate(win_credits, differences) == pytest.approx(0.5, abs=1e-9)

    def test_the_rate_at_no_difference_is_found_behind_a_length_bias(self):
        win_credits, differences = random_prompts(20_000, 7, quality=0.4, length=1.5, longer_by=300)
        wanted = 0.9 / (1 + math.exp(-0.4)) + 0.1 * 0.5
        assert np.mean(win_credits) > wanted + 0.1
        assert length_controlled_win_rate(win_credits, differences) == pytest.approx(
            wanted, abs=0.02
        )

    def test_without_a_length_bias_it_is_near_the_win_rate(self):
        win_credits, differences = random_prompts(20_000, 8, quality=1.0, length=0.0)
        found = length_controlled_win_rate(win_credits, differences)
        assert found == pytest.approx(np.mean(win_credits), abs=0.005)


class TestWhatMustNotMatter:
    @given(compared_prompts(), st.sampled_from([0.25, 3.0, 1000.0]))
    @settings(max_examples=examples(50), deadline=None)
    def test_the_unit_of_length(self, prompts, unit):
        win_credits, differences = prompts
        scaled = [unit * difference for difference in differences]
        wanted = length_controlled_win_rate(win_credits, differences)
        assert length_controlled_win_rate(win_credits, scaled) == pytest.approx(wanted, abs=1e-9)

    @given(compared_prompts())
    @settings(max_examples=examples(50), deadline=None)
    def test_which_side_is_called_the_reference(self, prompts):
        win_credits, differences = prompts
        turned = [1 - credit for credit in win_credits], [-difference for difference in differences]
        wanted = 1 - length_controlled_win_rate(win_credits, differences)
        assert length_controlled_win_rate(*turned) == pytest.approx(wanted, abs=1e-9)

    def test_a_constant_that_no_float_holds(self):
        # The computed deviation of these is not 0, and dividing by it would make them large.
        differences = [0.1] * 3
        assert np.std(differences) > 0
        found = length_controlled_win_rate([1.0, 1.0, 0.0], differences)
        assert found == length_controlled_win_rate([1.0, 1.0, 0.0], [0] * 3)


def test_a_single_win_yields_what_the_docstring_says():
    # The intercept w solves w = 1 - sigmoid(w).
    assert length_controlled_win_rate([1.0], [3]) == pytest.approx(0.5989, abs=1e-4)
    assert length_controlled_win_rate([0.0], [3]) == pytest.approx(0.4011, abs=1e-4)
    assert length_controlled_win_rate([0.5], [3]) == 0.5


class TestCredits:
    def test_win_tie_and_loss(self):
        assert [win_credit(*r) for r in ((2.0, 1.0), (1.0, 1.0), (1.0, 2.0))] == [1.0, 0.5, 0.0]
        assert win_credit(-0.0, 0.0) == 0.5

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_a_reward_that_is_not_finite_is_refused(self, value):
        with pytest.raises(ScoringError, match=f"The answer has the reward {value}"):
            win_credit(value, 1.0)
        with pytest.raises(ScoringError, match=f"The reference has the reward {value}"):
            win_credit(1.0, value)


class TestRefusals:
    def test_no_prompts(self):
        with pytest.raises(ScoringError, match="no prompt was compared with a reference"):
            length_controlled_win_rate([], [])

    @pytest.mark.parametrize("credit", [math.nan, -0.5, 1.5])
    def test_a_credit_out_of_range(self, credit):
        with pytest.raises(ScoringError, match=f"Prompt 1 has the credit {credit}"):
            length_controlled_win_rate([1.0, credit], [0, 0])

    def test_lengths_that_differ(self):
        with pytest.raises(ScoringError, match="2 credits and 3 length differences"):
            length_controlled_win_rate([1.0, 0.0], [1, 2, 3])

    def test_a_length_that_is_not_finite(self):
        with pytest.raises(ScoringError, match="Prompt 1 has the length difference nan"):
            length_controlled_win_rate([1.0, 0.0], [1, math.nan])

    def test_a_fit_that_does_not_converge(self, monkeypatch):
        monkeypatch.setattr(module, "_MAX_ITERATIONS", 1)
        with pytest.raises(ScoringError, match="of 8 prompts did not converge in 1 iterations"):
            length_controlled_win_rate(*CASES["all wins"])

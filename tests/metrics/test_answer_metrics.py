"""The metrics of a prompt's answers, by enumeration."""

import itertools
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrarm_eval.errors import ScoringError
from ultrarm_eval.metrics.best_of_k import samples_metrics
from ultrarm_eval.metrics.win_rate import answer_metrics

REWARDS = st.integers(-3, 3).map(float)


@pytest.mark.parametrize(("reward", "credit"), [(2.0, 1.0), (1.0, 0.5), (0.0, 0.0)])
def test_an_answer_wins_ties_or_loses(reward, credit):
    assert answer_metrics("four", reward, "of", 1.0) == {
        "reward": reward,
        "win_rate": credit,
        "win_rate_length_controlled": (credit, 2),
    }


def test_what_has_no_score_has_no_metric():
    assert answer_metrics("a", None, "b", 1.0) == {}
    assert answer_metrics("a", 1.0, "b", None) == {"reward": 1.0}
    assert samples_metrics([1.0, None], 0.0) == {}


def test_a_score_that_is_no_number_is_an_error():
    with pytest.raises(ScoringError, match="nan"):
        answer_metrics("a", float("nan"), "b", 1.0)
    with pytest.raises(ScoringError, match="nan"):
        samples_metrics([float("nan")], None)


@given(st.lists(REWARDS, min_size=1, max_size=6), REWARDS)
def test_the_pick_of_k_is_the_mean_over_subsets(rewards, reference):
    found = samples_metrics(rewards, reference)
    n = len(rewards)
    assert set(found) == {
        f"{m}@{k}" for m in ("reward", "win_rate") for k in (1, 2, 4, n) if k <= n
    }
    for k in (k for k in (1, 2, 4, n) if k <= n):
        best = [max(subset) for subset in itertools.combinations(rewards, k)]
        assert found[f"reward@{k}"] == pytest.approx(statistics.fmean(best))
        wins = [0.5 if b == reference else float(b > reference) for b in best]
        assert found[f"win_rate@{k}"] == pytest.approx(statistics.fmean(wins))


@given(st.lists(REWARDS, min_size=1, max_size=6), REWARDS)
def test_more_to_pick_from_is_never_worse(rewards, reference):
    found = samples_metrics(rewards, reference)
    for metric in ("reward", "win_rate"):
        values = [value for name, value in found.items() if name.startswith(f"{metric}@")]
        assert all(a <= b + 1e-12 for a, b in itertools.pairwise(values))


def test_without_a_reference_there_is_no_win_rate():
    assert samples_metrics([1.0, 3.0], None) == {"reward@1": 2.0, "reward@2": 3.0}

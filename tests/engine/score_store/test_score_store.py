"""What a store finds, and what a judge with one computes."""

import pytest

from tests.engine.score_store.stored import (
    ANSWERS,
    ONE,
    OTHER,
    PROMPTS,
    TEXTS,
    TWO,
    identity,
    opened,
)
from ultrarm_eval.errors import ScoreStoreError
from ultrarm_eval.judges.ultrarm import UltraRMJudge


def test_what_was_added_is_found_to_the_last_bit(path):
    rewards = [0.1, -1e-30, 3.0000001]
    opened(path).add(dict(zip(TEXTS, rewards, strict=True)))
    assert opened(path).find([*TEXTS, OTHER]) == dict(zip(TEXTS, rewards, strict=True))


def test_more_texts_than_sqlite_takes_at_once_are_found(path):
    rewards = {identity((i, i + 1)): float(i) for i in range(2500)}
    opened(path).add(rewards)
    assert opened(path).find(list(rewards)) == rewards


def test_another_judges_rewards_are_never_found(path):
    opened(path, "a").add(dict(zip(TEXTS, [1.0, 2.0, 3.0], strict=True)))
    opened(path, "b").add({TEXTS[0]: 9.0})
    assert opened(path, "b").find(TEXTS) == {TEXTS[0]: 9.0}
    assert opened(path, "c").find(TEXTS) == {}


@pytest.mark.parametrize("reward", [float("nan"), float("inf")])
def test_a_reward_that_is_not_finite_is_not_stored(path, reward):
    store = opened(path)
    with pytest.raises(ScoreStoreError, match="a finite number"):
        store.add({ONE: 1.0, TWO: reward})
    assert store.find([ONE, TWO]) == {}


def test_finite_rewards_of_a_batch_are_kept_when_one_is_not(checkpoint, path, monkeypatch):
    from ultrarm_eval.engine import torch_engine
    from ultrarm_eval.errors import ScoringError

    real = torch_engine._score_batch
    monkeypatch.setattr(
        torch_engine, "_score_batch", lambda *given: [float("nan"), *real(*given)[1:]]
    )
    judge = UltraRMJudge(str(checkpoint), score_store=str(path))
    with pytest.raises(ScoringError):
        judge.score(PROMPTS, ANSWERS)
    monkeypatch.undo()
    again = UltraRMJudge(str(checkpoint), score_store=str(path))
    again.score(PROMPTS, ANSWERS)
    assert again.settings()["counts"]["from_store"] == 11


def test_a_second_run_computes_nothing_and_loads_no_weights(checkpoint, path):
    first = UltraRMJudge(str(checkpoint), score_store=str(path))
    expected = first.score(PROMPTS, ANSWERS)
    second = UltraRMJudge(str(checkpoint), score_store=str(path))
    assert second.score(PROMPTS, ANSWERS) == expected
    assert second.network.runner is None
    assert second.settings()["counts"]["from_store"] == 12


def test_only_what_is_missing_is_computed(checkpoint, path):
    half = UltraRMJudge(str(checkpoint), score_store=str(path))
    half.score(PROMPTS[:5], ANSWERS[:5])
    whole = UltraRMJudge(str(checkpoint), score_store=str(path))
    plain = UltraRMJudge(str(checkpoint)).score(PROMPTS, ANSWERS)
    assert whole.score(PROMPTS, ANSWERS) == pytest.approx(plain, abs=5e-5)
    assert whole.settings()["counts"]["from_store"] == 5


@pytest.mark.few(1)
@pytest.mark.parametrize("other", [{"template": "raw"}, {"max_length": 100}, {"dtype": "bfloat16"}])
def test_other_settings_read_nothing(checkpoint, path, other):
    UltraRMJudge(str(checkpoint), score_store=str(path)).score(PROMPTS, ANSWERS)
    judge = UltraRMJudge(str(checkpoint), score_store=str(path), **other)
    judge.score(PROMPTS, ANSWERS)
    assert judge.settings()["counts"]["from_store"] == 0

"""Judges that give no reward after each token, and rewards that are none."""

import math

import pytest
import torch

from tests.judges.test_token_rewards import LANGUAGE_MODEL, of
from ultrarm_eval.engine.decoder_runner import DecoderRunner
from ultrarm_eval.errors import ConfigurationError, DeviceError, ScoringError
from ultrarm_eval.judges.base import TokenJudge
from ultrarm_eval.judges.critique import CritiqueJudge
from ultrarm_eval.judges.loading import require_token_judge, token_judges
from ultrarm_eval.plugins import registry


def test_a_critique_is_of_a_whole_answer(write_model):
    judge = of(write_model(LANGUAGE_MODEL, "llama"), CritiqueJudge, max_new_tokens=8)
    with pytest.raises(ConfigurationError, match="judge=critique.*Judges that do: beaver, dpo"):
        judge.rewards_after_tokens("q", "a")
    assert judge.network.runner is None


def test_a_judge_without_the_method_is_named():
    class Lengths:
        def score(self, prompts, completions):
            return [float(len(text)) for text in completions]

    with pytest.raises(ConfigurationError, match="judge=length.*it has no method rewards_aft"):
        require_token_judge(Lengths(), "length")


def test_the_named_judges_are_those_that_can():
    # Of published kinds, see tests/reward_models/test_rewards_after_tokens.py.
    own = [n for n in token_judges() if "reward_models" not in registry().judge(n).__module__]
    assert own == ["dpo", "eurus", "likelihood", "sequence-classification", "ultrarm"]
    assert CritiqueJudge.name not in token_judges()
    for name in token_judges():
        assert callable(registry().judge(name).rewards_after_tokens)


def test_a_judge_that_can_is_handed_back(checkpoint):
    judge = of(checkpoint)
    assert require_token_judge(judge, "ultrarm") is judge
    assert isinstance(judge, TokenJudge)


def test_a_reward_that_is_no_number_is_an_error(checkpoint, monkeypatch):
    rewards = torch.tensor([0.5, math.nan])
    monkeypatch.setattr(DecoderRunner, "score_after_tokens", lambda self, text: rewards)
    with pytest.raises(ScoringError, match="after token 2 is nan.*bfloat16"):
        of(checkpoint, template="raw").rewards_after_tokens(None, "the")


def test_a_text_that_does_not_fit_into_memory(checkpoint, monkeypatch):
    def full(self, text):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried")

    monkeypatch.setattr(DecoderRunner, "score_after_tokens", full)
    with pytest.raises(DeviceError, match="single text of 2 tokens.*smaller max_length"):
        of(checkpoint, template="raw").rewards_after_tokens(None, "the")


def test_any_other_error_stays_what_it_is(checkpoint, monkeypatch):
    def broken(self, text):
        raise RuntimeError("no")

    monkeypatch.setattr(DecoderRunner, "score_after_tokens", broken)
    with pytest.raises(RuntimeError, match="^no$"):
        of(checkpoint).rewards_after_tokens(None, "the")

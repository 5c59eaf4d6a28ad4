"""Packed rows against one text at a time, on random trees."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig

from tests.conftest import TINY_LLAMA
from tests.scoring.token_texts import distinct_texts
from ultrarm_eval import LlamaRewardModel
from ultrarm_eval.scoring.packed_model import why_not_packed
from ultrarm_eval.scoring.scorer import BatchLimits, score_token_ids


def one_at_a_time(model, texts):
    with torch.inference_mode():
        return [float(model(torch.tensor([text]))) for text in texts]


def scored(model, texts, batching, max_tokens=60, max_texts=None):
    rewards = {}
    for indices, values in score_token_ids(
        model, texts, BatchLimits(max_tokens, max_texts), batching
    ):
        assert not rewards.keys() & set(indices)
        rewards.update(zip(indices, values, strict=True))
    return [rewards[i] for i in range(len(texts))]


@pytest.fixture(scope="module")
def without_groups():
    """A model with a key head for each head, and a rotary base of its own."""
    torch.manual_seed(1)
    config = LlamaConfig(**{**TINY_LLAMA, "num_hidden_layers": 1, "rms_norm_eps": 1e-3})
    model = LlamaRewardModel(config).eval()
    with torch.no_grad():
        model.regression_head.weight.normal_()
    return model


@settings(deadline=None, max_examples=60)
@given(
    texts=distinct_texts(max_token=300),
    batching=st.sampled_from(["shared", "packed", "padded"]),
    least_shared=st.integers(1, 5),
    max_tokens=st.sampled_from([1, 7, 20, 1000]),
    max_texts=st.sampled_from([None, 1, 3]),
)
def test_rewards_are_those_of_one_text_at_a_time(
    reward_model, texts, batching, least_shared, max_tokens, max_texts
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ultrarm_eval.scoring.plan.LEAST_SHARED", least_shared)
        rewards = scored(reward_model, texts, batching, max_tokens, max_texts)
    assert rewards == pytest.approx(one_at_a_time(reward_model, texts), abs=5e-5)


@pytest.mark.parametrize("batching", ["shared", "packed"])
def test_every_key_head_arrangement_is_scored(without_groups, batching):
    draw = np.random.default_rng(0)
    prompt = draw.integers(3, 400, 30).tolist()
    texts = [tuple(prompt + draw.integers(3, 400, n).tolist()) for n in (1, 9, 40)]
    texts.append(tuple(prompt))
    expected = one_at_a_time(without_groups, texts)
    assert scored(without_groups, texts, batching, 200) == pytest.approx(expected, abs=5e-5)
    assert len({round(reward, 3) for reward in expected}) == 4


def test_a_neighbour_in_the_row_changes_nothing(reward_model):
    draw = np.random.default_rng(2)
    text = tuple(draw.integers(3, 400, 30).tolist())
    alone = scored(reward_model, [text], "shared")[0]
    for seed in range(5):
        others = np.random.default_rng(seed).integers(3, 400, (3, 20)).tolist()
        beside = scored(reward_model, [*map(tuple, others), text], "shared", 500)[-1]
        assert beside == pytest.approx(alone, abs=1e-5)


def test_the_model_is_left_as_it_was(reward_model):
    before = reward_model.model.config._attn_implementation
    scored(reward_model, [(5, 6, 7), (5, 6, 8)], "shared")
    assert reward_model.model.config._attn_implementation == before
    assert not reward_model.model.layers[-1]._forward_pre_hooks


def test_an_error_in_the_middle_leaves_the_model_as_it_was(reward_model, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("no")

    before = reward_model.model.config._attn_implementation
    with monkeypatch.context() as patch:
        patch.setattr("ultrarm_eval.scoring.tree_attention._by_segment", broken)
        with pytest.raises(RuntimeError, match="no"):
            scored(reward_model, [(5, 6, 7), (5, 6, 8)], "shared")
    assert reward_model.model.config._attn_implementation == before
    assert not reward_model.model.layers[-1]._forward_pre_hooks


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"model_type": "gemma2"}, "architecture is 'gemma2'"),
        ({"model_type": "llama", "sliding_window": 4096}, "sliding window"),
        ({"model_type": "llama", "is_causal": False}, "bidirectional"),
        ({"model_type": "llama"}, None),
    ],
)
def test_models_whose_attention_cannot_be_packed_are_named(fields, reason):
    from types import SimpleNamespace

    found = why_not_packed(SimpleNamespace(**fields))
    assert (found is None) if reason is None else (reason in found)

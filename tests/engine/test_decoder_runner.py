"""Packed rows against one text at a time, on random trees."""

import copy
import json
import logging
import shutil
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig

from tests.conftest import TINY_LLAMA, examples
from tests.text_format.token_texts import as_tokens, distinct_texts
from ultrarm_eval import LlamaRewardModel
from ultrarm_eval.engine.batching import resolve_batching
from ultrarm_eval.engine.decoder_runner import DecoderRunner
from ultrarm_eval.engine.kernels.tree_attention import tree_attention
from ultrarm_eval.engine.plan import make_plan
from ultrarm_eval.engine.rows import make_row
from ultrarm_eval.engine.torch_engine import BatchLimits, TorchEngine
from ultrarm_eval.errors import ScoringError
from ultrarm_eval.judges.ultrarm import UltraRMJudge


def one_at_a_time(model, texts):
    with torch.inference_mode():
        return [float(model(torch.tensor([text]))) for text in texts]


def scored(model, texts, batching, max_tokens=60, max_texts=None):
    """Rewards by a runner, or by a new one for a model."""
    runner = model if isinstance(model, DecoderRunner) else DecoderRunner(model)
    limits = BatchLimits(max_tokens, max_texts)
    rewards = {}
    for batch in TorchEngine(lambda: runner, lambda: limits, batching).compute(as_tokens(texts)):
        assert not rewards.keys() & set(batch.texts)
        rewards.update(zip(batch.texts, batch.values, strict=True))
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


@settings(deadline=None, max_examples=examples(60))
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
        patch.setattr("ultrarm_eval.engine.plan.LEAST_SHARED", least_shared)
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


@pytest.fixture
def one_thread():
    """A matrix product of few rows is split among more threads in another way."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("batching", ["shared", "packed"])
def test_other_prompts_change_no_bit_of_a_reward(reward_model, one_thread, batching):
    draw = np.random.default_rng(5)

    def of_a_prompt():
        prompt = draw.integers(3, 400, 40).tolist()
        return [tuple(prompt + draw.integers(3, 400, n).tolist()) for n in (5, 9, 33)]

    prompts = [of_a_prompt() for _ in range(6)]
    every = [text for texts in prompts for text in texts]
    together = scored(reward_model, every, batching, 500)
    alone = [reward for texts in prompts for reward in scored(reward_model, texts, batching, 500)]
    assert together == alone


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
        patch.setattr("ultrarm_eval.engine.kernels.sdpa.AttentionBySegment.attend", broken)
        with pytest.raises(RuntimeError, match="no"):
            scored(reward_model, [(5, 6, 7), (5, 6, 8)], "shared")
    assert reward_model.model.config._attn_implementation == before
    assert not reward_model.model.layers[-1]._forward_pre_hooks


def test_a_model_spread_over_devices_is_scored_in_rows(reward_model, tmp_path):
    from accelerate import dispatch_model

    draw = np.random.default_rng(4)
    prompt = draw.integers(3, 400, 30).tolist()
    texts = [tuple(prompt + draw.integers(3, 400, n).tolist()) for n in (5, 9, 20)]
    places = {
        "model.embed_tokens": "cpu",
        "model.layers.0": "cpu",
        "model.layers.1": "disk",
        "model.norm": "cpu",
        "model.rotary_emb": "cpu",
        "regression_head": "cpu",
    }
    spread = dispatch_model(
        copy.deepcopy(reward_model), places, main_device="cpu", offload_dir=str(tmp_path)
    )
    assert len(set(spread.hf_device_map.values())) == 2
    expected = one_at_a_time(reward_model, texts)
    assert scored(spread, texts, "shared", 200) == pytest.approx(expected, abs=5e-5)


def test_threads_take_turns(reward_model):
    draw = np.random.default_rng(3)
    texts = [tuple(ids) for ids in draw.integers(3, 400, (12, 20)).tolist()]
    expected = one_at_a_time(reward_model, texts)
    runner = DecoderRunner(reward_model)
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: scored(runner, texts, "shared"), range(12)))
    for rewards in found:
        assert rewards == pytest.approx(expected, abs=5e-5)
    assert reward_model.model.config._attn_implementation != "ultrarm_eval_tree"


def test_the_attention_without_a_row_is_an_error():
    with pytest.raises(ScoringError, match="without the layout of a row"):
        tree_attention(None, *[torch.zeros(1, 1, 1, 1)] * 3, None)


def test_a_chain_of_prefixes_sees_one_stretch_of_the_row():
    texts = as_tokens(range(1, n + 1) for n in (20, 40, 60))
    (batch,) = make_plan(texts, batching="shared", max_tokens=100).batches
    row = make_row(batch.pieces, texts)
    assert row.layout.contexts == [(), ((0, 20),), ((0, 40),)]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"rope_scaling": {"rope_type": "longrope"}}, "(longrope)"),
        ({"rope_parameters": {"rope_type": "dynamic"}}, "(dynamic)"),
        # Gemma 3 has one for each type of layers.
        ({"rope_parameters": {"full_attention": {"rope_type": "longrope"}}}, "(longrope)"),
        ({"is_causal": False}, "bidirectional"),
        ({"rope_scaling": {"rope_type": "llama3"}}, None),
        ({"rope_scaling": None}, None),
        ({}, None),
    ],
)
def test_a_model_whose_rewards_depend_on_the_batch_gets_texts_one_at_a_time(fields, reason, caplog):
    batching, together = resolve_batching("auto", SimpleNamespace(**fields))
    assert (batching, together) == (("padded", False) if reason else ("shared", True))
    warned = " ".join(r.message for r in caplog.records if r.levelno >= logging.WARNING)
    assert (reason in warned) if reason else not warned


def test_rope_that_depends_on_the_longest_text_gives_the_loops_rewards(tmp_path, checkpoint):
    folder = tmp_path / "longrope"
    shutil.copytree(checkpoint, folder)
    config = json.loads((folder / "config.json").read_text())
    half = config["hidden_size"] // config["num_attention_heads"] // 2
    config["rope_scaling"] = {
        "rope_type": "longrope",
        "short_factor": [1.0] * half,
        "long_factor": [8.0] * half,
        "original_max_position_embeddings": 40,
    }
    config["original_max_position_embeddings"] = 40
    (folder / "config.json").write_text(json.dumps(config))
    judge = UltraRMJudge(str(folder), template="raw")
    answers = ["one word", "the sky is blue " * 12]
    rewards = judge.score([None, None], answers)
    assert rewards == pytest.approx(judge.score_one_at_a_time([None, None], answers), abs=5e-5)

"""The engine of this process: its batches shrink when memory runs out, and nothing is lost."""

import numpy as np
import pytest
import torch

from tests.engine.test_decoder_runner import one_at_a_time
from tests.text_format.token_texts import as_tokens
from ultrarm_eval.engine import torch_engine
from ultrarm_eval.engine.decoder_runner import DecoderRunner
from ultrarm_eval.engine.torch_engine import BatchLimits, TorchEngine


def test_a_prompt_that_is_too_large_for_the_memory_is_cut_and_batches_grow_no_larger(
    reward_model, monkeypatch
):
    draw = np.random.default_rng(0)
    prompt = draw.integers(3, 300, 40).tolist()
    texts = [[*prompt, *draw.integers(3, 300, 25).tolist()] for _ in range(8)]
    real, tokens = torch_engine._score_batch, []

    def small_memory(model, given, batch):
        tokens.append(batch.tokens)
        if batch.tokens > 130:
            raise torch.OutOfMemoryError
        return real(model, given, batch)

    monkeypatch.setattr(torch_engine, "_score_batch", small_memory)
    runner, limits = DecoderRunner(reward_model), BatchLimits(70, max_tree_tokens=1000)
    engine = TorchEngine(lambda: runner, lambda: limits, "shared")
    rewards = {}
    for batch in engine.compute(as_tokens(texts)):
        rewards.update(zip(batch.texts, batch.values, strict=True))
    # 40 + 8 x 25 in one go, then at most half of that: three answers, three and two.
    assert tokens == [240, 115, 115, 90]
    assert (limits.max_tokens, limits.max_tree_tokens) == (70, 120)
    expected = one_at_a_time(reward_model, texts)
    assert [rewards[i] for i in range(8)] == pytest.approx(expected, abs=5e-5)

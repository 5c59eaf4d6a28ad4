"""The token budget follows the memory that is free."""

import pytest
import torch
from transformers import LlamaConfig

from ultrarm_eval.engine import token_budget as budget
from ultrarm_eval.engine.token_budget import TokenBudget, bytes_per_token, token_budget
from ultrarm_eval.judges.ultrarm import UltraRMJudge

GIB = 1024**3
OF_13B = LlamaConfig(
    hidden_size=5120, intermediate_size=13824, num_hidden_layers=40, num_attention_heads=40
)
CUDA, CPU = torch.device("cuda"), torch.device("cpu")


def with_free(monkeypatch, gib):
    monkeypatch.setattr(budget, "free_bytes", lambda _: int(gib * GIB))


def test_a_token_of_13b_takes_some_hundred_kilobytes():
    # 14 * 5120 + 3 * 13824 numbers of two bytes, and two widths of four.
    assert bytes_per_token(OF_13B, torch.bfloat16) == (14 * 5120 + 3 * 13824) * 2 + 2 * 5120 * 4


@pytest.mark.parametrize(
    ("free", "device", "expected"),
    [
        (100, CUDA, TokenBudget(32_768, 32_768)),
        # A prompt with its answers may be larger than a batch on a CPU.
        (100, CPU, TokenBudget(2048, 16_384)),
        (2, CPU, TokenBudget(2048, 4017)),
        (0.001, CPU, TokenBudget(256, 256)),
        (-5, CUDA, TokenBudget(256, 256)),
    ],
)
def test_the_budget_lies_between_its_bounds(monkeypatch, free, device, expected):
    with_free(monkeypatch, free)
    assert token_budget(OF_13B, torch.bfloat16, device) == expected


def test_half_of_what_is_free_is_filled(monkeypatch):
    with_free(monkeypatch, 4)
    tokens = token_budget(OF_13B, torch.bfloat16, CUDA).batch
    used = tokens * bytes_per_token(OF_13B, torch.bfloat16)
    assert used == pytest.approx(2 * GIB, rel=1e-3)
    assert token_budget(OF_13B, torch.float32, CUDA).batch < tokens


def test_weights_that_are_still_to_be_loaded_count(monkeypatch):
    with_free(monkeypatch, 30)
    loaded = token_budget(OF_13B, torch.bfloat16, CUDA).batch
    before = token_budget(OF_13B, torch.bfloat16, CUDA, bytes_to_load=26 * GIB).batch
    assert before == pytest.approx(loaded * 4 / 30, rel=0.1) or loaded == 32_768
    assert before < loaded


def test_a_judge_takes_the_budget_from_the_memory_unless_one_is_set(checkpoint, monkeypatch):
    with_free(monkeypatch, 0)
    texts = ["the sky is blue " * 30] * 1 + ["a horse " * 60, "one word", "two words"]
    small = UltraRMJudge(str(checkpoint), template="raw", device="cpu", batching="packed")
    plan, _ = small.plan([None] * len(texts), texts)
    assert max(batch.tokens for batch in plan.batches) <= 256
    large = UltraRMJudge(
        str(checkpoint), template="raw", device="cpu", batching="packed", max_batch_tokens=10_000
    )
    plan, _ = large.plan([None] * len(texts), texts)
    assert len(plan.batches) == 1


def test_a_judge_cuts_a_prompt_with_its_answers_only_where_a_budget_is_set(checkpoint, monkeypatch):
    monkeypatch.setattr(budget, "_CPU_TOKENS", 64)
    prompts = ["the sky is blue " * 10] * 4
    answers = [f"{word} horse " * 10 for word in ("a", "one", "two", "blue")]

    def batches(**settings):
        plan, _ = UltraRMJudge(str(checkpoint), device="cpu", **settings).plan(prompts, answers)
        return [batch.tokens for batch in plan.batches]

    (whole,) = batches()
    assert whole > 64
    assert len(batches(max_batch_tokens=64)) == 4

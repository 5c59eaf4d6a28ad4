import json
import logging

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ultrarm_eval import LlamaRewardModel, load_judge
from ultrarm_eval.checkpoints.checkpoint import open_checkpoint
from ultrarm_eval.checkpoints.tokenizer import load_tokenizer
from ultrarm_eval.errors import ConfigurationError, DeviceError
from ultrarm_eval.judges.ultrarm import UltraRMJudge

TOLERANCE = 5e-5
PROMPTS = ["the question", "a word list", "</s>", "number one", None, "the question"]
COMPLETIONS = ["the answer", "sky blue green " * 9, "", "two </s> <s>", "bare text", "the answer"]


@pytest.fixture(scope="module")
def judge(checkpoint):
    return load_judge(str(checkpoint))


def naive_rewards(folder, texts, max_length=256):
    """The tutorial's loop: the tokenizer's own ids, one text at a time."""
    tokenizer = load_tokenizer(open_checkpoint(str(folder))).tokenizer
    tokenizer.truncation_side = "left"
    model = LlamaRewardModel.from_pretrained(folder).eval()
    rewards = []
    for text in texts:
        inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=max_length)
        with torch.no_grad():
            rewards.append(model(**inputs).item())
    return rewards


def test_rewards_are_those_of_the_tutorials_loop(checkpoint):
    texts = [text or "x" for text in COMPLETIONS]
    judge = load_judge(str(checkpoint), template="raw", special_tokens="parse")
    rewards = judge.score([None] * len(texts), texts)
    assert rewards == pytest.approx(naive_rewards(checkpoint, texts), abs=TOLERANCE)


def test_the_default_template_is_the_model_cards(checkpoint):
    judge = load_judge(str(checkpoint), special_tokens="parse")
    texts = ["Human: the question\n\nAssistant: the answer"]
    assert judge.score(["the question"], ["the answer"]) == pytest.approx(
        naive_rewards(checkpoint, texts), abs=TOLERANCE
    )


def test_different_texts_have_clearly_different_rewards(judge):
    rewards = judge.score(PROMPTS[:4], COMPLETIONS[:4])
    gaps = [abs(a - b) for i, a in enumerate(rewards) for b in rewards[:i]]
    assert min(gaps) > 100 * TOLERANCE


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15
)
@given(
    order=st.permutations(range(len(COMPLETIONS))),
    batch_size=st.sampled_from(["auto", 1, 2, 3, 64]),
    max_batch_tokens=st.sampled_from([1, 40, 10_000]),
)  # fmt: skip
def test_batching_order_and_neighbours_change_nothing(
    judge, checkpoint, order, batch_size, max_batch_tokens
):
    expected = judge.score(PROMPTS, COMPLETIONS)
    other = UltraRMJudge(str(checkpoint), batch_size=batch_size, max_batch_tokens=max_batch_tokens)
    other.network.runner = judge.network.loaded()
    rewards = other.score([PROMPTS[i] for i in order], [COMPLETIONS[i] for i in order])
    assert rewards == pytest.approx([expected[i] for i in order], abs=TOLERANCE)


def test_a_text_that_occurs_twice_is_computed_once(checkpoint):
    judge = load_judge(str(checkpoint))
    first, *_, last = judge.score(PROMPTS, COMPLETIONS)
    assert first == last
    assert judge.settings()["counts"]["texts"] == 6
    assert judge.settings()["counts"]["distinct_texts"] == 5


def test_over_long_texts_are_cut_counted_and_warned_about_once(checkpoint, caplog):
    judge = load_judge(str(checkpoint), max_length=30)
    with caplog.at_level(logging.WARNING):
        judge.score(["q", "q"], ["the sky is blue " * 20, "ok"])
        judge.score(["q"], ["the grass is green " * 20])
    assert judge.settings()["counts"]["truncated"] == 2
    assert [r.message[:14] for r in caplog.records if "max_length" in r.message] == [
        "1 of 2 texts a"
    ]


def test_message_lists_are_prompts(judge):
    turns = [{"role": "user", "content": "the question"}]
    assert judge.score([turns], ["the answer"]) == judge.score(["the question"], ["the answer"])


@pytest.mark.few(2)
@pytest.mark.parametrize(
    "template", ["ultrarm", "ultrarm-one-newline", "rewardbench", "raw", "own.jinja"]
)
def test_without_a_prompt_every_template_gives_the_bare_texts_reward(
    judge, checkpoint, tmp_path, template
):
    if template == "own.jinja":
        template = str(tmp_path / template)
        (tmp_path / "own.jinja").write_text("{{ bos_token }}{{ completion }}{{ eos_token }}")
    other = UltraRMJudge(str(checkpoint), template=template)
    other.network.runner = judge.network.loaded()
    raw = naive_rewards(checkpoint, ["bare text"])
    assert other.score([None], ["bare text"]) == pytest.approx(raw, abs=TOLERANCE)


def test_halves_of_surrogate_pairs_are_replaced_and_not_crashed_on(judge):
    assert judge.score(["q\ud800"], ["a\udfff"]) == judge.score(["q?"], ["a?"])


def test_bare_strings_are_refused(judge):
    with pytest.raises(ConfigurationError, match="must be lists"):
        judge.score("q", "a")


def test_unequal_numbers_of_prompts_and_completions_are_refused(judge):
    with pytest.raises(ConfigurationError, match="1 prompts and 2 completions"):
        judge.score(["q"], ["a", "b"])


def test_nothing_to_score_gives_nothing(judge):
    assert judge.score([], []) == []


class TestPrecision:
    @pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
    def test_final_norm_and_head_are_float32_as_stored(self, checkpoint, reward_model, dtype):
        model = load_judge(str(checkpoint), dtype=dtype).load()
        assert torch.equal(model.regression_head.weight, reward_model.regression_head.weight)
        assert torch.equal(model.model.norm.weight, reward_model.model.norm.weight)
        assert model.model.layers[0].mlp.up_proj.weight.dtype == getattr(torch, dtype)

    def test_auto_takes_the_stored_dtype(self, checkpoint):
        assert load_judge(str(checkpoint), dtype="auto").settings()["dtype"] == "float32"

    def test_offloaded_final_norm_and_head_are_float32_too(
        self, checkpoint, reward_model, tmp_path, monkeypatch
    ):
        real = LlamaRewardModel.from_pretrained
        spread = dict.fromkeys(("model.embed_tokens", "model.layers", "model.rotary_emb"), "cpu")
        offloaded = {**spread, "model.norm": "disk", "regression_head": "disk"}
        monkeypatch.setattr(
            LlamaRewardModel,
            "from_pretrained",
            lambda *a, **o: real(
                *a, **{**o, "device_map": offloaded, "offload_folder": str(tmp_path)}
            ),
        )
        judge = UltraRMJudge(str(checkpoint), dtype="bfloat16", parallelize=True)
        model = judge.load()
        assert torch.equal(model.regression_head.weight, reward_model.regression_head.weight)
        assert torch.equal(model.model.norm.weight, reward_model.model.norm.weight)
        monkeypatch.undo()
        whole = load_judge(str(checkpoint), dtype="bfloat16")
        assert judge.score(["q"], ["a"]) == pytest.approx(whole.score(["q"], ["a"]), abs=1e-6)


class TestRealPairs:
    @pytest.mark.parametrize("template", ["raw", "ultrarm"])
    @pytest.mark.slow
    def test_rewards_equal_the_loop_on_real_texts(self, checkpoint, real_pairs, template):
        with real_pairs.open(encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines][:60]
        pairs = [(r["prompt"], r[side][-1]["content"]) for r in rows for side in ("chosen", "rejected")]  # fmt: skip
        texts = [
            answer if template == "raw" else f"Human: {prompt}\n\nAssistant: {answer}"
            for prompt, answer in pairs
        ]
        judge = load_judge(str(checkpoint), template=template, special_tokens="parse")
        rewards = judge.score([p for p, _ in pairs], [a for _, a in pairs])
        assert rewards == pytest.approx(naive_rewards(checkpoint, texts), abs=TOLERANCE)


def test_out_of_memory_halves_the_batch_and_loses_nothing(judge, checkpoint, monkeypatch, caplog):
    from ultrarm_eval.engine import torch_engine

    expected = judge.score(PROMPTS, COMPLETIONS)
    other = UltraRMJudge(str(checkpoint), max_batch_tokens=10_000)
    other.network.runner = judge.network.loaded()
    real, computed = torch_engine._score_batch, []

    def small_memory(model, texts, batch):
        if len(batch.texts) > 2:
            raise torch.OutOfMemoryError
        computed.extend(tuple(texts[i]) for i in batch.texts)
        return real(model, texts, batch)

    monkeypatch.setattr(torch_engine, "_score_batch", small_memory)
    with caplog.at_level(logging.WARNING):
        assert other.score(PROMPTS, COMPLETIONS) == pytest.approx(expected, abs=TOLERANCE)
    assert len(computed) == len(set(computed)) == 5
    assert "Set max_batch_tokens=" in caplog.text


def test_a_single_text_that_does_not_fit_is_an_error_with_ways_out(judge, checkpoint, monkeypatch):
    from ultrarm_eval.engine import torch_engine

    def no_memory(model, texts, batch):
        raise torch.OutOfMemoryError

    other = UltraRMJudge(str(checkpoint))
    other.network.runner = judge.network.loaded()
    monkeypatch.setattr(torch_engine, "_score_batch", no_memory)
    with pytest.raises(
        DeviceError,
        match=r"Completion 0, which starts 'sky': .*single text of \d+ tokens.*smaller max_length",
    ):
        other.score(["q", "q"], ["sky", "sky"])


def test_a_failure_that_no_smaller_batch_cures_ends_with_its_own_words(
    judge, checkpoint, monkeypatch
):
    from ultrarm_eval.engine import torch_engine

    tried = []

    def failing(model, texts, batch):
        tried.append(len(batch.texts))
        raise RuntimeError("could not create a primitive")

    other = UltraRMJudge(str(checkpoint))
    other.network.runner = judge.network.loaded()
    monkeypatch.setattr(torch_engine, "_score_batch", failing)
    said = r"cannot be computed \(RuntimeError: could not create a primitive\).*can mean that memory ran out"
    with pytest.raises(DeviceError, match=f"Completion [0-4], which starts .*{said}"):
        other.score(PROMPTS, COMPLETIONS)
    assert tried[0] == 5
    assert tried[-1] == 1
    assert len(tried) < 10


@pytest.mark.few(4)
@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), True),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
            True,
        ),
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True),
        (RuntimeError("could not create a primitive"), True),
        (RuntimeError("could not create a memory object"), True),
        (
            RuntimeError("could not create a primitive descriptor for the matmul primitive. Run"),
            True,
        ),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling"), True),
        (MemoryError("Unable to allocate 8.00 GiB for an array"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
    ],
)
def test_memory_that_ran_out_is_told_from_other_errors(
    judge, checkpoint, monkeypatch, error, is_memory
):
    from ultrarm_eval.engine import torch_engine

    real, failed = torch_engine._score_batch, []

    def failing_once(runner, texts, batch):
        if not failed:
            failed.append(batch)
            raise error
        return real(runner, texts, batch)

    other = UltraRMJudge(str(checkpoint))
    other.network.runner = judge.network.loaded()
    monkeypatch.setattr(torch_engine, "_score_batch", failing_once)
    if is_memory:
        assert other.score(PROMPTS, COMPLETIONS) == pytest.approx(
            judge.score(PROMPTS, COMPLETIONS), abs=TOLERANCE
        )
    else:
        with pytest.raises(RuntimeError, match="illegal memory access"):
            other.score(PROMPTS, COMPLETIONS)

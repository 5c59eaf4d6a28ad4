"""Sequence classification models against transformers' own classes, one text at a time."""

import json
import logging

import pytest
import torch
from tokenizers import processors
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as CLASSES,
)

from tests.chatml import chatml_tokenizer
from ultrarm_eval.checkpoints.decoder_reward_model import DecoderRewardModel
from ultrarm_eval.errors import CheckpointError, ConfigurationError, MissingTemplateError
from ultrarm_eval.judges.sequence_classification import SequenceClassificationJudge

AUTO = "AutoModelForSequenceClassification"
LONG = "the sky is blue and the question is green " * 3
PROMPTS = [LONG, LONG, LONG, "a word list", [{"role": "user", "content": "one"}]]
COMPLETIONS = ["the answer", "sky blue green " * 9, "the answer two", "", "two words"]
FAMILIES = [
    ("llama", {}),
    ("mistral", {"sliding_window": None}),
    ("mistral", {"sliding_window": 12}),
    ("qwen2", {}),
    ("qwen2", {"use_sliding_window": True, "sliding_window": 12, "max_window_layers": 1}),
    ("qwen3", {}),
    ("gemma2", {"sliding_window": 12, "query_pre_attn_scalar": 8}),
    ("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256}),
]


def judge_of(folder, **settings):
    return SequenceClassificationJudge(str(folder), device="cpu", **settings)


def plain_rewards(folder, prompts, completions):
    """Transformers alone: the chat template, the tokenizer, the model's own class, batch 1."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    # Older transformers run Gemma 2 by sdpa, which leaves out its cap of attention scores.
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        folder, attn_implementation="eager"
    ).eval()
    rewards = []
    for prompt, completion in zip(prompts, completions, strict=True):
        turns = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
        text = tokenizer.apply_chat_template(
            [*turns, {"role": "assistant", "content": completion}], tokenize=False
        )
        ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
        with torch.no_grad():
            rewards.append(model(input_ids=ids).logits.item())
    return rewards


@pytest.mark.product
@pytest.mark.parametrize("batching", ["auto", "padded"])
@pytest.mark.parametrize(("model_type", "values"), FAMILIES)
def test_rewards_are_those_of_transformers_own_class(write_model, model_type, values, batching):
    folder = write_model(AUTO, model_type, num_labels=1, **values)
    judge = judge_of(folder, batching=batching)
    rewards = judge.score(PROMPTS, COMPLETIONS)
    assert rewards == pytest.approx(plain_rewards(folder, PROMPTS, COMPLETIONS), abs=1e-5)
    assert rewards == pytest.approx(judge.score_one_at_a_time(PROMPTS, COMPLETIONS), abs=1e-5)
    gaps = [abs(a - b) for i, a in enumerate(rewards) for b in rewards[:i]]
    assert min(gaps) > 1e-3


@pytest.mark.few(3)
@pytest.mark.parametrize(
    ("model_type", "values", "batching"),
    [(kind, values, "shared" if i in (0, 1, 3, 5) else "padded") for i, (kind, values) in enumerate(FAMILIES)],
)  # fmt: skip
def test_rows_without_padding_are_for_the_families_where_they_are_exact(
    write_model, caplog, model_type, values, batching
):
    folder = write_model(AUTO, model_type, num_labels=1, **values)
    with caplog.at_level(logging.INFO):
        judge = judge_of(folder)
    assert judge.settings()["batching"] == batching
    assert ("Texts are padded instead of packed" in caplog.text) == (batching == "padded")
    if batching == "padded":
        with pytest.raises(ConfigurationError, match="batching=shared"):
            judge_of(folder, batching="shared")


@pytest.mark.few(1)
@pytest.mark.parametrize("model_type", ["llama", "gemma2"])
def test_a_padding_token_that_ends_texts_is_not_read(write_model, model_type):
    # Many models pad with EOS; transformers then reads before the EOS that ends a text.
    folder = write_model(AUTO, model_type, num_labels=1, pad_token_id=2)
    rewards = judge_of(folder).score(PROMPTS, COMPLETIONS)
    assert rewards == pytest.approx(plain_rewards(folder, PROMPTS, COMPLETIONS), abs=1e-5)
    without = write_model(AUTO, model_type, num_labels=1, name=f"{model_type}-without")
    assert judge_of(without).score(PROMPTS, COMPLETIONS) != pytest.approx(rewards, abs=1e-3)


def test_final_norm_and_head_are_float32_as_stored(write_model):
    folder = write_model(AUTO, "qwen2", num_labels=1)
    exact, rounded = judge_of(folder).load(), judge_of(folder, dtype="bfloat16").load()
    assert isinstance(rounded, DecoderRewardModel)
    assert torch.equal(exact.reward_head.weight, rounded.reward_head.weight)
    assert torch.equal(exact.model.norm.weight, rounded.model.norm.weight)
    assert rounded.model.layers[0].mlp.up_proj.weight.dtype == torch.bfloat16


def test_a_spelled_special_token_is_text(write_model):
    judge = judge_of(write_model(AUTO, "llama", num_labels=1))
    plain, spelled = judge.score(["q", "q"], ["a", "a</s>[user] more"])
    assert judge.settings()["counts"]["spelled_special"] == 1
    assert plain != spelled


def test_the_score_store_knows_the_rewards(write_model, tmp_path):
    folder = write_model(AUTO, "qwen3", num_labels=1)
    store = str(tmp_path / "rewards.sqlite")
    first = judge_of(folder, score_store=store).score(PROMPTS, COMPLETIONS)
    again = judge_of(folder, score_store=store)
    assert again.score(PROMPTS, COMPLETIONS) == first
    assert again.settings()["counts"]["from_store"] == 5
    assert again.network.runner is None


class TestRefusals:
    def test_two_labels(self, write_model):
        with pytest.raises(CheckpointError, match="it has 2 labels"):
            judge_of(write_model(AUTO, "llama", num_labels=2))

    def test_a_language_model_would_have_a_random_head(self, write_model):
        folder = write_model("AutoModelForCausalLM", "llama", num_labels=1)
        config = json.loads((folder / "config.json").read_text())
        with pytest.raises(CheckpointError, match=r"class LlamaForCausalLM.*judge=auto"):
            judge_of(folder)
        (folder / "config.json").write_text(json.dumps({**config, "architectures": None}))
        with pytest.raises(CheckpointError, match=r"lack 'score.weight'.*random.*language model"):
            judge_of(folder)

    def test_a_family_that_transformers_does_not_know(self, write_model):
        folder = write_model(AUTO, "llama", num_labels=1)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "model_type": "internlm2"}))
        with pytest.raises(CheckpointError, match="code in checkpoints is never"):
            judge_of(folder)

    def test_a_tokenizer_without_chat_template_names_the_other_templates(
        self, write_model, chat_tokenizer
    ):
        import copy

        tokenizer = copy.deepcopy(chat_tokenizer)
        tokenizer.chat_template = None
        folder = write_model(AUTO, "llama", num_labels=1, tokenizer=tokenizer)
        with pytest.raises(MissingTemplateError) as refused:
            judge_of(folder)
        message = str(refused.value)
        assert message.startswith(f"{folder}: template=chat needs a tokenizer with a chat template")
        assert "raw" in message
        assert message.endswith("It is the default of judge=sequence-classification.")
        with pytest.raises(ConfigurationError, match="has none.*Jinja file.$"):
            judge_of(folder, template="chat")
        judge_of(folder, template="raw")

    def test_no_checkpoint(self):
        with pytest.raises(ConfigurationError, match="pretrained=DIR"):
            SequenceClassificationJudge()


@pytest.mark.skipif(
    "gemma3_text" not in CLASSES, reason="this version of transformers has no such classifier"
)
@pytest.mark.parametrize("closes_texts", [False, True])
def test_rope_that_depends_on_the_longest_text_is_computed_text_by_text(write_model, closes_texts):
    """Gemma 3 has it for one type of layers; a tokenizer that ends texts changes nothing."""
    tokenizer = chatml_tokenizer()
    if closes_texts:
        end = "<|im_end|>"
        tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
            single=f"$A {end}", special_tokens=[(end, tokenizer.eos_token_id)]
        )
    long_rope = {
        "rope_type": "longrope",
        "short_factor": [1.0] * 4,
        "long_factor": [8.0] * 4,
        "factor": 4.0,
        "original_max_position_embeddings": 64,
    }
    rope = {"full_attention": long_rope, "sliding_attention": {"rope_type": "default"}}
    folder = write_model(
        AUTO,
        "gemma3_text",
        tokenizer=tokenizer,
        num_labels=1,
        pad_token_id=256,
        layer_types=["full_attention", "sliding_attention"],
        sliding_window=256,
        rope_parameters={name: {**one, "rope_theta": 1e4} for name, one in rope.items()},
    )
    judge = SequenceClassificationJudge(str(folder), device="cpu", template="chat")
    pairs = [("What?", "Water."), ("What?", "Water, it is known. " * 6)]
    texts = [list(part) for part in zip(*pairs, strict=True)]
    assert judge.score(*texts) == pytest.approx(plain_rewards(folder, *texts), abs=1e-5)

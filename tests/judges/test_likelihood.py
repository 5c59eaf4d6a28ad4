"""Likelihood judges against a plain loop over transformers' own classes."""

import copy
import json
import shutil

import pytest
import torch

from ultrarm_eval import load_judge
from ultrarm_eval.errors import CheckpointError, ConfigurationError, UltrarmEvalError
from ultrarm_eval.judges.dpo import PreferenceJudge
from ultrarm_eval.judges.likelihood import LikelihoodJudge

AUTO = "AutoModelForCausalLM"
PROMPTS = ["the question", "the question", "a word list", None]
COMPLETIONS = ["the answer", "sky blue green " * 9, "", "bare text"]


@pytest.fixture
def model(write_model):
    return write_model(AUTO, "llama")


@pytest.fixture
def reference(write_model):
    return write_model(AUTO, "llama", name="reference", num_hidden_layers=1)


def judge_of(folder, kind=LikelihoodJudge, **settings):
    return kind(str(folder), device="cpu", **settings)


def plain_sums(folder, prompts=PROMPTS, completions=COMPLETIONS):
    """(Summed log-likelihood, number of tokens) of each completion, one text at a time."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    # Older transformers run Gemma 2 by sdpa, which leaves out its cap of attention scores.
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, attn_implementation="eager"
    ).eval()
    found = []
    for prompt, completion in zip(prompts, completions, strict=True):
        if prompt is None:
            ids, start = tokenizer(completion)["input_ids"], 1
        else:
            turn = {"role": "user", "content": prompt}
            answer = {"role": "assistant", "content": completion}
            before, text = (
                tokenizer.apply_chat_template(turns, tokenize=False)
                for turns in ([turn], [turn, answer])
            )
            first, ids = (
                tokenizer(one, add_special_tokens=False)["input_ids"]
                for one in (before + "[assistant] ", text)
            )
            parted = [i for i, (a, b) in enumerate(zip(first, ids, strict=False)) if a != b]
            start = min([*parted, len(first)])
        with torch.no_grad():
            scores = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        terms = [scores[i - 1, ids[i]].item() for i in range(start, len(ids))]
        found.append((sum(terms), len(terms)))
    return found


@pytest.mark.product
@pytest.mark.parametrize("max_batch_tokens", [None, 1])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_rewards_are_those_of_a_plain_loop(model, reduction, max_batch_tokens):
    judge = judge_of(model, reduction=reduction, max_batch_tokens=max_batch_tokens)
    expected = [total / (n if reduction == "mean" else 1) for total, n in plain_sums(model)]
    assert judge.score(PROMPTS, COMPLETIONS) == pytest.approx(expected, abs=1e-5)
    assert judge.score_one_at_a_time(PROMPTS, COMPLETIONS) == pytest.approx(expected, abs=1e-5)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("model_type", "values"),
    [("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256}), ("gemma2", {})],
)
def test_other_families_run_through_their_own_forward(write_model, model_type, values):
    folder = write_model(AUTO, model_type, **values)
    expected = [total for total, _ in plain_sums(folder)]
    rewards = judge_of(folder, reduction="sum").score(PROMPTS, COMPLETIONS)
    assert rewards == pytest.approx(expected, abs=1e-5)


def test_the_completion_begins_where_the_ids_part(model):
    judge = judge_of(model, template="ultrarm")
    encoder = judge._encoder
    (encoded,) = encoder.encode(["the question"], ["answer"])
    start, ids = encoded.tokens.start, encoded.tokens.ids
    text = judge.tokenizer.decode(list(ids[start:]))
    assert text.strip() == "answer"
    assert judge.tokenizer.decode(list(ids[:start])).endswith("Assistant:")


def test_an_empty_completion_is_as_likely_as_ending_at_once(model):
    judge = judge_of(model, template="ultrarm", reduction="sum")
    (encoded,) = judge._encoder.encode(["q"], [""])
    start, ids = encoded.tokens.start, encoded.tokens.ids
    assert (start, int(ids[-1])) == (len(ids) - 1, 2)
    assert judge.score(["q"], [""])[0] < 0


def test_a_text_that_is_too_long_loses_its_beginning_and_not_the_place(model):
    judge = judge_of(model, max_length=20, reduction="sum")
    prompts, completions = ["the sky is blue " * 20, "q"], ["the answer", "one two " * 30]
    for encoded, whole in zip(
        judge._encoder.encode(prompts, completions),
        judge_of(model)._encoder.encode(prompts, completions),
        strict=True,
    ):
        start, ids = encoded.tokens.start, encoded.tokens.ids
        all_start, all_ids = whole.tokens.start, whole.tokens.ids
        assert (len(ids), encoded.truncated) == (20, True)
        assert list(ids[1:]) == list(all_ids[-19:])
        kept = min(len(all_ids) - all_start, 19)
        assert list(ids[start:]) == list(all_ids[-kept:])
    judge.score(prompts, completions)
    assert judge.settings()["counts"]["truncated"] == 2


@pytest.mark.parametrize("beta", [1.0, 0.1])
def test_dpo_rewards_are_differences_of_plain_sums(model, reference, beta):
    judge = judge_of(model, PreferenceJudge, reference=str(reference), beta=beta)
    pairs = zip(plain_sums(model), plain_sums(reference), strict=True)
    expected = [beta * (tuned - base) for (tuned, _), (base, _) in pairs]
    assert judge.score(PROMPTS, COMPLETIONS) == pytest.approx(expected, abs=2e-5)
    assert judge.score_one_at_a_time(PROMPTS, COMPLETIONS) == pytest.approx(expected, abs=2e-5)


def test_a_model_against_itself_has_no_preference(model):
    judge = judge_of(model, PreferenceJudge, reference=str(model))
    assert judge.score(PROMPTS, COMPLETIONS) == [0.0] * 4


@pytest.mark.few(1)
@pytest.mark.parametrize("which", ["policy", "reference", "both"])
def test_an_added_padding_token_changes_no_reward(model, reference, chat_tokenizer, which):
    padded = copy.deepcopy(chat_tokenizer)
    padded.add_special_tokens({"pad_token": "<pad>"})
    expected = judge_of(model, PreferenceJudge, reference=str(reference)).score(
        PROMPTS, COMPLETIONS
    )
    for kind, folder in (("policy", model), ("reference", reference)):
        if which in (kind, "both"):
            padded.save_pretrained(folder)
    judge = judge_of(model, PreferenceJudge, reference=str(reference))
    assert judge.score(PROMPTS, COMPLETIONS) == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_the_store_keeps_each_judges_rewards_apart(model, reference, tmp_path):
    store = {"score_store": str(tmp_path / "rewards.sqlite")}
    for settings in ({}, {"reduction": "sum"}):
        first = judge_of(model, **store, **settings).score(PROMPTS, COMPLETIONS)
        again = judge_of(model, **store, **settings)
        assert again.score(PROMPTS, COMPLETIONS) == first
        assert again.settings()["counts"]["from_store"] == 4
    dpo = judge_of(model, PreferenceJudge, reference=str(reference), **store)
    dpo.score(PROMPTS, COMPLETIONS)
    assert dpo.settings()["counts"]["from_store"] == 0


def test_the_fingerprint_depends_on_all_that_rewards_depend_on(model, reference, tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(reference, copied)
    prints = [
        judge_of(model).fingerprint(),
        judge_of(model, reduction="sum").fingerprint(),
        judge_of(model, PreferenceJudge, reference=str(reference)).fingerprint(),
        judge_of(model, PreferenceJudge, reference=str(reference), beta=0.5).fingerprint(),
        judge_of(model, PreferenceJudge, reference=str(model)).fingerprint(),
    ]
    assert len(set(prints)) == 5
    same = judge_of(model, PreferenceJudge, reference=str(copied)).fingerprint()
    assert same == prints[2]


class TestRefusals:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"reduction": "max"}, "Choose one of: mean, sum"),
            ({"batching": "shared"}, "batching=padded"),
            ({"torch_compile": True}, "no torch_compile"),
            ({"attn_implementation": "torch_varlen"}, "torch_varlen"),
        ],
    )
    def test_settings(self, model, settings, message):
        with pytest.raises(UltrarmEvalError, match=message):
            judge_of(model, **settings)

    def test_dpo_needs_a_reference_and_a_beta(self, model, reference):
        with pytest.raises(ConfigurationError, match="reference=DIR"):
            judge_of(model, PreferenceJudge)
        with pytest.raises(ConfigurationError, match="beta must be a number above 0, not 0"):
            judge_of(model, PreferenceJudge, reference=str(reference), beta=0)

    def test_a_reference_with_another_vocabulary(self, write_model, model, chat_tokenizer):
        other = copy.deepcopy(chat_tokenizer)
        other.add_tokens(["<extra>"])
        folder = write_model(AUTO, "llama", name="other", tokenizer=other)
        with pytest.raises(
            CheckpointError,
            match="vocabulary differs.*'<extra>' has the id 400 in the first and none in the second",
        ):
            judge_of(model, PreferenceJudge, reference=str(folder))

    @pytest.mark.parametrize("which", ["policy", "reference"])
    def test_a_token_at_another_id(self, write_model, chat_tokenizer, which):
        folders = {}
        for kind in ("policy", "reference"):
            tokenizer = copy.deepcopy(chat_tokenizer)
            names = ["<one>", "<two>"] if kind == which else ["<two>", "<one>"]
            tokenizer.add_tokens(names, special_tokens=True)
            folders[kind] = write_model(
                AUTO, "llama", name=kind, tokenizer=tokenizer, vocab_size=420
            )
        with pytest.raises(
            CheckpointError, match=r"vocabulary differs.*<(one|two)>' has the id 40[01] in"
        ):
            judge_of(folders["policy"], PreferenceJudge, reference=str(folders["reference"]))

    def test_a_text_with_a_token_that_the_reference_lacks(self, write_model, chat_tokenizer, model):
        tokenizer = copy.deepcopy(chat_tokenizer)
        tokenizer.add_special_tokens({"additional_special_tokens": ["<|turn|>"]})
        tokenizer.chat_template = chat_tokenizer.chat_template.replace("'['", "'<|turn|>['")
        folder = write_model(AUTO, "llama", name="turns", tokenizer=tokenizer, vocab_size=420)
        wide = write_model(AUTO, "llama", name="wide", vocab_size=420)
        for reference in (wide, model):
            judge = judge_of(folder, PreferenceJudge, reference=str(reference))
            with pytest.raises(UltrarmEvalError, match=r"turn.*reference|vocabulary has 400"):
                judge.score(["q"], ["a"])

    @pytest.mark.parametrize(
        ("model_type", "values"),
        [
            ("bert", {}),
            ("roberta", {}),
            ("llama", {"is_causal": False}),
            ("gemma3_text", {"use_bidirectional_attention": True}),
        ],
    )
    def test_a_model_that_sees_what_follows(self, write_model, model_type, values):
        folder = write_model("AutoModelForCausalLM", model_type, **values)
        for judge in ("likelihood", "critique"):
            with pytest.raises(CheckpointError, match="is bidirectional"):
                load_judge(str(folder), judge=judge, device="cpu")

    def test_an_encoders_decoder_is_a_language_model(self, write_model):
        folder = write_model("AutoModelForCausalLM", "bert", is_decoder=True)
        assert load_judge(str(folder), judge="likelihood", device="cpu").score(["q"], ["the sky"])

    def test_a_reward_model_is_no_language_model(self, checkpoint):
        with pytest.raises(CheckpointError, match="this is a reward model.*judge=ultrarm"):
            judge_of(checkpoint)


def test_without_prompt_and_bos_every_token_of_the_completion_counts(write_model, chat_tokenizer):
    tokenizer = copy.deepcopy(chat_tokenizer)
    tokenizer.add_bos_token = False
    folder = write_model(AUTO, "gpt2", tokenizer=tokenizer, n_embd=32, n_layer=2, n_head=4)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config |= {"add_bos_token": False, "bos_token": None}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    judge = judge_of(folder, template="raw", reduction="sum")
    texts = ["the", "the sky is"]
    encoded = list(judge._encoder.encode([None, None], texts))
    for one, text in zip(encoded, texts, strict=True):
        start, ids = one.tokens.start, one.tokens.ids
        # As lm-eval does: EOS stands where BOS would.
        assert (start, int(ids[0])) == (1, 2)
        expected = judge.tokenizer(text, add_special_tokens=False)["input_ids"]
        assert list(ids[1:]) == list(expected)
    assert len(set(judge.score([None] * 2, texts))) == 2


def test_the_tokens_of_texts_are_counted_and_no_place_and_no_padding(model, reference):
    answers = ["the answer", "sky blue green " * 9]
    for judge in (
        judge_of(model),
        judge_of(model, PreferenceJudge, reference=str(reference)),
    ):
        judge.score(["the question"] * 2, answers)
        tokens = 0
        for answer in answers:
            turns = [{"role": "user", "content": "the question"}]
            turns.append({"role": "assistant", "content": answer})
            text = judge.tokenizer.apply_chat_template(turns, tokenize=False)
            tokens += len(judge.tokenizer(text, add_special_tokens=False)["input_ids"])
        assert judge.settings()["counts"]["computed_tokens"] == tokens

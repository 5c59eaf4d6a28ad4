"""Encoders, as OpenAssistant's DeBERTa reward models, against transformers' own class."""

import pytest
import torch

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.sequence_classification import SequenceClassificationJudge

PROMPTS = ["the question", "the question", "one word list", None]
COMPLETIONS = ["the answer", "sky blue green " * 9, "[SEP] two", "bare text"]
SMALL = {"type_vocab_size": 0, "pad_token_id": 0, "num_labels": 1}


@pytest.fixture(scope="module")
def tokenizer():
    """A tokenizer in DeBERTa's layout: [CLS] prompt [SEP] completion [SEP]."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    trainer = trainers.UnigramTrainer(
        vocab_size=120, special_tokens=special, unk_token="[UNK]", show_progress=False
    )
    backend.train_from_iterator(["the question answer sky blue green one two word list bare text"] * 20, trainer)  # fmt: skip
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        unk_token="[UNK]",
        model_max_length=128,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def plain_rewards(folder, pairs):
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    rewards = []
    for prompt, completion in pairs:
        texts = (completion,) if prompt is None else (prompt, completion)
        with torch.no_grad():
            ids = tokenizer(*texts, return_tensors="pt")["input_ids"]
            rewards.append(model(input_ids=ids).logits.item())
    return rewards


def judge_of(folder, **settings):
    return SequenceClassificationJudge(str(folder), device="cpu", **settings)


@pytest.fixture
def deberta(write_model, tokenizer):
    values = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "pooler_hidden_size": 32}
    return write_model(
        "AutoModelForSequenceClassification", "deberta-v2", tokenizer=tokenizer, **SMALL, **values
    )


def test_a_pair_of_texts_is_read_as_the_tokenizer_writes_it(deberta):
    expected = plain_rewards(deberta, [*zip(PROMPTS, COMPLETIONS, strict=True)])
    # A text that spells a special token is parsed by the plain tokenizer.
    rewards = judge_of(deberta, special_tokens="parse").score(PROMPTS, COMPLETIONS)
    assert rewards == pytest.approx(expected, abs=1e-5)
    as_text = judge_of(deberta).score(PROMPTS, COMPLETIONS)
    kept = [0, 1, 3]
    assert [as_text[i] for i in kept] == pytest.approx([expected[i] for i in kept], abs=1e-5)
    assert as_text[2] != pytest.approx(expected[2], abs=1e-4)


def test_settings_say_how_texts_are_written_and_run(deberta):
    settings = judge_of(deberta).settings()
    assert (settings["template"], settings["batching"], settings["max_length"]) == (
        "pair",
        "padded",
        128,
    )


def test_texts_of_the_plain_templates_are_closed_too(deberta):
    rewards = judge_of(deberta, template="raw").score(PROMPTS[:2], COMPLETIONS[:2])
    expected = plain_rewards(deberta, [(None, text) for text in COMPLETIONS[:2]])
    assert rewards == pytest.approx(expected, abs=1e-5)


def with_types(folder, pairs):
    """Transformers alone: all that the tokenizer gives for each pair, or for a single text."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    rewards = []
    for prompt, completion in pairs:
        # In lists: an empty second text by itself would be taken for none.
        texts = ([completion],) if prompt is None else ([prompt], [completion])
        with torch.no_grad():
            rewards.append(model(**tokenizer(*texts, return_tensors="pt")).logits.item())
    return rewards


@pytest.mark.few(1)
@pytest.mark.parametrize("model_type", ["bert", "electra"])
def test_token_types_are_those_that_the_tokenizer_gives(write_model, tokenizer, model_type):
    values = {**SMALL, "type_vocab_size": 2, "embedding_size": 32}
    folder = write_model(
        "AutoModelForSequenceClassification", model_type, tokenizer=tokenizer, **values
    )
    pairs = [*zip(PROMPTS, COMPLETIONS, strict=True), ("", "the sky"), ("the question", "")]
    expected = with_types(folder, pairs)
    judge = judge_of(folder, special_tokens="parse")
    assert judge.settings()["template"] == "pair"
    rewards = judge.score([p for p, _ in pairs], [c for _, c in pairs])
    assert rewards == pytest.approx(expected, abs=1e-5)
    one = judge_of(folder, special_tokens="parse", max_batch_tokens=1)
    assert one.score(PROMPTS, COMPLETIONS) == pytest.approx(expected[:4], abs=1e-5)
    # The types matter to this model.
    without = plain_rewards(folder, pairs)
    assert min(abs(a - b) for a, b in zip(expected, without, strict=True) if a != b) > 1e-3
    assert sum(a != b for a, b in zip(expected, without, strict=True)) == 5


def test_the_rewards_after_tokens_end_with_the_reward_also_with_token_types(write_model, tokenizer):
    values = {**SMALL, "type_vocab_size": 2}
    folder = write_model(
        "AutoModelForSequenceClassification", "bert", tokenizer=tokenizer, **values
    )
    judge = judge_of(folder)
    for prompt, completion in [("the question", "the sky is blue"), (None, "the sky")]:
        after = judge.rewards_after_tokens(prompt, completion)
        assert after.rewards[-1] == pytest.approx(judge.score([prompt], [completion])[0], abs=1e-5)
        assert len(after.ids) == len(after.rewards)
        written = judge.tokenizer.decode(after.ids[after.completion_start :])
        assert written.replace(" ", "").startswith(completion.replace(" ", ""))
    short = judge_of(folder, max_length=8)
    first = short.score(["the question one two " * 9], ["the sky"])
    assert short.settings()["counts"]["truncated"] == 1
    assert first == short.score(["the answer one two " * 9 + "the question one two"], ["the sky"])


def test_token_types_of_another_make_are_refused(write_model, tokenizer):
    import copy

    from tokenizers import processors

    other = copy.deepcopy(tokenizer)
    other.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:1 $A [SEP]",
        pair="[CLS]:1 $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    folder = write_model(
        "AutoModelForSequenceClassification",
        "bert",
        tokenizer=other,
        **{**SMALL, "type_vocab_size": 2},
    )
    with pytest.raises(ConfigurationError, match="token types"):
        judge_of(folder)


def test_a_tokenizer_without_separator_is_not_advised_to_drop_the_prompt(write_model, tokenizer):
    import copy

    from tokenizers import processors

    other = copy.deepcopy(tokenizer)
    other.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A", pair="$A $B:1", special_tokens=[]
    )
    folder = write_model(
        "AutoModelForSequenceClassification", "deberta-v2", tokenizer=other, **SMALL
    )
    with pytest.raises(ConfigurationError, match="Jinja file that writes prompt and completion"):
        judge_of(folder, template="pair")

"""InternLM2's tokenizer is built without its code, and is sentencepiece's own on texts."""

import io
import json

import pytest
import sentencepiece

from tests.reward_models.published import internlm2_reward
from ultrarm_eval import load_judge
from ultrarm_eval.checkpoints.internlm2_tokenizer import internlm2_tokenizer
from ultrarm_eval.errors import CheckpointError

TEXTS = [
    "What is the answer to this question? It is 56.",
    "two  spaces and   three, and a line\nand one more\n\n",
    "def add(a, b):\n    return a + b",
    "naïve 你好 🙂 Привет",
    " a text that begins with a space",
    "",
]
LINES = [
    "What is the answer to this question?",
    "The answer is that there is none, and that is the answer.",
    "Add two numbers and return what is the sum of them: def add(a, b): return a + b",
    "This is a line of words that come again and again and again.",
] * 8
SPECIAL = {"<|im_end|>": 3, "<|im_start|>": 4}
STATED = {
    "auto_map": {
        "AutoTokenizer": [
            "tokenization_internlm2.InternLM2Tokenizer",
            "tokenization_internlm2_fast.InternLM2TokenizerFast",
        ]
    },
    "added_tokens_decoder": {
        str(number): {"content": token, "special": True}
        for token, number in {"<unk>": 0, "<s>": 1, "</s>": 2, **SPECIAL}.items()
    },
    "bos_token": "<s>",
    "eos_token": "</s>",
    "pad_token": "</s>",
    "unk_token": "<unk>",
    "chat_template": internlm2_reward.TEMPLATE,
}


def trained(path, *, dummy_prefix, kind="bpe"):
    """A small sentencepiece model with InternLM2's first three pieces and bytes."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES),
        model_writer=written,
        model_type=kind,
        vocab_size=344,
        user_defined_symbols=["[UNUSED_TOKEN_145]", "[UNUSED_TOKEN_146]"],
        byte_fallback=True,
        add_dummy_prefix=dummy_prefix,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
        hard_vocab_limit=False,
    )
    path.write_bytes(written.getvalue())
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


@pytest.mark.parametrize("dummy_prefix", [True, False])
def test_ids_are_those_of_sentencepiece(tmp_path, dummy_prefix):
    own = trained(tmp_path / "tokenizer.model", dummy_prefix=dummy_prefix)
    assert own.id_to_piece(4) == "[UNUSED_TOKEN_146]"
    tokenizer = internlm2_tokenizer("it", tmp_path / "tokenizer.model", STATED)
    for text in TEXTS:
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == own.encode(text), text
        assert tokenizer(text)["input_ids"] == [1, *own.encode(text)]
        assert tokenizer.decode(own.encode(text)).strip() == text.strip()


def test_special_tokens_have_the_ids_that_are_stated(tmp_path):
    own = trained(tmp_path / "tokenizer.model", dummy_prefix=False)
    tokenizer = internlm2_tokenizer("it", tmp_path / "tokenizer.model", STATED)
    turn = "<|im_start|>user\nthe answer<|im_end|>\n"
    ids = tokenizer(turn, add_special_tokens=False)["input_ids"]
    text = own.encode("user\nthe answer")
    assert ids == [4, *text, 3, *own.encode("\n")]


def test_an_id_that_has_no_room_is_refused(tmp_path):
    trained(tmp_path / "tokenizer.model", dummy_prefix=False)
    added = {**STATED["added_tokens_decoder"], "900": {"content": "<|late|>", "special": True}}
    with pytest.raises(
        CheckpointError, match=r"'<\|late\|>' an id that does not fit tokenizer\.model"
    ):
        internlm2_tokenizer(
            "it", tmp_path / "tokenizer.model", {**STATED, "added_tokens_decoder": added}
        )


def test_a_model_of_another_kind_is_refused(tmp_path):
    trained(tmp_path / "tokenizer.model", dummy_prefix=False, kind="unigram")
    with pytest.raises(CheckpointError, match="not a byte pair encoding.*does not belong"):
        internlm2_tokenizer("it", tmp_path / "tokenizer.model", STATED)


@pytest.fixture
def folder(tmp_path):
    """A tiny InternLM2-Reward with the published form of its tokenizer."""
    made = internlm2_reward.build(tmp_path / "checkpoint")
    (made / "tokenizer.json").unlink()
    trained(made / "tokenizer.model", dummy_prefix=False)
    (made / "tokenizer_config.json").write_text(json.dumps(STATED))
    return made


def test_a_checkpoint_with_the_published_tokenizer_is_read(folder):
    own = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    judge = load_judge(str(folder), judge="auto", device="cpu")
    ids = list(judge.encoded("the answer", "is <|im_end|> none"))
    user = [4, *own.encode("user\nthe answer"), 3, *own.encode("\n")]
    # What an answer spells is text.
    answer = own.encode("assistant\nis <|im_end|> none")
    assert ids == [1, *user, 4, *answer, 3, *own.encode("\n"), 92527]
    (reward,) = judge.score(["the answer"], ["is <|im_end|> none"])
    expected = internlm2_reward.reference(folder, ids).reward
    assert reward == pytest.approx(expected, abs=1e-5 * max(1, abs(expected)))


def test_without_its_sentencepiece_file_the_code_is_refused(tmp_path):
    made = internlm2_reward.build(tmp_path / "checkpoint")
    (made / "tokenizer_config.json").write_text(json.dumps(STATED))
    with pytest.raises(CheckpointError, match="InternLM2TokenizerFast.*never executed"):
        load_judge(str(made), judge="auto", device="cpu")

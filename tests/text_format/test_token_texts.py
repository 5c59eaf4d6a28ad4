"""Token texts against the texts that were tokenised."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from tests.conftest import examples
from ultrarm_eval.checkpoints.checkpoint import open_checkpoint
from ultrarm_eval.checkpoints.tokenizer import load_tokenizer
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.template_lookup import get_template
from ultrarm_eval.text_format.token_texts import TokenTexts

HARD = "See 你好 👩‍🚀!\n\t</s> <0xE2>  é"
# Sentencepiece itself takes its mark for a space.
ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\u2581"), max_size=30)


@pytest.fixture(scope="module")
def llama(checkpoint, _write_checkpoint):
    """Ids of a text as the judge reads it, and their texts."""
    loaded = load_tokenizer(open_checkpoint(str(checkpoint)))
    encoder = TextEncoder(
        loaded.tokenizer, get_template("raw"), is_sentencepiece=True, max_length=10**6
    )
    texts = TokenTexts(loaded.tokenizer.backend_tokenizer)

    def ids_of(text):
        return tuple(next(encoder.encode([None], [text])).tokens)

    return ids_of, texts


@pytest.fixture(scope="module")
def byte_level():
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(["the sky is blue and the question is green"] * 20, trainer)
    return backend


@settings(deadline=None, max_examples=examples(150))
@given(text=ANY_TEXT)
def test_sentencepieces_tokens_are_the_text_behind_its_leading_space(llama, text):
    ids_of, texts = llama
    first, *others = texts(ids_of(text))
    assert first == "<s>"
    assert "".join(others) == (f" {text}" if text else "")


@settings(deadline=None, max_examples=examples(150))
@given(text=ANY_TEXT)
def test_byte_level_tokens_are_the_text(byte_level, text):
    ids = byte_level.encode(text).ids
    assert "".join(TokenTexts(byte_level)(ids)) == text


@pytest.mark.parametrize("kind", ["llama", "byte_level"])
def test_a_character_stands_at_the_token_of_its_last_byte(request, kind):
    made = request.getfixturevalue(kind)
    if kind == "llama":
        ids, texts = made[0]("a😀b"), made[1]
        assert texts(ids) == ("<s>", " a", "", "", "", "😀", "b")
    else:
        ids, texts = made.encode("a😀b").ids, TokenTexts(made)
        assert texts(ids) == ("a", "", "", "", "😀", "b")


def test_bytes_of_no_whole_character_are_spelled_out(llama):
    ids_of, texts = llama
    ids = ids_of("a😀b")
    assert texts(ids[:4]) == ("<s>", " a", "<0xF0>", "<0x9F>")
    # Cut on the left in the middle of a character.
    assert texts(ids[4:]) == ("<0x98>", "<0x80>", "b")
    assert texts([*ids[:3], 2, *ids[3:6]]) == (
        "<s>", " a", "<0xF0>", "</s>", "<0x9F>", "<0x98>", "<0x80>",
    )  # fmt: skip


def test_control_tokens_stand_by_name_and_spelled_ones_are_text(llama, byte_level):
    ids_of, texts = llama
    ids = ids_of("x </s>")
    assert 2 not in ids
    assert "".join(texts([*ids, 2])) == "<s> x </s></s>"
    assert texts([2]) == ("</s>",)
    end = byte_level.token_to_id("<|end|>")
    assert TokenTexts(byte_level)([end, *byte_level.encode(" a").ids])[0] == "<|end|>"


def test_hard_texts_come_back(llama, byte_level):
    ids_of, texts = llama
    assert "".join(texts(ids_of(HARD))) == f"<s> {HARD}"
    assert "".join(TokenTexts(byte_level)(byte_level.encode(HARD).ids)) == HARD


def test_a_byte_that_a_text_spells_is_text_where_there_are_no_bytes():
    backend = Tokenizer(models.WordLevel({"<0x41>": 0, "▁a": 1}, unk_token="<0x41>"))
    assert TokenTexts(backend)([0, 1]) == ("<0x41>", "▁a")


def test_wordpieces_are_joined():
    vocabulary = {"[UNK]": 0, "play": 1, "##ing": 2, "now": 3}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.decoder = decoders.WordPiece()
    backend.add_special_tokens(["[UNK]"])
    ids = backend.encode("playing now 你").ids
    assert TokenTexts(backend)(ids) == (" play", "ing", " now", "[UNK]")


def test_marked_spaces_are_spaces_whichever_step_marks_them():
    vocabulary = {"▁": 0, "▁a": 1, "b": 2}
    by_steps = []
    for normalizer, pre_tokenizer in (
        (normalizers.Replace(" ", "▁"), None),
        (None, pre_tokenizers.Metaspace()),
    ):
        backend = Tokenizer(models.WordLevel(vocabulary, unk_token="▁"))
        if normalizer is not None:
            backend.normalizer = normalizer
        if pre_tokenizer is not None:
            backend.pre_tokenizer = pre_tokenizer
        by_steps.append(TokenTexts(backend)([1, 2, 0]))
    assert by_steps == [(" a", "b", " ")] * 2


def test_an_id_that_the_tokenizer_does_not_know_is_a_number(byte_level):
    assert TokenTexts(byte_level)([70000]) == ("<70000>",)

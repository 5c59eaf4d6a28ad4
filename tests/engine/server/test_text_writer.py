"""Ids as texts: the same ids come back, or the reason says why they cannot."""

import pytest
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from ultrarm_eval.checkpoints.checkpoint import open_checkpoint
from ultrarm_eval.checkpoints.tokenizer import load_tokenizer
from ultrarm_eval.engine.server.text_writer import NoSuchTextError, TextWriter


@pytest.fixture(scope="module")
def tokenizer(checkpoint):
    return load_tokenizer(open_checkpoint(str(checkpoint))).tokenizer


@pytest.fixture(scope="module")
def writer(tokenizer):
    return TextWriter(tokenizer)


def test_every_text_that_is_tokenised_comes_back(writer):
    @settings(deadline=None, max_examples=examples(50))
    @given(st.text(max_size=40))
    def check(text):
        ids = writer.ids(text)
        assert writer.ids(writer.write(ids)) == ids

    check()


def test_a_bos_that_is_missing_is_named(writer):
    with pytest.raises(
        NoSuchTextError, match="add '<s>' before every text, but this text does not begin with it"
    ):
        writer.write(writer.ids("the sky is blue")[1:])


@pytest.mark.skipif(
    transformers.__version__.startswith("4."),
    reason="transformers 4 puts a space behind the control tokens of a text, and it is refused",
)
def test_a_second_bos_is_spelled(writer):
    ids = writer.ids("<s> the sky")
    assert ids[:2] == [ids[0]] * 2
    assert writer.ids(writer.write(ids)) == ids


def test_letters_of_a_control_token_are_named(writer, tokenizer):
    letters = [tokenizer.convert_tokens_to_ids(one) for one in ("</", "s", "<0x3E>")]
    spelled = [*writer.ids("the sky"), *letters]
    assert tokenizer.unk_token_id not in spelled
    with pytest.raises(NoSuchTextError, match="contains the text '</s>', which servers parse"):
        writer.write(spelled)


def test_a_text_cut_within_a_character_is_named(writer):
    ids = writer.ids("the 🙂")
    with pytest.raises(NoSuchTextError, match="from token .* on"):
        writer.write(ids[:-1])

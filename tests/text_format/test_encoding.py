import json
from types import SimpleNamespace

import pytest
import sentencepiece
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tests.chatml import chatml_tokenizer
from ultrarm_eval.checkpoints.checkpoint import open_checkpoint
from ultrarm_eval.checkpoints.tokenizer import load_tokenizer
from ultrarm_eval.errors import ConfigurationError, ScoringError
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.template import Template
from ultrarm_eval.text_format.template_lookup import get_template

BOS, EOS, UNK = 1, 2, 0
CHAT = (
    "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}"
)


@pytest.fixture(scope="module")
def loaded(checkpoint):
    return load_tokenizer(open_checkpoint(str(checkpoint)))


@pytest.fixture(scope="module")
def pieces(sentencepiece_model):
    return sentencepiece.SentencePieceProcessor(str(sentencepiece_model))


@pytest.fixture(scope="module")
def encode(loaded):
    def encode_one(prompt, completion, template="raw", **options):
        encoder = TextEncoder(
            loaded.tokenizer,
            get_template(template, loaded.tokenizer),
            is_sentencepiece=loaded.is_sentencepiece,
            **{"max_length": 256, **options},
        )
        return next(encoder.encode([prompt], [completion]))

    return encode_one


TRICKY = st.lists(
    st.one_of(
        st.sampled_from([" ", "\n", "</s>", "<s>", "<unk>", "Human: ", "the", "<", "s>", "\t"]),
        st.text(max_size=5),
    ),
    max_size=12,
).map("".join)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=TRICKY)
def test_ids_are_those_of_sentencepiece_behind_one_bos(encode, pieces, text):
    assert list(encode(None, text).tokens) == [BOS, *pieces.encode(text)][:256]


@pytest.mark.slow
def test_real_texts_have_the_ids_of_sentencepiece(encode, pieces, real_pairs):
    with real_pairs.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines][:200]
    for row in rows:
        text = row["chosen"][-1]["content"]
        expected = [BOS, *pieces.encode(text)]
        assert list(encode(None, text, max_length=10**6).tokens) == expected


@pytest.mark.parametrize("literal", ["</s>", "<s>", "<unk>"])
def test_a_spelled_special_token_stays_text_and_is_counted(encode, literal):
    encoded = encode(f"see {literal} here", f"{literal} and {literal}", "ultrarm")
    assert encoded.spells_special_tokens
    assert set(list(encoded.tokens)[1:]).isdisjoint({BOS, EOS, UNK})
    assert not encode("see s here", "and s", "ultrarm").spells_special_tokens


def test_parse_makes_control_tokens_of_them_as_the_tutorial_does(encode):
    assert EOS in encode(None, "one </s> two", special_tokens="parse").tokens


def test_rewardbench_appends_one_eos(encode):
    ids = list(encode("the question", "the answer", "rewardbench").tokens)
    assert ids[-1] == EOS
    assert EOS not in ids[:-1]


class TestChatTemplate:
    @pytest.fixture
    def encode_chat(self, loaded):
        def encode_one(prompt, completion, **options):
            loaded.tokenizer.chat_template = CHAT
            try:
                template = get_template("chat", loaded.tokenizer)
                encoder = TextEncoder(
                    loaded.tokenizer, template, is_sentencepiece=True, max_length=256, **options
                )
                return tuple(next(encoder.encode([prompt], [completion])).tokens)
            finally:
                loaded.tokenizer.chat_template = None

        return encode_one

    def test_its_own_special_tokens_are_parsed_and_those_in_contents_are_not(self, encode_chat):
        ids = encode_chat("a </s> b <s>", "c </s>")
        assert ids.count(EOS) == 2
        assert ids.count(BOS) == 1
        assert ids[0] == BOS
        assert ids[-1] == EOS

    def test_without_special_tokens_in_contents_it_is_what_the_tokenizer_does(
        self, encode_chat, loaded
    ):
        text = "<s>[user]the question</s>[assistant]the answer</s>"
        expected = loaded.tokenizer(text, add_special_tokens=False).input_ids
        assert list(encode_chat("the question", "the answer")) == expected


def test_over_long_text_loses_its_left_and_keeps_bos(encode, pieces):
    text = "the sky is blue " * 30
    encoded = encode(None, text, max_length=20)
    assert encoded.truncated
    assert list(encoded.tokens) == [BOS, *pieces.encode(text)[-19:]]


def test_truncation_keeps_an_appended_eos(encode):
    encoded = encode("the sky " * 40, "the answer", "rewardbench", max_length=16)
    assert len(encoded.tokens) == 16
    assert [*encoded.tokens.ids[[0, -1]]] == [BOS, EOS]


def test_truncation_is_the_tokenizers_own_left_truncation(encode, loaded):
    text = "the sky is blue and the grass green " * 20
    loaded.tokenizer.truncation_side = "left"
    expected = loaded.tokenizer(text, truncation=True, max_length=33).input_ids
    assert list(encode(None, text, max_length=33, special_tokens="parse").tokens) == expected


def test_the_empty_text_is_bos_alone(encode):
    assert list(encode(None, "").tokens) == [BOS]


def test_ids_beyond_the_models_vocabulary_are_refused(encode):
    highest = max(encode(None, "the sky").tokens)
    encode(None, "the sky", vocabulary_size=highest + 1)
    with pytest.raises(ScoringError, match="do not belong together"):
        encode(None, "the sky", vocabulary_size=highest)


def test_merges_that_would_spell_a_special_token_are_undone(loaded):
    description = json.loads(loaded.tokenizer.backend_tokenizer.to_str())
    vocabulary = description["model"]["vocab"]
    for piece in ("<", "/", "s", ">", "</", "s>"):
        vocabulary.setdefault(piece, len(vocabulary))
    description["model"]["merges"] = [["<", "/"], ["s", ">"], ["</", "s>"]]
    backend = Tokenizer.from_str(json.dumps(description))
    tokenizer = SimpleNamespace(is_fast=True, backend_tokenizer=backend, eos_token_id=EOS)
    encoder = TextEncoder(tokenizer, get_template("raw"), max_length=99)
    assert EOS in backend.encode("</s>", add_special_tokens=False).ids
    (encoded,) = encoder.encode([None], ["</s>"])
    assert [vocabulary["</"], vocabulary["s>"]] == list(encoded.tokens)[-2:]


def test_a_chat_template_that_writes_bos_twice_keeps_one(loaded):
    loaded.tokenizer.chat_template = "{{ bos_token }}" + CHAT
    try:
        template = get_template("chat", loaded.tokenizer)
        encoder = TextEncoder(loaded.tokenizer, template, max_length=256, is_sentencepiece=True)
        (encoded,) = encoder.encode(["q"], ["a"])
    finally:
        loaded.tokenizer.chat_template = None
    assert list(encoded.tokens)[:2].count(BOS) == 1


def test_a_chat_template_that_fails_names_the_completion(loaded):
    loaded.tokenizer.chat_template = (
        "{% if messages | length > 2 %}{{ raise_exception('only two turns') }}{% endif %}"
        "{{ messages[-1].content }}"
    )
    try:
        encoder = TextEncoder(
            loaded.tokenizer, get_template("chat", loaded.tokenizer), max_length=256
        )
        turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
        with pytest.raises(ScoringError, match="Completion 1: .*only two turns"):
            list(encoder.encode(["q", [*turns, turns[0]]], ["x", "y"]))
    finally:
        loaded.tokenizer.chat_template = None


def test_what_the_raw_template_ignores_is_not_counted(encode):
    assert not encode("a </s>", "b", "raw").spells_special_tokens


def test_a_completion_that_is_no_text_is_refused_with_its_position(encode):
    with pytest.raises(ScoringError, match="Completion 0 is of type NoneType"):
        encode("q", None)


def test_unknown_special_tokens_names_the_choices(encode):
    with pytest.raises(ConfigurationError, match="Choose one of: parse, text"):
        encode("q", "a", special_tokens="txt")


@pytest.fixture(scope="module")
def glm_tokenizer():
    """A tokenizer that puts two tokens before every text, as GLM-4's does."""
    from tokenizers import processors

    tokenizer = chatml_tokenizer(
        "[gMASK]<sop>{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{% endfor %}"
    )
    backend = tokenizer.backend_tokenizer
    backend.add_special_tokens(["[gMASK]", "<sop>", "<|user|>", "<|assistant|>"])
    opening = [(token, backend.token_to_id(token)) for token in ("[gMASK]", "<sop>")]
    backend.post_processor = processors.TemplateProcessing(
        single="[gMASK] <sop> $A", special_tokens=opening
    )
    return tokenizer


@pytest.mark.parametrize("special_tokens", ["text", "parse"])
@pytest.mark.parametrize("template", ["raw", "ultrarm", "chat"])
def test_a_text_begins_with_all_tokens_that_the_tokenizer_puts_there(
    glm_tokenizer, template, special_tokens
):
    written = get_template(template, glm_tokenizer)
    turns = [{"role": "user", "content": "Name a river."}]
    own = glm_tokenizer(
        written.render(turns, "The Elbe."), add_special_tokens=template != "chat"
    ).input_ids
    opening = glm_tokenizer.convert_tokens_to_ids(["[gMASK]", "<sop>"])
    assert own[:2] == opening
    assert own.count(opening[0]) == 1

    def ids(max_length):
        encoder = TextEncoder(
            glm_tokenizer, written, max_length=max_length, special_tokens=special_tokens
        )
        return list(next(encoder.encode(["Name a river."], ["The Elbe."])).tokens)

    assert ids(256) == own
    assert ids(len(own)) == own
    assert ids(7) == [*opening, *own[-5:]]
    with pytest.raises(ConfigurationError, match="max_length=2 leaves no room"):
        ids(2)


@pytest.mark.parametrize("special_tokens", ["text", "parse"])
def test_a_template_that_writes_the_first_of_them_decides_which_it_writes(
    glm_tokenizer, special_tokens
):
    template = Template(
        "own",
        lambda messages, completion: f"[gMASK]{messages[0]['content']}{completion}",
        writes_special_tokens=True,
    )
    encoder = TextEncoder(glm_tokenizer, template, max_length=6, special_tokens=special_tokens)
    first = glm_tokenizer.convert_tokens_to_ids("[gMASK]")
    plain = glm_tokenizer("A river? The Elbe.", add_special_tokens=False).input_ids
    assert len(plain) > 6
    (encoded,) = encoder.encode(["A river? "], ["The Elbe."])
    assert list(encoded.tokens) == [first, *plain[-5:]]


def test_a_text_ends_with_all_tokens_that_the_tokenizer_puts_there():
    """As XLNet's does, which is read at the second of them."""
    from tokenizers import processors

    tokenizer = chatml_tokenizer()
    backend = tokenizer.backend_tokenizer
    backend.add_special_tokens(["<sep>", "<cls>"])
    closing = [(token, backend.token_to_id(token)) for token in ("<sep>", "<cls>")]
    backend.post_processor = processors.TemplateProcessing(
        single="$A <sep> <cls>", special_tokens=closing
    )
    own = tokenizer("The Elbe.").input_ids
    for special_tokens in ("text", "parse"):
        encoder = TextEncoder(
            tokenizer,
            get_template("raw"),
            max_length=256,
            closes_texts=True,
            special_tokens=special_tokens,
        )
        assert list(next(encoder.encode([None], ["The Elbe."])).tokens) == own
        encoder.max_length = 5
        assert list(next(encoder.encode([None], ["The Elbe."])).tokens) == own[-5:]
        with pytest.raises(ConfigurationError, match="max_length=3 leaves no room"):
            TextEncoder(
                tokenizer,
                get_template("raw"),
                max_length=3,
                closes_texts=True,
                special_tokens=special_tokens,
            )

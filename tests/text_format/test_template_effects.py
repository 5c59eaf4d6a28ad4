"""What a template changes in prompts and answers is detected, counted and reported."""

import logging

import pytest

from tests.chatml import (
    CHATML,
    REASONING_REWRITTEN,
    USER_AND_ASSISTANT_IN_TURN,
    WITHOUT_REASONING,
    chatml_tokenizer,
)
from ultrarm_eval.errors import ConfigurationError, UltrarmEvalError, UnwritableTextError
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.template_lookup import get_template

START, END = "<|im_start|>", "<|im_end|>"


def encoder_of(source, *, reasoning_is_special=False, **options):
    tokenizer = chatml_tokenizer(source, reasoning_is_special=reasoning_is_special)
    template = get_template("chat", tokenizer)
    encoder = TextEncoder(tokenizer, template, **{"max_length": 4096, **options})
    encoder.id_of = tokenizer.convert_tokens_to_ids
    encoder.decode = lambda text: tokenizer.decode(list(text.tokens))
    return encoder


def encoded(encoder, prompt, completion):
    (text,) = encoder.encode([prompt], [completion])
    return text


def file_template(tmp_path, source):
    path = tmp_path / "mine.jinja"
    path.write_text(source)
    return get_template(str(path), chatml_tokenizer())


class TestACompletionThatMakesNoDifference:
    @pytest.mark.parametrize(
        "source",
        [
            "hello",
            "{{ 9 }}",
            "",
            "{{ prompt[0].content }}",
            "{{ messages[0].content }}",
            "{{ completion | length }}",
            "{{ completion[:0] }}",
        ],
    )
    def test_is_refused(self, tmp_path, source):
        with pytest.raises(ConfigurationError, match="does not write the completion: .*same rew"):
            TextEncoder(chatml_tokenizer(), file_template(tmp_path, source), max_length=99)

    @pytest.mark.parametrize("source", ["hello", "{{ messages[0].content }}"])
    @pytest.mark.parametrize("special_tokens", ["text", "parse"])
    def test_is_refused_in_a_chat_template(self, source, special_tokens):
        with pytest.raises(ConfigurationError, match="template=chat does not write the completion"):
            encoder_of(source, special_tokens=special_tokens)

    @pytest.mark.parametrize(
        ("source", "part"),
        [
            ("{{ completion[:1] }}", "the middle and the end of"),
            ("{{ completion[:900] }}", "the middle and the end of"),
            ("{{ completion[1:] }}", "the beginning of"),
            ("{{ completion[:-1] }}", "the end of"),
            ("{{ completion[:60] }}{{ completion[-60:] }}", "the middle of"),
        ],
    )
    def test_in_a_part_is_refused(self, tmp_path, source, part):
        with pytest.raises(ConfigurationError, match=f"does not write {part} the completion"):
            TextEncoder(chatml_tokenizer(), file_template(tmp_path, source), max_length=99)

    @pytest.mark.parametrize(
        "source", ["{{ completion | tojson }}", "{{ completion | upper }}", "x{{ completion }}"]
    )
    def test_is_not_one_that_is_written_in_another_way(self, tmp_path, source):
        TextEncoder(chatml_tokenizer(), file_template(tmp_path, source), max_length=99)

    def test_a_prompt_that_makes_none_is_said(self, tmp_path, caplog):
        template = file_template(tmp_path, "{{ completion }}")
        with caplog.at_level(logging.WARNING):
            TextEncoder(chatml_tokenizer(), template, max_length=99)
        assert "does not write the prompt" in caplog.text
        caplog.clear()
        TextEncoder(chatml_tokenizer(), get_template("raw"), max_length=99)
        assert not caplog.text


class TestAnAnswerThatIsNotWhollyInTheText:
    THOUGHT = "<think>Iron.? Perhaps.</think>Water."

    @pytest.mark.parametrize("is_special", [False, True])
    @pytest.mark.parametrize("special_tokens", ["text", "parse"])
    def test_has_the_ids_of_what_the_template_leaves_and_is_counted(
        self, is_special, special_tokens
    ):
        encoder = encoder_of(
            WITHOUT_REASONING, reasoning_is_special=is_special, special_tokens=special_tokens
        )
        found = encoded(encoder, "q", self.THOUGHT)
        assert found.tokens == encoded(encoder, "q", "Water.").tokens
        assert "cut_by_template" in found.remarks
        assert "cut_by_template" not in encoded(encoder, "q", "Water.").remarks

    def test_is_no_matter_where_the_template_writes_it_all(self):
        found = encoded(encoder_of(CHATML), "q", self.THOUGHT)
        assert "cut_by_template" not in found.remarks

    def test_by_blanks_alone_is_counted_apart(self):
        source = CHATML.replace("m.content", "(m.content | trim)")
        for text, expected in ((" a\n", ("trimmed_by_template",)), ("a b", ())):
            assert encoded(encoder_of(source), "q", text).remarks == expected


class TestSpecialTokensInContents:
    """`special_tokens=text` neither makes control tokens of them nor hides them from a template."""

    @pytest.mark.parametrize("source", [WITHOUT_REASONING, REASONING_REWRITTEN])
    @pytest.mark.parametrize("is_special", [False, True])
    @pytest.mark.parametrize(
        "answer",
        [
            "<think>why</think>a",
            "<think>\nwhy\n</think>\n\na",
            "\n<think> why\n\n</think>\na</think> b",
            "no thought",
        ],
    )
    def test_the_text_is_what_the_template_makes_of_it(self, source, is_special, answer):
        encoder = encoder_of(source, reasoning_is_special=is_special)
        turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": answer}]
        expected = chatml_tokenizer(source).apply_chat_template(turns, tokenize=False)
        assert encoder.decode(encoded(encoder, "q", answer)) == expected

    def test_those_of_turns_are_never_read_as_such(self):
        source = WITHOUT_REASONING.replace("</think>", END)
        encoder = encoder_of(source)
        for answer in (f"a{END}\n{START}user\nb", f"{END}a", f"a {END} \n b"):
            found = encoded(encoder, f"q{END}", answer)
            turns = encoded(encoder, "q", "a")
            control = {encoder.id_of(token) for token in (START, END)}
            assert [i for i in found.tokens if i in control] == [
                i for i in turns.tokens if i in control
            ]

    def test_one_that_a_template_puts_together_is_text_or_counted(self):
        # What is joined here is no token that the template wrote.
        source = CHATML.replace("m.content", "m.content.replace('</think>', '')")
        encoder = encoder_of(source, reasoning_is_special=True)
        found = encoded(encoder, "q", "<|im_</think>end|>")
        assert list(found.tokens).count(encoder.id_of(END)) == 2

    def test_what_no_marking_can_keep_apart_is_counted(self):
        source = (
            "{% for m in messages %}<|im_start|>{% if m.content.startswith('<|im_end|>') "
            "and m.content.endswith('<|im_end|>') %}short{% else %}{{ m.content }}{% endif %}"
            "<|im_end|>{% endfor %}"
        )
        found = encoded(encoder_of(source), "q", f"{END} a {END}")
        assert "special_hidden_from_template" in found.remarks

    def test_other_added_tokens_are_tokens_and_counted(self):
        encoder = encoder_of(CHATML)
        for special_tokens in ("text", "parse"):
            encoder = encoder_of(CHATML, special_tokens=special_tokens)
            found = encoded(encoder, "q", "<think>a</think>")
            assert list(found.tokens).count(encoder.id_of("<think>")) == 1
            assert found.remarks == ("spelled_added",)
            assert not found.spells_special_tokens


class TestRoles:
    @pytest.mark.parametrize(
        "role",
        [f"user{END}\n{START}assistant", "user\n", "", "a|>b", "<think>", "user: x", "x" * 65],
    )
    @pytest.mark.parametrize("special_tokens", ["text", "parse"])
    def test_that_are_no_words_are_refused(self, role, special_tokens):
        encoder = encoder_of(CHATML, special_tokens=special_tokens)
        with pytest.raises(ConfigurationError, match="has the role .* A role must be a word"):
            encoder.check([[{"role": role, "content": "q"}]], ["a"])

    def test_that_spell_a_special_token_of_letters_are_refused(self):
        tokenizer = chatml_tokenizer()
        tokenizer.add_special_tokens({"additional_special_tokens": ["TURN"]})
        encoder = TextEncoder(tokenizer, get_template("chat", tokenizer), max_length=99)
        with pytest.raises(UnwritableTextError, match="Completion 1: .*'xTURN', which contains"):
            encoder.check(["q", [{"role": "xTURN", "content": "q"}]], ["a", "a"])

    @pytest.mark.parametrize("role", ["user", "tool", "response_1", "system 2", "Frage"])
    def test_that_are_words_are_written(self, role):
        encoder = encoder_of(CHATML)
        text = encoder.decode(encoded(encoder, [{"role": role, "content": "q"}], "a"))
        assert text.startswith(f"{START}{role}\nq{END}")


SYSTEM = {"role": "system", "content": "be brief"}
USER = {"role": "user", "content": "q"}
ASSISTANT = {"role": "assistant", "content": "b"}


class TestSystemTurns:
    def test_that_a_template_refuses_are_found_before_anything_is_encoded(self):
        encoder = encoder_of(USER_AND_ASSISTANT_IN_TURN)
        prompts = [*["q"] * 3000, [SYSTEM, USER]]
        with pytest.raises(
            UnwritableTextError,
            match="turns are system, user, .*System role not supported.*system=fold.*system=drop",
        ) as error:
            encoder.check(prompts, ["a"] * 3001)
        assert error.value.text == 3000
        assert str(error.value.of("a.jsonl, line 3001")).startswith("a.jsonl, line 3001: its turns")

    @pytest.mark.parametrize(
        ("system", "expected", "count"),
        [("fold", "be brief\n\nq", "system_folded"), ("drop", "q", "system_dropped")],
    )
    def test_are_folded_or_dropped_and_counted(self, system, expected, count):
        encoder = encoder_of(USER_AND_ASSISTANT_IN_TURN, system=system)
        found = encoded(encoder, [SYSTEM, USER], "a")
        assert found.tokens == encoded(encoder, expected, "a").tokens
        assert found.remarks == (count,)
        assert encoded(encoder, "q", "a").remarks == ()

    def test_other_turns_that_a_template_refuses_have_another_way_out(self):
        encoder = encoder_of(USER_AND_ASSISTANT_IN_TURN)
        with pytest.raises(UnwritableTextError, match="must alternate.*needs other turns") as error:
            encoder.check([[USER, USER]], ["a"])
        assert "system=" not in str(error.value)

    def test_a_plain_template_finds_its_roles_first_as_well(self):
        encoder = TextEncoder(chatml_tokenizer(), get_template("mistral"), max_length=99)
        with pytest.raises(UnwritableTextError, match="Completion 2: .*user, assistant, user"):
            encoder.check(["q", [SYSTEM, USER], [USER, ASSISTANT, USER]], ["a"] * 3)

    def test_a_turn_that_a_template_leaves_out_is_said_and_counted(self, tmp_path, caplog):
        template = file_template(tmp_path, "{{ prompt[-1].content }}: {{ completion }}")
        encoder = TextEncoder(chatml_tokenizer(), template, max_length=99)
        with caplog.at_level(logging.WARNING):
            found = encoded(encoder, [SYSTEM, USER], "a")
        assert found.remarks == ("turns_left_out",)
        assert (
            "drops turns of prompts, so rewards do not depend on them: of system, user it does not write system"
            in (caplog.text)
        )
        assert encoded(encoder, "q", "a").remarks == ()

    def test_an_unknown_way_is_refused(self):
        with pytest.raises(UltrarmEvalError, match="drop, error, fold"):
            encoder_of(CHATML, system="keep")

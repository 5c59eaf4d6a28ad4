"""Where the completion begins, in texts whose tokens are known."""

import copy
import json

import pytest
from tokenizers import Tokenizer

from ultrarm_eval.checkpoints.checkpoint import open_checkpoint
from ultrarm_eval.checkpoints.tokenizer import load_tokenizer
from ultrarm_eval.errors import ConfigurationError, ScoringError
from ultrarm_eval.text_format.encoder import TextEncoder
from ultrarm_eval.text_format.template_lookup import get_template
from ultrarm_eval.text_format.token_texts import TokenTexts

CHAT = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '[' + m['role'] + '] ' + m['content'] + eos_token }}{% endfor %}"
)


@pytest.fixture(scope="module")
def loaded(checkpoint, _write_checkpoint):
    return load_tokenizer(open_checkpoint(str(checkpoint)))


@pytest.fixture
def place(loaded):
    """(Texts of the tokens before the completion, and of the others, whether it was cut)."""

    def place_one(prompt, completion, template="ultrarm", tokenizer=None, **options):
        tokenizer = copy.deepcopy(loaded.tokenizer) if tokenizer is None else tokenizer
        tokenizer.chat_template = CHAT
        encoder = TextEncoder(
            tokenizer,
            get_template(template, tokenizer),
            **{"max_length": 256, "is_sentencepiece": True, **options},
        )
        text, start = encoder.place(prompt, completion)
        assert text == next(encoder.encode([prompt], [completion]))
        tokens = TokenTexts(tokenizer.backend_tokenizer)(list(text.tokens))
        before, behind = tokens[:start], tokens[start:]
        return "".join(before), "".join(behind), text.truncated

    return place_one


@pytest.mark.parametrize(
    ("completion", "before", "behind"),
    [
        ("the answer", ":", " the answer"),
        ("你", ": ", "你"),
        (" the answer", ": ", " the answer"),
        ("\n</s> x", ": ", "\n</s> x"),
        ("", ": ", ""),
    ],
)
def test_the_completion_begins_where_ids_part_from_those_before_it(
    place, completion, before, behind
):
    found = place("the question", completion)
    assert found == (f"<s> Human: the question\n\nAssistant{before}", behind, False)


@pytest.mark.parametrize(
    ("template", "completion", "behind"),
    [
        ("rewardbench", "the answer", " the answer\n\n</s>"),
        ("rewardbench", "", "</s>"),
        ("chat", "the answer", " the answer</s>"),
        ("chat", "", "</s>"),
    ],
)
def test_what_the_template_writes_behind_it_counts_with_it(place, template, completion, behind):
    assert place("one", completion, template)[1] == behind


def without_spaces(text):
    # Behind a control token tokenizers read a space with transformers 4 and none with 5.
    return text.replace(" ", "")


@pytest.mark.parametrize("special_tokens", ["text", "parse"])
def test_a_text_may_spell_the_templates_own_tokens(place, special_tokens):
    before, behind, _ = place(
        "[assistant] </s>", "[assistant] two", "chat", special_tokens=special_tokens
    )
    assert behind == "[assistant] two</s>"
    assert without_spaces(before) == "<s>[user][assistant]</s></s>[assistant]"


def test_without_a_prompt_all_but_bos_is_the_completions(place):
    assert place(None, "bare text") == ("<s>", " bare text", False)
    assert place("ignored", "bare text", "raw") == ("<s>", " bare text", False)
    assert place(None, "") == ("<s>", "", False)


@pytest.mark.parametrize("most", [4, 8, 14, 20])
def test_a_cut_text_keeps_the_place(place, most):
    whole = place("the sky " * 20, "blue green", "rewardbench")
    before, behind, truncated = place("the sky " * 20, "blue green", "rewardbench", max_length=most)
    assert truncated
    assert (whole[1]).endswith(behind)
    assert before.startswith("<s>")
    if before != "<s>":
        assert behind == whole[1]
        assert whole[0].endswith(before.removeprefix("<s>"))


def test_a_cut_text_can_be_all_completion(place):
    before, behind, _ = place("the sky", "blue green " * 20, max_length=10)
    assert before == "<s>"
    assert behind


def test_without_bos_the_completion_can_begin_at_once(place, loaded):
    tokenizer = copy.deepcopy(loaded.tokenizer)
    description = json.loads(tokenizer.backend_tokenizer.to_str())
    description["post_processor"] = None
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(description))
    assert place(None, "bare", tokenizer=tokenizer) == ("", " bare", False)
    cut = place("the sky " * 9, "blue green " * 9, tokenizer=tokenizer, max_length=9)
    assert (cut[0], cut[2]) == ("", True)


def test_a_token_that_is_not_read_at_the_end_still_stands_before_the_completion(place, tmp_path):
    path = tmp_path / "closed.jinja"
    path.write_text("{{ bos_token }}{{ prompt[-1].content }}{{ eos_token }}{{ completion }}")
    before, behind, _ = place("the sky", "blue", str(path), unread_id=2)
    assert (without_spaces(before), behind.strip()) == ("<s>thesky</s>", "blue")


def test_a_template_that_changes_the_completion_is_compared_with_another_one(place, tmp_path):
    path = tmp_path / "upper.jinja"
    path.write_text("{{ prompt[-1].content }} = {{ completion | upper }}")
    assert place("the sky", "blue", str(path))[:2] == ("<s> the sky = ", "BLUE")


def test_wrong_inputs_are_refused(place):
    with pytest.raises(ConfigurationError, match="type int"):
        place(5, "a")
    with pytest.raises(ScoringError, match="type NoneType"):
        place("a", None)

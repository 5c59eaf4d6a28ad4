"""A judge whose chat template cuts reasoning, refuses turns, or runs for ever."""

import logging

import pytest

from tests.chatml import (
    USER_AND_ASSISTANT_IN_TURN,
    WITHOUT_REASONING,
    chatml_tokenizer,
)
from tests.judges.conftest import chat_tokenizer, write_model  # noqa: F401
from ultrarm_eval.errors import ConfigurationError, UnwritableTextError
from ultrarm_eval.judges.likelihood import LikelihoodJudge
from ultrarm_eval.judges.sequence_classification import SequenceClassificationJudge

AUTO = "AutoModelForSequenceClassification"
SYSTEM = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "q"}]
THOUGHTS = ["<think>Water. It is known.</think>Water.", "<think>Iron.? Perhaps.</think>Water."]


@pytest.fixture
def judge_of(write_model):  # noqa: F811
    def make(template, *, reasoning_is_special=False, **settings):
        tokenizer = chatml_tokenizer(template, reasoning_is_special=reasoning_is_special)
        folder = write_model(AUTO, "qwen2", tokenizer=tokenizer, num_labels=1, pad_token_id=256)
        return SequenceClassificationJudge(str(folder), device="cpu", **settings)

    return make


@pytest.mark.product
@pytest.mark.parametrize("is_special", [False, True])
@pytest.mark.parametrize("special_tokens", ["text", "parse"])
def test_answers_that_differ_in_what_is_cut_tie_and_it_is_said(
    judge_of, caplog, is_special, special_tokens
):
    judge = judge_of(
        WITHOUT_REASONING, reasoning_is_special=is_special, special_tokens=special_tokens
    )
    with caplog.at_level(logging.WARNING):
        first, second, other = judge.score(["q"] * 3, [*THOUGHTS, "Iron."])
    assert first == second != other
    assert judge.settings()["counts"]["cut_by_template"] == 2
    assert (
        "In 2 of 3 texts, the text that the judge scores does not contain the complete answer"
        in caplog.text
    )
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        judge.score(["q"] * 2, THOUGHTS)
    assert "does not contain the complete answer" not in caplog.text
    assert judge.settings()["counts"]["cut_by_template"] == 4


def test_answers_that_differ_in_blanks_that_are_trimmed_tie_and_it_is_said(judge_of, caplog):
    judge = judge_of(WITHOUT_REASONING.replace("m.content", "(m.content | trim)"))
    with caplog.at_level(logging.WARNING):
        first, second = judge.score(["q"] * 2, ["Water.", "Water.\n"])
    assert first == second
    assert (
        "In 1 of 2 texts, the template strips whitespace at the ends of the answer" in caplog.text
    )


def test_turns_that_are_refused_are_found_before_the_weights_are_loaded(judge_of):
    judge = judge_of(USER_AND_ASSISTANT_IN_TURN)
    judge._head.runner = None
    with pytest.raises(UnwritableTextError, match="Completion 2: .*system=fold"):
        judge.score(["p", "q", SYSTEM], ["a", "b", "c"])
    with pytest.raises(UnwritableTextError, match="Completion 0: "):
        judge.check([SYSTEM], ["a"])


def test_system_turns_can_be_folded_or_dropped(judge_of):
    plain = judge_of(USER_AND_ASSISTANT_IN_TURN)
    folded, dropped = (judge_of(USER_AND_ASSISTANT_IN_TURN, system=s) for s in ("fold", "drop"))
    assert folded.score([SYSTEM], ["a"]) == plain.score(["be brief\n\nq"], ["a"])
    assert dropped.score([SYSTEM], ["a"]) == plain.score(["q"], ["a"])
    assert dropped.settings()["counts"]["system_dropped"] == 1
    assert folded.settings()["system"] == "fold"
    explicit = judge_of(USER_AND_ASSISTANT_IN_TURN, system="error")
    assert "system" not in explicit.settings()
    assert explicit.fingerprint() == plain.fingerprint()
    assert len({judge.fingerprint() for judge in (plain, folded, dropped)}) == 3


def test_a_judge_that_needs_the_completions_place_folds_as_well(write_model):  # noqa: F811
    folder = write_model(
        "AutoModelForCausalLM", "qwen2", tokenizer=chatml_tokenizer(USER_AND_ASSISTANT_IN_TURN)
    )
    judge = LikelihoodJudge(str(folder), device="cpu", system="fold")
    assert judge.score([SYSTEM], ["a"]) == judge.score(["be brief\n\nq"], ["a"])
    with pytest.raises(UnwritableTextError, match="Completion 1: .*system=fold"):
        LikelihoodJudge(str(folder), device="cpu").score(["q", SYSTEM], ["a", "b"])


@pytest.mark.slow
def test_an_endless_chat_template_is_refused_when_the_judge_is_made(judge_of):
    loops = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    with pytest.raises(ConfigurationError, match="too much work for one conversation"):
        judge_of(loops + WITHOUT_REASONING)


def test_one_that_is_endless_for_some_conversations_alone_ends_as_well(judge_of):
    loops = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    judge = judge_of(
        f"{{% if 'now' in messages[0].content %}}{loops}{{% endif %}}{WITHOUT_REASONING}"
    )
    with pytest.raises(
        UnwritableTextError, match="Completion 1: .*too much work for one conversation"
    ):
        judge.score(["q", "now"], ["a", "b"])

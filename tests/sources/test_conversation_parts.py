import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ultrarm_eval.sources.conversation_parts import joined, joined_with_text


def turns(*spelled):
    """`"u hi"` is a user turn, and so on."""
    roles = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}
    return tuple({"role": roles[each[0]], "content": each[2:]} for each in spelled)


TOGETHER = {
    "nothing before": ((), ("u q",), ("u q",)),
    "nothing behind": (("u q",), (), ("u q",)),
    "all repeated": (("s x", "u q"), ("s x", "u q"), ("s x", "u q")),
    "the user's turn repeated behind a system turn": (("s x", "u q"), ("u q",), ("s x", "u q")),
    "the last turns repeated": (("u 1", "a 2", "u 3"), ("a 2", "u 3"), ("u 1", "a 2", "u 3")),
    "repeated and going on": (("u 1", "a 2"), ("u 1", "a 2", "u 3"), ("u 1", "a 2", "u 3")),
    "system alone": (("s x",), ("u q",), ("s x", "u q")),
    "the system turn repeated without what is between": (("s x", "u 1", "a 2", "u 3"), ("s x", "u 3"), ("s x", "u 1", "a 2", "u 3")),
    "the system turn in the second part alone": (("u q",), ("s x", "u q"), ("s x", "u q")),
    "the last turn of a fuller conversation": (("u 3",), ("u 1", "a 2", "u 3"), ("u 1", "a 2", "u 3")),
    "a turn within a fuller conversation": (("u 3",), ("s x", "u 1", "a 2", "u 3", "a 4", "u 5"), ("s x", "u 1", "a 2", "u 3", "a 4", "u 5")),
    "user goes on after assistant": (("u 1", "a 2"), ("u 3",), ("u 1", "a 2", "u 3")),
    "assistant goes on after user": (("u 1",), ("a 2", "u 3"), ("u 1", "a 2", "u 3")),
    "a tool goes on": (("u 1", "a 2"), ("t 3",), ("u 1", "a 2", "t 3")),
    "the longest overlap counts": (("u 1", "a 2", "u 1", "a 2"), ("u 1", "a 2", "u 1", "a 2", "u 5"), ("u 1", "a 2", "u 1", "a 2", "u 5")),
    "space around a turn": (("u q",), ("u  q\n", "a 2", "u 3"), ("u  q\n", "a 2", "u 3")),
}  # fmt: skip


@pytest.mark.parametrize(("first", "second", "whole"), TOGETHER.values(), ids=TOGETHER)
def test_what_stands_in_both_parts_stands_in_the_conversation_once(first, second, whole):
    assert joined(turns(*first), turns(*second)) == turns(*whole)


APART = {
    "another question": (("u q",), ("u p",)),
    "another question behind the same system turn": (("s x", "u q"), ("s x", "u p")),
    "a longer question": (("u q",), ("u q in French",)),
    "another system turn": (("s x",), ("s y", "u q")),
    "another system turn before the same question": (("s x", "u q"), ("s y", "u q")),
    "a system turn after the beginning": (("u 1", "a 2"), ("s x", "u 3")),
    "a system turn and nothing else": (("u 1",), ("s x",)),
    "the same beginning and another answer": (("u 1", "a 2", "u 3"), ("u 1", "a other", "u 3")),
    "a prompt that holds an answer": (("u 1", "a 2"), ("u 1",)),
    "an answer after an answer": (("u 1", "a 2"), ("a 3", "u 4")),
    "the middle left out": (("u 1", "a 2", "u 3"), ("u 1", "u 3")),
}


@pytest.mark.parametrize(("first", "second"), APART.values(), ids=APART)
def test_parts_that_contradict_each_other_make_no_conversation(first, second):
    assert joined(turns(*first), turns(*second)) is None


@pytest.mark.parametrize(
    ("text", "second", "whole"),
    [
        ("q", ("u q",), ("u q",)),
        ("q", ("s x", "u q"), ("s x", "u q")),
        ("q", ("a 2", "u 3"), ("u q", "a 2", "u 3")),
        ("q", (), ("u q",)),
        ("", ("u q",), ("u q",)),
        ("q", ("u p",), None),
        ("System: x\n\nUser: q", ("s x", "u q"), ("s x", "u q")),
        ("User: 1\n\nAssistant: 2\n\nUser: 3", ("u 1", "a 2", "u 3"), ("u 1", "a 2", "u 3")),
        ("User: 1\n\nAssistant: 2\n\nUser: 4", ("u 1", "a 2", "u 3"), None),
    ],
)
def test_a_prompt_as_one_text_is_a_turn_or_a_transcript(text, second, whole):
    assert joined_with_text(text, turns(*second)) == (None if whole is None else turns(*whole))


@st.composite
def conversations(draw):
    system = draw(st.booleans())
    texts = draw(st.lists(st.text(max_size=5), min_size=1, max_size=7, unique=True))
    roles = ["system"] * system + ["user", "assistant"] * len(texts)
    return tuple({"role": r, "content": t} for r, t in zip(roles, texts, strict=False))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(conversations(), st.data())
def test_a_conversation_split_anywhere_with_any_overlap_comes_out_whole(conversation, data):
    end = data.draw(st.integers(0, len(conversation)))
    begin = data.draw(st.integers(0, end))
    assert joined(conversation[:end], conversation[begin:]) == conversation

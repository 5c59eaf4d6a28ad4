"""Rows of a prompt and answers in every form that people have: one meaning, or the reason why not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ultrarm_eval import load_documents
from ultrarm_eval.sources.conversations import read_answered_prompt, read_pair, read_prompt
from ultrarm_eval.sources.message_fields import UnusableRowError, require_prose


def turns(*spelled):
    """`"u hi"` is a user turn, and so on."""
    roles = {"s": "system", "u": "user", "a": "assistant", "t": "tool"}
    return [{"role": roles[each[0]], "content": each[2:]} for each in spelled]


def parts(*spelled):
    return [{**m, "content": [{"type": "text", "text": m["content"]}]} for m in turns(*spelled)]


def sharegpt(*spelled):
    speakers = {"system": "system", "user": "human", "assistant": "gpt"}
    return [{"from": speakers[m["role"]], "value": m["content"]} for m in turns(*spelled)]


def unioned(*spelled):
    """As a table has them that also has messages of the other form."""
    return [{**m, "role": None, "content": None} for m in sharegpt(*spelled)]


def as_text(*spelled):
    return json.dumps(turns(*spelled))


def sides(form, *before):
    return {"chosen": form(*before, "a good"), "rejected": form(*before, "a bad")}


TEXTS = {"chosen": "good", "rejected": "bad"}
ONE_CONVERSATION = {
    "no overlap": {"prompt": turns("s x", "u q"), **sides(turns)},
    "the user's turn repeated": {"prompt": turns("s x", "u q"), **sides(turns, "u q")},
    "all repeated": {"prompt": turns("s x", "u q"), **sides(turns, "s x", "u q")},
    "the system turn alone": {"prompt": turns("s x"), **sides(turns, "u q")},
    "a text that the lists repeat behind a system turn": {"prompt": "q", **sides(turns, "s x", "u q")},
    "a transcript as our own binarize writes it": {"prompt": "System: x\n\nUser: q", **sides(turns, "s x", "u q")},
    "lists alone": sides(turns, "s x", "u q"),
    "lists and an empty prompt": {"prompt": "", **sides(turns, "s x", "u q")},
    "lists and a prompt of no messages, as JSON text": {"prompt": "[]", **sides(turns, "s x", "u q")},
    "lists and no prompt": {"prompt": None, **sides(turns, "s x", "u q")},
    "texts": {"prompt": turns("s x", "u q"), **TEXTS},
    "a text and a list": {"prompt": turns("s x", "u q"), "chosen": "good", "rejected": turns("u q", "a bad")},
    "one message": {"prompt": turns("s x", "u q"), "chosen": turns("a good")[0], "rejected": turns("a bad")[0]},
    "content parts": {"prompt": parts("s x", "u q"), **sides(parts, "u q")},
    "from and value": {"prompt": sharegpt("s x", "u q"), **sides(sharegpt)},
    "from and value in a table of both": {"prompt": unioned("s x", "u q"), **sides(unioned)},
    "forms mixed": {"prompt": sharegpt("s x", "u q"), **sides(parts, "u q")},
    "JSON text": {"prompt": as_text("s x", "u q"), **sides(as_text, "u q")},
    "JSON text of one message": {"prompt": as_text("s x", "u q"), "chosen": json.dumps(turns("a good")[0]), "rejected": "bad"},
    "JSON text of from and value": {"prompt": json.dumps(sharegpt("s x", "u q")), **TEXTS},
    "conversations as the prompt": {"conversations": sharegpt("s x", "u q"), "chosen": sharegpt("a good")[0], "rejected": sharegpt("a bad")[0]},
    "messages with the chosen answer": {"messages": turns("s x", "u q", "a good"), **sides(turns, "s x", "u q")},
    "messages beside a prompt": {"prompt": "q", "messages": turns("s x", "u q", "a good"), **sides(turns, "s x", "u q")},
    "a system column": {"system": "x", "prompt": "q", **TEXTS},
    "a system column that repeats": {"system": "x", "prompt": turns("s x", "u q"), **TEXTS},
    "a system column under another name": {"system_prompt": "x", "prompt": "q", **sides(turns, "u q")},
    "a system column of messages": {"system": turns("s x"), "prompt": "q", **TEXTS},
    "empty columns": {"system": None, "history": [], "tools": "[]", "functions": "", "images": [], "prompt": turns("s x", "u q"), **TEXTS},
}  # fmt: skip


@pytest.mark.parametrize("row", ONE_CONVERSATION.values(), ids=ONE_CONVERSATION)
def test_every_form_is_the_same_pair(row):
    pair = read_pair(row)
    assert list(pair.prompt) == turns("s x", "u q")
    assert pair.answers == ("good", "bad")


HISTORY = [["1", "2"], ["3", "4"]]
WITH_HISTORY = {
    "pairs": {"history": HISTORY, "prompt": "5"},
    "pairs as JSON text": {"history": json.dumps(HISTORY), "prompt": "5"},
    "messages": {"history": turns("u 1", "a 2", "u 3", "a 4"), "prompt": "5"},
    "from and value": {"history": sharegpt("u 1", "a 2", "u 3", "a 4"), "prompt": "5"},
    "repeated in part": {"history": HISTORY, "prompt": turns("u 3", "a 4", "u 5")},
    "with a system turn of its own": {"history": turns("s x", "u 1", "a 2", "u 3", "a 4"), "prompt": turns("s x", "u 5")},
}  # fmt: skip


@pytest.mark.parametrize("row", WITH_HISTORY.values(), ids=WITH_HISTORY)
def test_history_comes_before_the_prompt_and_the_system_turn_before_both(row):
    found = read_pair({"system": "x", **row, **TEXTS})
    assert list(found.prompt) == turns("s x", "u 1", "a 2", "u 3", "a 4", "u 5")
    assert found.notes == ("rows_with_history_column", "rows_with_system_column")


UNUSABLE = {
    "another question": ({"prompt": turns("u q"), **sides(turns, "u p")}, "contradictory_prompt", "'chosen' neither repeats the end of 'prompt'"),
    "one side contradicts": ({"prompt": turns("u q"), "chosen": turns("u q", "a x"), "rejected": turns("u p", "a y")}, "contradictory_prompt", "'rejected' neither"),
    "a text contradicts": ({"prompt": "q", **sides(turns, "u p")}, "contradictory_prompt", "'chosen' neither"),
    "another system turn": ({"prompt": turns("s x", "u q"), **sides(turns, "s y", "u q")}, "contradictory_prompt", "'chosen' neither"),
    "another system column": ({"system": "y", "prompt": turns("s x", "u q"), **TEXTS}, "contradictory_prompt", "'system' contradicts"),
    "history contradicts": ({"history": turns("u 1"), "prompt": "q", **TEXTS}, "contradictory_prompt", "'history' contradicts"),
    "sides apart": ({"chosen": turns("u q", "a x"), "rejected": turns("u p", "a y")}, "different_conversations", "'chosen' and 'rejected' answer different"),
    "tools": ({"tools": [{"name": "search"}], "prompt": "q", **TEXTS}, "with_tools", "'tools' has content that a judge of texts cannot read"),
    "tools as text": ({"tools": '[{"name": "search"}]', "prompt": "q", **TEXTS}, "with_tools", "'tools' has content that"),
    "images": ({"images": ["x.png"], "prompt": "q", **TEXTS}, "with_media", "'images' has content that"),
    "a picture in a content": ({"prompt": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}], **TEXTS}, "prompt_not_text", "'prompt': Message 0 of a prompt has a part of type 'image_url'"),
    "a picture in an answer": ({"prompt": "q", "chosen": [{"role": "assistant", "content": [{"type": "image"}]}], "rejected": "b"}, "not_text", "'chosen': Message 0 of a prompt has a part of type 'image'"),
    "an unknown speaker": ({"prompt": [{"from": "observation", "value": "x"}], **TEXTS}, "prompt_not_text", "has from='observation'"),
    "a tool call": ({"prompt": [{"role": "assistant", "content": "", "tool_calls": [{"id": 1}]}], **TEXTS}, "prompt_not_text", "has 'tool_calls'"),
    "a system that is no text": ({"system": 5, "prompt": "q", **TEXTS}, "system_not_text", "'system'"),
    "a system of other turns": ({"system": turns("u x"), "prompt": "q", **TEXTS}, "system_not_text", "roles other than 'system'"),
    "a history that is a text": ({"history": "long ago", "prompt": "q", **TEXTS}, "history_not_text", "'history' is text; it must be a list"),
    "a history of numbers": ({"history": [1], "prompt": "q", **TEXTS}, "history_not_text", "'history': Message 0"),
    "a printed list": ({"prompt": str(turns("u q")), **TEXTS}, "prompt_not_text", "text that is not JSON"),
    "a printed array": ({"prompt": "q", "chosen": "array([{'content': 'q', 'role': 'user'}\n {'content': 'a', 'role': 'assistant'}], dtype=object)", "rejected": "b"}, "not_text", "'chosen': it contains messages as text that is not JSON"),
    "a printed list cut off": ({"prompt": str(turns("u q", "a (x) y"))[:-6], **TEXTS}, "prompt_not_text", "text that is not JSON"),
    "a conversation with a third answer": ({"messages": turns("u q", "a other"), **TEXTS}, "ends_with_answer", "'messages' ends with an 'assistant' turn that is not one of the answers"),
    "JSON text cut off": ({"prompt": as_text("u q")[:-5], **TEXTS}, "prompt_not_text", "text that is not JSON"),
    "JSON text without an answer": ({"prompt": "q", "chosen": as_text("u q"), "rejected": "b"}, "not_text", "'chosen' ends with a 'user' turn"),
    "JSON text with null": ({"prompt": '[{"role": "user", "content": null}]', **TEXTS}, "prompt_not_text", "content of type NoneType"),
    "an empty list": ({"prompt": "q", "chosen": [], "rejected": "b"}, "not_text", "'chosen' is empty"),
    "null": ({"prompt": "q", "chosen": None, "rejected": "b"}, "not_text", "'chosen' is None"),
    "bytes": ({"prompt": "q", "chosen": b"a", "rejected": "b"}, "not_text", "of type bytes"),
}  # fmt: skip


@pytest.mark.parametrize(("row", "reason", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_row_without_a_clear_meaning_says_why(row, reason, message):
    with pytest.raises(UnusableRowError) as caught:
        read_pair(row)
    assert caught.value.reason == reason
    assert message in str(caught.value)


PROSE = [
    "[1] Smith, J.", "[see above", "[]", "{}", "{x}", "{'a': 1}", '{"role": "pirate", "content": "x"}',
    '[{"role": "user", "content": "q"}] is a list of messages.', '{"name": "x", "age": 3}', '["a", "b"]',
    "{'role': 'user', 'content': 'q'} is a message.", "[{'role': 'user', 'content': 'q'}]\n```\nThat is it.",
    '[{"role": "user"}]', "[{" * 5000, '"quoted"', "array([1, 2])", '{"text": "the \\"role\\" of a user"}',
]  # fmt: skip


@pytest.mark.parametrize("text", PROSE, ids=range(len(PROSE)))
def test_prose_that_begins_with_a_bracket_stays_prose(text):
    pair = read_pair({"prompt": f"{text} ", "chosen": text, "rejected": "b"})
    assert (pair.answers[0], pair.notes) == (text, ())
    assert text == "[]" or pair.prompt[0]["content"] == f"{text} "
    require_prose(text, "response")


def test_messages_as_text_are_counted_and_refused_where_there_are_none():
    row = {"prompt": as_text("u q"), **TEXTS}
    assert read_pair(row).notes == ("rows_with_messages_as_text",)
    with pytest.raises(UnusableRowError, match="'response' contains messages as JSON text"):
        require_prose(as_text("a x"), "response")


def test_messages_written_as_json_twice_are_messages():
    row = {"prompt": json.dumps(as_text("s x", "u q")), **TEXTS}
    assert list(read_pair(row).prompt) == turns("s x", "u q")


def test_what_pandas_writes_for_nothing_is_nothing():
    nothing = dict.fromkeys(["prompt", "system", "history", "tools"], float("nan"))
    assert list(read_pair({**nothing, **sides(turns, "u q")}).prompt) == turns("u q")
    assert list(read_pair({**nothing, "messages": turns("u q"), **TEXTS}).prompt) == turns("u q")


def test_a_conversation_may_end_with_either_answer():
    for answer in TEXTS.values():
        row = {"messages": turns("u q", f"a {answer}"), **TEXTS}
        assert list(read_pair(row).prompt) == turns("u q")


@pytest.mark.parametrize(
    ("row", "note"),
    [
        (
            {"prompt": "q", "chosen": "q good", "rejected": "q bad"},
            "answers_that_repeat_the_prompt",
        ),
        ({"prompt": turns("u q", "a so"), **TEXTS}, "answers_behind_an_answer"),
    ],
)
def test_what_may_not_be_meant_so_is_told(row, note, tmp_path, caplog):
    (tmp_path / "pairs.jsonl").write_text(json.dumps(row))
    documents = load_documents(tmp_path / "pairs.jsonl")
    assert documents.counts[f"rows_with_{note}"] == 1
    assert "(first:" in caplog.text
    assert "remove the prompt from one" in caplog.text or "move it there" in caplog.text


def test_parts_of_a_content_are_joined_as_templates_join_them():
    content = [
        {"type": "text", "text": "a "},
        {"type": "text", "text": "b", "image_url": None},
        "c",
    ]
    assert (
        read_prompt({"p": [{"role": "user", "content": content}]}, "p").prompt[0]["content"]
        == "a bc"
    )


def test_a_prompt_column_called_history_is_no_history():
    assert list(read_prompt({"history": "the post"}, "history").prompt) == turns("u the post")


TEXT = st.text(alphabet="ab ", min_size=1, max_size=3).map("x{}".format)


@given(st.lists(TEXT, min_size=1, max_size=6, unique=True), st.booleans(), st.data())
def test_a_conversation_split_over_columns_in_any_form_comes_out_whole(texts, has_system, data):
    roles = "s" * has_system + "ua" * len(texts)
    spelled = [f"{role} {text}" for role, text in zip(roles, texts, strict=False)]
    end = data.draw(st.integers(0, len(spelled)))
    begin = data.draw(st.integers(0, end))
    forms = st.sampled_from([turns, parts, sharegpt, as_text])
    prompt, listed = data.draw(forms), data.draw(forms)
    row = {"prompt": prompt(*spelled[:end]), "c": listed(*spelled[begin:], "a the answer")}
    found = read_answered_prompt(row, "prompt", ("c",))
    assert (list(found.prompt), found.answers) == (turns(*spelled), ("the answer",))

import json

import pytest

from tests.conftest import write_jsonl
from ultrarm_eval.errors import DataError
from ultrarm_eval.sources.answers import read_answers, read_references

SYSTEM = {"role": "system", "content": "x"}
USER, ANSWER = {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}
FORMS = {
    "messages": {"prompt": [SYSTEM, USER], "completion": "a"},
    "a message as the answer": {"prompt": [SYSTEM, USER], "completion": ANSWER},
    "a list that repeats": {"prompt": [SYSTEM, USER], "completion": [USER, ANSWER]},
    "JSON text": {"prompt": json.dumps([SYSTEM, USER]), "completion": json.dumps([ANSWER])},
    "content parts": {"prompt": [SYSTEM, {"role": "user", "content": [{"type": "text", "text": "q"}]}], "completion": "a"},
    "from and value": {"prompt": [SYSTEM, {"from": "human", "value": "q"}], "completion": {"from": "gpt", "value": "a"}},
    "a system column": {"system": "x", "prompt": "q", "completion": "a"},
    "a system column beside an instruction": {"system": "x", "instruction": "q", "output": "a"},
}  # fmt: skip


@pytest.mark.parametrize("row", FORMS.values(), ids=FORMS)
def test_every_form_of_a_row_is_the_same_answer(tmp_path, row):
    path = write_jsonl(tmp_path / "answers.jsonl", [row])
    (answer,) = read_answers(path)
    assert (answer.prompt, answer.text) == ([SYSTEM, USER], "a")
    assert read_references(path) == {json.dumps([SYSTEM, USER]): "a"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": [USER], "completion": [SYSTEM, ANSWER]}, "'completion' neither repeats the end of"),
        ({"prompt": "q", "completion": "a", "tools": [{"name": "t"}]}, "field 'tools' has content that a judge"),
        ({"prompt": "q", "completion": [USER]}, "'completion' ends with a 'user' turn"),
        ({"prompt": "q", "completion": 3}, "field 'completion' is 3"),
        ({"prompt": 3, "completion": "a"}, "field 'prompt': A prompt is of type int"),
        ({"instruction": [USER], "output": "a"}, "field 'instruction' is of type list"),
        ({"system": "y", "prompt": [SYSTEM, USER], "completion": "a"}, "field 'system' contradicts"),
    ],
)  # fmt: skip
def test_a_row_without_a_clear_meaning_is_refused_with_its_place(tmp_path, row, message):
    with pytest.raises(DataError, match=f"answers.jsonl, line 1: .*{message}"):
        read_answers(write_jsonl(tmp_path / "answers.jsonl", [row]))


def test_an_answer_to_nothing_has_no_prompt(tmp_path):
    (answer,) = read_answers(
        write_jsonl(tmp_path / "a.jsonl", [{"prompt": None, "completion": "a"}])
    )
    assert answer.prompt is None


def test_an_answer_may_be_a_list_of_steps(tmp_path):
    rows = [
        {"prompt": "q", "completion": ["One.", "Two."]},
        {"instruction": "q", "output": ["One."]},
        {"prompt": "q", "completion": "One."},
    ]
    answers = read_answers(write_jsonl(tmp_path / "answers.jsonl", rows))
    assert [answer.asked for answer in answers] == [("One.", "Two."), ("One.",), "One."]
    assert [answer.text for answer in answers] == ["One.\n\nTwo.", "One.", "One."]


@pytest.mark.parametrize("steps", [[], ["One.", 2], [["One."]]])
def test_a_list_that_is_neither_steps_nor_messages_is_refused(tmp_path, steps):
    path = write_jsonl(tmp_path / "answers.jsonl", [{"prompt": "q", "completion": steps}])
    with pytest.raises(DataError, match=r"answers.jsonl, line 1: .*completion"):
        read_answers(path)

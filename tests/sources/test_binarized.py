from fractions import Fraction

import pytest

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Location
from ultrarm_eval.sources.binarized import BINARIZED, PLAIN, read_row


def messages(*contents):
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(contents)]


def read(**row):
    counts = DataCounts()
    return read_row(row, Location("f.jsonl", 3, 4), counts), counts


SCHEMAS = {
    "H4 and allenai": {"prompt": "q", "prompt_id": "x", "chosen": messages("q", "good"), "rejected": messages("q", "bad"), "messages": messages("q", "good"), "score_chosen": 8.5, "score_rejected": 7.0},
    "argilla": {"prompt": "q", "chosen": messages("q", "good"), "rejected": messages("q", "bad"), "chosen-rating": 8.5, "rejected-rating": 7.0},
    "trl-lib": {"chosen": messages("q", "good"), "rejected": messages("q", "bad"), "score_chosen": 8.5, "score_rejected": 7.0},
    "plain": {"prompt": "q", "chosen": "good", "rejected": "bad"},
    "plain with messages as prompt": {"prompt": messages("q"), "chosen": "good", "rejected": "bad"},
}  # fmt: skip


@pytest.mark.parametrize("row", SCHEMAS.values(), ids=SCHEMAS)
def test_every_schema_gives_the_prompt_and_the_chosen_completion_first(row):
    record, _ = read(**row)
    assert record.prompt == ({"role": "user", "content": "q"},)
    assert [c.text for c in record.completions] == ["good", "bad"]
    assert record.completions[0].ratings["score"] > record.completions[1].ratings["score"]


def test_scores_are_kept_exactly():
    record, _ = read(**SCHEMAS["argilla"])
    assert [c.ratings["score"] for c in record.completions] == [Fraction(17, 2), Fraction(7)]


def test_a_conversation_before_the_answers_is_the_prompt():
    record, _ = read(
        chosen=messages("a", "b", "c", "good"), rejected=messages("a", "b", "c", "bad")
    )
    assert [m["content"] for m in record.prompt] == ["a", "b", "c"]


def test_without_any_prompt_there_is_none_and_it_is_counted():
    record, counts = read(chosen="good", rejected="bad")
    assert record.prompt == ()
    assert counts["pairs_without_prompt"] == 1


def test_a_prompt_that_the_lists_do_not_repeat_comes_first():
    sides = {side: [{"role": "assistant", "content": side}] for side in ("chosen", "rejected")}
    record, _ = read(prompt=messages("a", "b", "c"), **sides)
    assert [m["content"] for m in record.prompt] == ["a", "b", "c"]


@pytest.mark.parametrize("column", ["instruction", "question", "query", "input"])
def test_a_prompt_under_another_name_is_no_known_schema(column):
    columns = frozenset({"chosen", "rejected", column})
    assert not PLAIN.recognises(columns)
    assert not BINARIZED.recognises(columns | {"score_chosen", "score_rejected"})
    assert PLAIN.recognises(columns | {"prompt"})


@pytest.mark.parametrize(
    ("row", "count"),
    [
        ({"chosen": "a", "rejected": "b", "score_chosen": 7, "score_rejected": 7.0}, "pairs_left_out_equal_scores"),
        ({"chosen": "a", "rejected": "a"}, "pairs_left_out_identical_answers"),
        ({"chosen": "a", "rejected": "b", "score_chosen": 1, "score_rejected": 2}, "pairs_left_out_chosen_scored_lower"),
        ({"chosen": None, "rejected": "b"}, "pairs_left_out_not_text"),
        ({"chosen": [], "rejected": "b"}, "pairs_left_out_not_text"),
        ({"chosen": messages("q"), "rejected": messages("q")}, "pairs_left_out_not_text"),
        ({"chosen": [{"role": "user"}], "rejected": "b"}, "pairs_left_out_not_text"),
        ({"chosen": messages("q", "a"), "rejected": messages("p", "b")}, "pairs_left_out_different_conversations"),
    ],
)  # fmt: skip
def test_pairs_that_say_nothing_are_left_out_and_counted(row, count):
    record, counts = read(**row)
    assert record is None
    assert counts[count] == 1


def test_an_empty_answer_is_kept_and_counted():
    record, counts = read(chosen="good", rejected="")
    assert record.completions[1].text == ""
    assert counts["completions_empty"] == 1


@pytest.mark.parametrize("score", ["N/A", "high", None, True, [1], float("nan"), float("inf")])
@pytest.mark.parametrize(
    "fields", [("score_chosen", "score_rejected"), ("chosen-rating", "rejected-rating")]
)
def test_a_score_that_is_no_number_leaves_the_pair_out(score, fields):
    record, counts = read(chosen="a", rejected="b", **{fields[0]: 2, fields[1]: score})
    assert record is None
    assert counts["pairs_left_out_score_no_number"] == 1


@pytest.mark.parametrize("prompt", [3, ["x"], {"role": "user"}, [{"role": "user"}]])
def test_a_prompt_that_is_no_text_leaves_the_pair_out(prompt):
    record, counts = read(prompt=prompt, chosen="a", rejected="b")
    assert record is None
    assert counts["pairs_left_out_prompt_not_text"] == 1

"""Benchmarks read prompts and answers as every task does."""

import json

import pytest

from ultrarm_eval.benchmarks.judgebench import read_row as read_judgebench
from ultrarm_eval.benchmarks.llmbar import read_row as read_llmbar
from ultrarm_eval.benchmarks.paper_sets import PAPER_SETS
from ultrarm_eval.benchmarks.ppe import read_row as read_ppe
from ultrarm_eval.benchmarks.preference_test_sets import read_row as read_preference_test_set
from ultrarm_eval.benchmarks.rewardbench import read_row as read_rewardbench
from ultrarm_eval.benchmarks.rewardbench2 import read_row as read_rewardbench2
from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Location
from ultrarm_eval.errors import DataError

WHERE = Location("f.jsonl", 3, 4)
SYSTEM = {"role": "system", "content": "x"}
USER, OTHER = {"role": "user", "content": "q"}, {"role": "user", "content": "p"}
GOOD, BAD = {"role": "assistant", "content": "good"}, {"role": "assistant", "content": "bad"}
OF_PAIRS = {
    "rewardbench": read_rewardbench,
    "preference_test_sets": read_preference_test_set,
    "llmbar": read_llmbar,
    **{name: suite.read_row for name, suite in PAPER_SETS.items()},
}
FORMS = {
    "the user's turn repeated": {"prompt": [SYSTEM, USER], "chosen": [USER, GOOD], "rejected": [USER, BAD]},
    "nothing repeated": {"prompt": [SYSTEM, USER], "chosen": [GOOD], "rejected": BAD},
    "texts": {"prompt": [SYSTEM, USER], "chosen": "good", "rejected": "bad"},
    "a system column": {"system": "x", "prompt": "q", "chosen": "good", "rejected": "bad"},
    "JSON text": {"prompt": json.dumps([SYSTEM, USER]), "chosen": json.dumps([GOOD]), "rejected": "bad"},
    "from and value": {"prompt": [SYSTEM, {"from": "human", "value": "q"}], "chosen": {"from": "gpt", "value": "good"}, "rejected": "bad"},
}  # fmt: skip


def read(reader, **row):
    counts = DataCounts()
    return reader({"subset": "alpacaeval-easy", "id": 1, **row}, WHERE, counts), counts


@pytest.mark.parametrize("reader", OF_PAIRS.values(), ids=OF_PAIRS)
@pytest.mark.parametrize("row", FORMS.values(), ids=FORMS)
def test_every_form_is_the_same_item(reader, row):
    choice, _ = read(reader, **row)
    assert (choice.prompt, choice.completions) == ((SYSTEM, USER), ("good", "bad"))


@pytest.mark.parametrize("reader", OF_PAIRS.values(), ids=OF_PAIRS)
@pytest.mark.parametrize(
    ("row", "count"),
    [
        ({"prompt": [USER], "chosen": [OTHER, GOOD], "rejected": [USER, BAD]}, "contradictory_prompt"),
        ({"prompt": "q", "chosen": [OTHER, GOOD], "rejected": [OTHER, BAD]}, "contradictory_prompt"),
        ({"prompt": [SYSTEM], "chosen": [OTHER, GOOD], "rejected": [USER, BAD]}, "different_conversations"),
    ],
)  # fmt: skip
def test_fields_that_contradict_each_other_are_left_out_and_counted(reader, row, count):
    choice, counts = read(reader, **row)
    assert choice is None
    assert counts[f"rows_left_out_{count}"] == 1
    assert "conversation" in counts.why[f"rows_left_out_{count}"]


AS_TEXT = json.dumps([GOOD])


@pytest.mark.parametrize(
    ("reader", "row"),
    [
        (read_judgebench, {"question": "q", "response_A": AS_TEXT, "response_B": "b", "label": "A>B", "source": "s"}),
        (read_ppe, {"prompt": "q", "response_1": AS_TEXT, "response_2": "b", "winner": "model_a"}),
        (read_llmbar, {"input": "q", "output_1": AS_TEXT, "output_2": "b", "label": 1}),
        (read_rewardbench2, {"prompt": "q", "chosen": [AS_TEXT], "rejected": ["b"], "subset": "Math"}),
    ],
)  # fmt: skip
def test_messages_as_text_are_no_answer(reader, row):
    with pytest.raises(
        DataError, match=r"f\.jsonl, line 4: field .* contains messages as JSON text"
    ):
        read(reader, **row)


@pytest.mark.parametrize(
    ("reader", "row"),
    [
        (read_ppe, {"prompt": "q", "response_1": "a", "response_2": "b", "winner": "model_a"}),
        (read_llmbar, {"input": "q", "output_1": "a", "output_2": "b", "label": 1}),
        (read_rewardbench2, {"prompt": "q", "chosen": ["a"], "rejected": ["b"], "subset": "Math"}),
    ],
)
def test_a_system_column_leads_the_prompt_of_every_form(reader, row):
    choice, _ = read(reader, **row, system="x")
    assert choice.prompt == (SYSTEM, USER)


def test_the_post_in_shp_is_no_history_of_a_conversation():
    row = {"history": "q", "human_ref_A": "a", "human_ref_B": "b", "labels": 1}
    choice, _ = read(OF_PAIRS["ultrarm_paper_shp"], **row)
    assert choice.prompt == (USER,)

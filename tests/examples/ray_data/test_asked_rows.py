"""What a judge is asked of a row, and the rows that it cannot be asked of."""

import pyarrow as pa
import pytest
from scored_parquet.asked_rows import ASKED, Asked, asked_rows
from scored_parquet.columns import Columns


@pytest.fixture
def read(judge):
    def rows(given, **columns):
        table = pa.Table.from_pylist(given)
        found = Columns.found(table.column_names, "f", **columns)
        return asked_rows(table, 100, found, judge.encoder)

    return rows


def refusals(table):
    return [why and why.partition(":")[0] for why in table.column("refused").to_pylist()]


def test_prompts_and_answers_are_read_as_everywhere(read):
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    table = read([{"messages": turns, "system": "s"}, {"messages": turns, "system": None}])
    first, second = map(Asked.from_json, table.column(ASKED).to_pylist())
    assert first == Asked([{"role": "system", "content": "s"}, turns[0]], "a")
    assert second == Asked([turns[0]], "a")
    assert table.column("row").to_pylist() == [100, 101]


def test_rows_that_cannot_be_scored_are_kept_with_the_reason(read):
    table = read(
        [
            {"prompt": "p", "completion": "a", "tools": None},
            {"prompt": "p", "completion": None, "tools": None},
            {"prompt": "p", "completion": "a", "tools": "[{}, {'x'}]"},
            {"prompt": "[{'role': 'user', 'content': 'x'}]", "completion": "a", "tools": None},
        ]
    )
    assert refusals(table) == [None, "not_text", "with_tools", "prompt_not_text"]
    assert [text is None for text in table.column(ASKED).to_pylist()] == [False, True, True, True]
    assert table.column("truncated").to_pylist() == [False, None, None, None]
    assert "'completion' is None" in table.column("refused")[1].as_py()


def test_an_input_beside_an_instruction_is_not_left_out_silently(read):
    rows = [{"instruction": "i", "input": text, "output": "a"} for text in ("", "x")]
    assert refusals(read(rows)) == [None, "with_input"]


def test_a_prompt_that_the_template_refuses_is_one_refusal_among_others(read):
    rows = [
        {"messages": [{"role": role, "content": "q"}], "answer": "a"}
        for role in ("user", "critic", "user")
    ]
    table = read(rows)
    assert refusals(table) == [None, "template_refuses", None]
    assert "critic" in table.column("refused")[1].as_py()


def test_texts_that_are_cut_are_marked(read, judge):
    rows = [{"prompt": "long " * count, "completion": "a"} for count in (1, judge.max_length)]
    assert read(rows).column("truncated").to_pylist() == [False, True]


def test_halves_of_surrogate_pairs_pass_through():
    asked = Asked(None, "half \ud83d")
    assert Asked.from_json(asked.to_json()) == asked

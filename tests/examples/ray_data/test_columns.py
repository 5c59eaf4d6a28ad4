"""Which columns are read and added, and what is refused before anything is scored."""

import pytest
from scored_parquet.columns import Columns

from ultrarm_eval.errors import DataError


@pytest.mark.parametrize(
    ("there", "prompt", "answer"),
    [
        (["id", "prompt", "completion"], "prompt", "completion"),
        (["instruction", "output", "input"], "instruction", "output"),
        (["messages", "answer"], "messages", "answer"),
        (["messages", "id"], None, "messages"),
    ],
)
def test_the_usual_names_are_found(there, prompt, answer):
    found = Columns.found(there, "a.parquet")
    assert (found.prompt, found.answer) == (prompt, answer)


def test_names_that_the_user_gives_come_first():
    found = Columns.found(["prompt", "q", "completion", "a"], "f", prompt="q", answer="a")
    assert (found.prompt, found.answer) == ("q", "a")


@pytest.mark.parametrize(
    ("there", "message"),
    [
        (["prompt", "text"], "f: no column has the answers.*--answer.*prompt, text"),
        (["completion", "text"], "f: no column has the prompts.*--prompt"),
        (["prompt", "completion", "answer"], "several columns could be the answers: completion"),
        (["prompt", "messages", "answer"], "several columns could be the prompts: prompt, mess"),
    ],
)
def test_what_is_missing_or_could_be_several_is_refused(there, message):
    with pytest.raises(DataError, match=message):
        Columns.found(there, "f")


def test_a_column_that_the_user_names_has_to_be_there():
    with pytest.raises(DataError, match="f: the column 'a' is missing"):
        Columns.found(["prompt", "completion"], "f", answer="a")


def test_a_column_is_never_written_over():
    there = ["prompt", "completion", "reward"]
    with pytest.raises(DataError, match="there is a column 'reward' already.*--prefix"):
        Columns.found(there, "f")
    assert Columns.found(there, "f", prefix="x_").added("reward") == "x_reward"


def test_columns_that_belong_to_the_conversation_are_read_too():
    columns = Columns("instruction", "output")
    there = ["id", "output", "instruction", "system", "tools", "input", "embedding"]
    assert set(columns.read(there)) == {"output", "instruction", "system", "tools", "input"}
    # Elsewhere an input is a column as any other.
    assert Columns("prompt", "output").read(["prompt", "output", "input"]) == ["prompt", "output"]

import json

import datasets
import pytest

from tests.conftest import opened, raw_row, write_jsonl
from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.errors import DataError
from ultrarm_eval.sources.preference_data import open_hub

ROWS = [{"prompt": "q", "chosen": "good", "rejected": "bad"}, {"prompt": "p", "chosen": "a", "rejected": "b"}]  # fmt: skip


def save_parquet(path):
    datasets.Dataset.from_list(ROWS).to_parquet(path)


def save_json(path):
    path.write_text(json.dumps(ROWS, indent=1))


def save_lines(path):
    write_jsonl(path, ROWS)


def save_folder(path):
    datasets.Dataset.from_list(ROWS).save_to_disk(path)


def save_folder_of_splits(path):
    first, both = datasets.Dataset.from_list(ROWS[:1]), datasets.Dataset.from_list(ROWS)
    datasets.DatasetDict({"train": first, "test": both}).save_to_disk(path)


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("rows.jsonl", save_lines),
        ("lines.json", save_lines),
        ("rows.json", save_json),
        ("rows.parquet", save_parquet),
        ("folder", save_folder),
        ("splits", save_folder_of_splits),
    ],
)
def test_every_form_of_file_gives_the_same_rows(tmp_path, name, save):
    save(tmp_path / name)
    data = opened(tmp_path / name)
    assert [dict(row) for row in data.rows] == ROWS
    assert dict(data.rows[1]) == ROWS[1]
    assert data.source.name == "pairs"


@pytest.mark.parametrize(
    ("row", "source"),
    [
        (raw_row(), "ultrafeedback"),
        ({"chosen": "a", "rejected": "b"}, "pairs"),
        ({"chosen": "a", "rejected": "b", "score_chosen": 1, "score_rejected": 0}, "binarized"),
        ({"chosen": "a", "rejected": "b", "chosen-rating": 1, "rejected-rating": 0}, "binarized"),
    ],
)
def test_schemas_are_recognised_by_their_columns(tmp_path, row, source):
    assert opened(write_jsonl(tmp_path / "d.jsonl", [row])).source.name == source


@pytest.mark.parametrize("column", ["trajectory", "context", "question"])
def test_pairs_whose_prompt_has_another_name_are_not_read_without_it(tmp_path, column):
    # As openbmb/UltraInteract_pair, and data whose chosen and rejected are only the last turn.
    turns = [{"from": "user", "value": "1 + 1?"}]
    row = {"task": "Math", column: turns, "chosen": "2", "rejected": "3"}
    with pytest.raises(
        DataError, match=rf"here it may be in '{column}'\. Rename that column to 'p"
    ):
        opened(write_jsonl(tmp_path / "d.jsonl", [row]))
    renamed = {"prompt" if name == column else name: value for name, value in row.items()}
    data = opened(write_jsonl(tmp_path / "d.jsonl", [renamed]))
    record = data.record(0, data.rows[0], DataCounts())
    assert record.prompt == ({"role": "user", "content": "1 + 1?"},)
    both = {"messages": turns, column: "notes", "chosen": "2", "rejected": "3"}
    data = opened(write_jsonl(tmp_path / "d.jsonl", [both]))
    assert data.record(0, data.rows[0], DataCounts()).prompt == record.prompt
    other = write_jsonl(tmp_path / "d.jsonl", [{"a": "b", column: "q"}])
    with pytest.raises(DataError, match=rf"columns a, {column}\. Supported schemas"):
        opened(other)


@pytest.mark.parametrize("column", ["context", "question", "post"])
def test_answers_that_are_complete_conversations_need_no_other_column(tmp_path, column):
    asked, answers = {"role": "user", "content": "1 + 1?"}, ("2", "3")
    chosen, rejected = ([asked, {"role": "assistant", "content": one}] for one in answers)
    rows = [
        {column: "from a forum", "chosen": chosen, "rejected": rejected},
        {column: "1 + 1?", "chosen": "2", "rejected": "3"},
        {column: "1 + 1?", "chosen": chosen[1:], "rejected": rejected[1:]},
    ]
    path = write_jsonl(tmp_path / "d.jsonl", [{}, *rows])
    path.write_text("{damaged\n" + "\n".join(path.read_text().splitlines()[1:4]) + "\n")
    data, counts = opened(path), DataCounts()
    records = [data.record(i, data.rows[i], counts) for i in range(1, len(data.rows))]
    assert records[0].prompt == (asked,)
    assert [one.text for one in records[0].completions] == ["2", "3"]
    # Rows without their prompt are excluded, and not scored without it.
    assert records[1:] == [None, None]
    assert counts.as_dict()["pairs_left_out_prompt_in_other_column"] == 2
    for row in rows[1:3]:
        with pytest.raises(DataError, match=rf"it may be in '{column}'"):
            opened(write_jsonl(tmp_path / "d.jsonl", [row]))


def test_a_folder_of_files_is_refused_with_their_names(tmp_path):
    write_jsonl(tmp_path / "natural.jsonl", ROWS)
    # As in a data set of the hub.
    (tmp_path / "data").mkdir()
    save_parquet(tmp_path / "data" / "train-00000-of-00001.parquet")
    with pytest.raises(
        DataError,
        match=r"\(in this folder: data/train-00000-of-00001.parquet, natural.jsonl\)\. Sa",
    ):
        opened(tmp_path)


@pytest.mark.parametrize("form", ["parquet", "folder"])
def test_nested_rows_survive_tables(tmp_path, form):
    rows = [raw_row(), raw_row(answers=(("a", 5), ("b", 1), ("c", 2)))]
    table = datasets.Dataset.from_list(rows)
    path = tmp_path / ("d.parquet" if form == "parquet" else "d")
    table.to_parquet(path) if form == "parquet" else table.save_to_disk(path)
    data = opened(path)
    assert data.source.name == "ultrafeedback"
    counts = DataCounts()
    for index, row in enumerate(data.rows):
        record = data.source.read_row(row, data.rows.where(index), counts)
        assert [c.text for c in record.completions] == [
            c["response"] for c in rows[index]["completions"]
        ]
    assert counts["ratings_missing"] == 0


def test_an_unknown_schema_names_its_columns_and_those_accepted(tmp_path):
    with pytest.raises(DataError) as error:
        opened(write_jsonl(tmp_path / "d.jsonl", [{"question": 1, "answer": 2}]))
    assert "columns answer, question" in str(error.value)
    assert "instruction, completions" in str(error.value)
    assert "score_chosen" in str(error.value)


def test_the_word_demo_opens_the_bundled_data():
    assert opened("demo").source.name == "demo"
    assert len(opened("demo").rows) == 200


def test_a_path_that_does_not_exist_names_what_can_be_given():
    with pytest.raises(DataError, match=r"no such file or folder.*'demo'"):
        opened("nowhere.jsonl")


def test_other_kinds_of_file_are_refused(tmp_path):
    (tmp_path / "d.csv").write_text("a,b\n")
    with pytest.raises(
        DataError, match=r"file type '\.csv' is not supported\. Use \.json, \.jsonl, \.parquet"
    ):
        opened(tmp_path / "d.csv")


def test_a_folder_that_datasets_did_not_save_is_refused(tmp_path):
    with pytest.raises(DataError, match="not saved by datasets"):
        opened(tmp_path)


def test_a_folder_without_the_split_names_those_there_are(tmp_path):
    save_folder_of_splits(tmp_path / "d")
    with pytest.raises(DataError, match="no split 'dev'. Its splits: train, test"):
        opened(tmp_path / "d", "dev")


def test_an_empty_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match="there are no rows"):
        opened(write_jsonl(tmp_path / "d.jsonl", []))


def test_a_damaged_parquet_file_is_an_error(tmp_path):
    (tmp_path / "d.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="this Parquet file cannot be read"):
        opened(tmp_path / "d.parquet")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"chosen": "a", "rejected": "b"}\n{"chosen": "a', "line 2: this is not valid JSON"),
        (b'{"chosen": "a", "rejected": "b"}\n\n{"chosen": "\xff"}\n', "line 3: this is not UTF-8"),
        (b'["a"]\n', "line 1: this is a JSON list"),
        (b'{"chosen": 1' + b"0" * 5000 + b"}", "line 1: this is not valid JSON"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, content, message):
    (tmp_path / "d.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(opened(tmp_path / "d.jsonl").rows)


def test_a_byte_order_mark_is_no_part_of_the_data(tmp_path):
    (tmp_path / "d.jsonl").write_bytes(b"\xef\xbb\xbf" + json.dumps(ROWS[0]).encode())
    assert list(opened(tmp_path / "d.jsonl").rows) == ROWS[:1]


def test_the_hub_out_of_reach_names_the_ways_to_local_data():
    with pytest.raises(DataError) as error:
        open_hub("nobody/nothing-here", "train", None, [])
    assert """--metadata '{"data": "PATH"}'""" in str(error.value)
    assert """--metadata '{"data": "demo"}'""" in str(error.value)
    assert "pretrained=demo" in str(error.value)

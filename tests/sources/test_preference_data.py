import json

import datasets
import pytest

from tests.conftest import raw_row, write_jsonl
from ultrarm_eval.data.records import DataCounts
from ultrarm_eval.errors import DataError
from ultrarm_eval.plugins import PluginRegistry, make_plugin_manager
from ultrarm_eval.sources.preference_data import open_hub, open_named_or_local

ROWS = [{"prompt": "q", "chosen": "good", "rejected": "bad"}, {"prompt": "p", "chosen": "a", "rejected": "b"}]  # fmt: skip


@pytest.fixture
def sources():
    return PluginRegistry(make_plugin_manager(load_entry_points=False)).sources()


@pytest.fixture
def open_data(sources):
    return lambda data, split="test": open_named_or_local(str(data), split, sources)


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
def test_every_form_of_file_gives_the_same_rows(tmp_path, open_data, name, save):
    save(tmp_path / name)
    opened = open_data(tmp_path / name)
    assert [dict(row) for row in opened.rows] == ROWS
    assert dict(opened.rows[1]) == ROWS[1]
    assert opened.source.name == "pairs"


@pytest.mark.parametrize(
    ("row", "source"),
    [
        (raw_row(), "ultrafeedback"),
        ({"chosen": "a", "rejected": "b"}, "pairs"),
        ({"chosen": "a", "rejected": "b", "score_chosen": 1, "score_rejected": 0}, "binarized"),
        ({"chosen": "a", "rejected": "b", "chosen-rating": 1, "rejected-rating": 0}, "binarized"),
    ],
)
def test_schemas_are_recognised_by_their_columns(tmp_path, open_data, row, source):
    assert open_data(write_jsonl(tmp_path / "d.jsonl", [row])).source.name == source


def test_a_folder_of_files_is_refused_with_their_names(tmp_path, open_data):
    write_jsonl(tmp_path / "natural.jsonl", ROWS)
    with pytest.raises(DataError, match=r"\(in this folder: natural.jsonl\)"):
        open_data(tmp_path)


@pytest.mark.parametrize("form", ["parquet", "folder"])
def test_nested_rows_survive_tables(tmp_path, open_data, form):
    rows = [raw_row(), raw_row(answers=(("a", 5), ("b", 1), ("c", 2)))]
    table = datasets.Dataset.from_list(rows)
    path = tmp_path / ("d.parquet" if form == "parquet" else "d")
    table.to_parquet(path) if form == "parquet" else table.save_to_disk(path)
    opened = open_data(path)
    assert opened.source.name == "ultrafeedback"
    counts = DataCounts()
    for index, row in enumerate(opened.rows):
        record = opened.source.read_row(row, opened.rows.where(index), counts)
        assert [c.text for c in record.completions] == [
            c["response"] for c in rows[index]["completions"]
        ]
    assert counts["ratings_missing"] == 0


def test_an_unknown_schema_names_its_columns_and_those_accepted(tmp_path, open_data):
    with pytest.raises(DataError) as error:
        open_data(write_jsonl(tmp_path / "d.jsonl", [{"question": 1, "answer": 2}]))
    assert "columns answer, question" in str(error.value)
    assert "instruction, completions" in str(error.value)
    assert "score_chosen" in str(error.value)


def test_the_word_demo_opens_the_bundled_data(open_data):
    assert open_data("demo").source.name == "demo"
    assert len(open_data("demo").rows) == 200


def test_a_path_that_does_not_exist_names_what_can_be_given(open_data):
    with pytest.raises(DataError, match=r"no such file or folder.*'demo'"):
        open_data("nowhere.jsonl")


def test_other_kinds_of_file_are_refused(tmp_path, open_data):
    (tmp_path / "d.csv").write_text("a,b\n")
    with pytest.raises(DataError, match=r"'\.csv' are not read; use \.json, \.jsonl, \.parquet"):
        open_data(tmp_path / "d.csv")


def test_a_folder_that_datasets_did_not_save_is_refused(tmp_path, open_data):
    with pytest.raises(DataError, match="not saved by datasets"):
        open_data(tmp_path)


def test_a_folder_without_the_split_names_those_there_are(tmp_path, open_data):
    save_folder_of_splits(tmp_path / "d")
    with pytest.raises(DataError, match="no split 'dev', and several others: train, test"):
        open_data(tmp_path / "d", "dev")


def test_an_empty_file_is_an_error(tmp_path, open_data):
    with pytest.raises(DataError, match="there are no rows"):
        open_data(write_jsonl(tmp_path / "d.jsonl", []))


def test_a_damaged_parquet_file_is_an_error(tmp_path, open_data):
    (tmp_path / "d.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(DataError, match="no readable Parquet file"):
        open_data(tmp_path / "d.parquet")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"chosen": "a", "rejected": "b"}\n{"chosen": "a', "line 2: this is no readable JSON"),
        (b'{"chosen": "a", "rejected": "b"}\n\n{"chosen": "\xff"}\n', "line 3: this is not UTF-8"),
        (b'["a"]\n', "line 1: this is a JSON list"),
        (b'{"chosen": 1' + b"0" * 5000 + b"}", "line 1: this is no readable JSON"),
    ],
)
def test_a_damaged_line_is_named(tmp_path, open_data, content, message):
    (tmp_path / "d.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(open_data(tmp_path / "d.jsonl").rows)


def test_a_byte_order_mark_is_no_part_of_the_data(tmp_path, open_data):
    (tmp_path / "d.jsonl").write_bytes(b"\xef\xbb\xbf" + json.dumps(ROWS[0]).encode())
    assert list(open_data(tmp_path / "d.jsonl").rows) == ROWS[:1]


def test_the_hub_out_of_reach_names_the_ways_to_local_data(sources):
    with pytest.raises(DataError) as error:
        open_hub("nobody/nothing-here", "train", None, sources)
    assert """--metadata '{"data": "PATH"}'""" in str(error.value)
    assert """--metadata '{"data": "demo"}'""" in str(error.value)
    assert "pretrained=demo" in str(error.value)

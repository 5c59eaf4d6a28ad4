"""Parquet files and saved folders as rows: values, damage, texts that are none, no cache."""

import datetime as dt
import json
import os
import pickle
import subprocess
import sys
from decimal import Decimal

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import opened, write_jsonl
from ultrarm_eval import load_documents
from ultrarm_eval.data.files import open_file, open_folder
from ultrarm_eval.data.hub import load_hub
from ultrarm_eval.data.tables import ParquetRows, as_rows
from ultrarm_eval.errors import DataError
from ultrarm_eval.sources.answers import read_answers

MESSAGES = [{"role": "user", "content": "q"}, {"role": "assistant", "content": None}]
COLUMNS = {
    "text": pa.array(["a", "é", None, "", "x"]),
    "large": pa.array([["a"]] * 5, pa.large_list(pa.large_string())),
    "repeated": pa.array(["x", "y", "x", None, "x"]).dictionary_encode(),
    "messages": pa.array([MESSAGES, [], None, MESSAGES, MESSAGES]),
    "nested": pa.array([{"a": 1, "b": {"c": ["x"]}}] * 5),
    "bytes": pa.array([b"\xff"] * 5),
    "single": pa.array([0.1] * 5, pa.float32()),
    "whole": pa.array([2**64 - 1] * 5, pa.uint64()),
    "decimal": pa.array([Decimal("1.50")] * 5),
    "truth": pa.array([True, False, None, True, True]),
    "day": pa.array([dt.date(2020, 1, 1)] * 5),
    "nothing": pa.nulls(5),
}


def texts(*encoded):
    """A column of texts, of which some are none."""
    column = pa.array(encoded, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(encoded), column.buffers())


def test_values_and_columns_are_those_that_datasets_reads(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(COLUMNS), path, row_group_size=2)
    ours = list(ParquetRows(path))
    theirs = list(datasets.Dataset.from_parquet(str(path), cache_dir=str(tmp_path / "cache")))
    # Except a float of 32 bits, which is the decimal that was written.
    assert ours == [{**row, "single": 0.1} for row in theirs]
    assert [list(row) for row in ours] == [list(COLUMNS)] * 5


@pytest.mark.parametrize("save", ["parquet", "folder"])
def test_floats_of_few_bits_are_the_decimals_that_were_written(tmp_path, save):
    half, single = pa.float16(), pa.float32()
    rating = pa.struct([("of", pa.string()), ("value", single)])
    answers = [[{"of": "a", "value": 4.1}, {"of": None, "value": None}, None], None, []]
    table = pa.table(
        {
            "single": pa.array([4.3, None, 1e-7], single),
            "half": pa.array([0.1, 3.5, 65504.0], half) if save == "parquet" else [0.1] * 3,
            "double": pa.array([4.1, 0.1 + 0.2, 1e300]),
            "answers": pa.array(answers, pa.list_(rating)),
            "pair": pa.array([[4.3, 3.3]] * 3, pa.list_(single, 2)),
            "text": ["a", "b", "c"],
        }
    )
    path = tmp_path / ("t.parquet" if save == "parquet" else "t")
    if save == "parquet":
        pq.write_table(table, path)
    else:
        datasets.Dataset(table).save_to_disk(str(path))
    choose = "Name one."
    rows = open_folder(path, "test", choose=choose) if path.is_dir() else open_file(path)
    assert [row["single"] for row in rows] == [4.3, None, 1e-7]
    assert rows[0]["half"] == 0.1
    assert [row["double"] for row in rows] == [4.1, 0.1 + 0.2, 1e300]
    assert [row["answers"] for row in rows] == answers
    assert rows[2]["pair"] == [4.3, 3.3]
    numbers = pa.table({"x": pa.array([float("nan"), float("-inf"), 3.4e38], single)})
    assert [str(row["x"]) for row in as_rows(datasets.Dataset(numbers), "t")] == [
        "nan",
        "-inf",
        "3.4e+38",
    ]


def test_a_gap_between_ratings_of_32_bits_is_exact(tmp_path):
    scores = {"score_chosen": [4.1, 4.3], "score_rejected": [3.1, 3.3]}
    texts_of = {"prompt": ["q", "r"], "chosen": ["a", "a"], "rejected": ["b", "b"]}
    of_32_bits = {name: pa.array(values, pa.float32()) for name, values in scores.items()}
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({**texts_of, **of_32_bits}), path)
    assert load_documents(path, min_gap=1).counts["pairs"] == 2


def test_json_values_that_datasets_writes_as_texts_are_read_as_it_reads_them(tmp_path):
    if not hasattr(datasets, "Json"):
        pytest.skip("this version of datasets has no JSON values")
    features = datasets.Features({"chosen": datasets.List(datasets.Json())})
    rows = [{"chosen": [{"role": "user", "content": "q"}, {"x": 1}]}]
    path = tmp_path / "t.parquet"
    datasets.Dataset.from_list(rows, features=features).to_parquet(str(path))
    assert list(ParquetRows(path)) == rows


@pytest.fixture
def numbered(tmp_path):
    path = tmp_path / "numbered.parquet"
    pq.write_table(pa.table({"n": range(1000)}), path, row_group_size=700)
    return ParquetRows(path)


@pytest.mark.parametrize(
    "indices", [[0], [999], [699, 700], [3, 5, 260, 701, 999], range(0, 1000, 37), range(1000)]
)
def test_rows_are_had_by_their_numbers(numbered, indices):
    assert [row["n"] for row in numbered.at(indices)] == list(indices)
    assert [numbered[i]["n"] for i in reversed(list(indices))] == list(reversed(list(indices)))


def test_readers_at_once_do_not_disturb_each_other(numbered):
    pairs = zip(numbered, numbered.at(range(500, 1000)), strict=False)
    assert all(b["n"] - a["n"] == 500 == numbered[500]["n"] for a, b in pairs)


def test_a_table_is_a_sequence(numbered):
    assert (len(numbered), numbered[-1]["n"]) == (1000, 999)
    assert [row["n"] for row in numbered[2:8:3]] == [2, 5]
    assert pickle.loads(pickle.dumps(numbered))[701]["n"] == 701
    with pytest.raises(IndexError):
        numbered[1000]


def save_parquet(table, path):
    pq.write_table(table, path)


def save_folder(table, path):
    datasets.Dataset(table).save_to_disk(str(path))


def save_by_groups(table, path):
    pq.write_table(table, path, row_group_size=1)


@pytest.mark.parametrize("save", [save_parquet, save_folder, save_by_groups])
@pytest.mark.parametrize("way", ["iterated", "asked for", "one by one"])
def test_a_text_that_is_no_utf8_is_our_error_whichever_way_rows_are_read(tmp_path, save, way):
    path = tmp_path / ("t" if save is save_folder else "t.parquet")
    broken = texts(b"p0", b"p1", b"\xff\xfe", b"p3")
    save(pa.table({"prompt": broken, "chosen": ["a"] * 4, "rejected": broken}), path)
    data = opened(path)
    read = {
        "iterated": iter(data.rows),
        "asked for": (row for _, row in data.rows.read(range(4))),
        "one by one": (data.rows[i] for i in range(4)),
    }[way]
    assert [next(read)["prompt"] for _ in range(2)] == ["p0", "p1"]
    with pytest.raises(DataError, match=r"t.*, row 2: fields 'prompt', 'rejected' are not UTF-8"):
        next(read)
    assert data.rows[3]["prompt"] == "p3"


def test_answers_that_are_no_utf8_are_our_error(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"prompt": ["p", "q"], "completion": texts(b"a", b"\xff")}), path)
    with pytest.raises(DataError, match=r"t\.parquet, row 1: field 'completion' is not UTF-8"):
        read_answers(path)


def test_damage_within_a_file_is_our_error_and_the_rows_before_it_are_read(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(
        pa.table({"n": [f"row {i} {'x' * i}" for i in range(60)]}),
        path,
        row_group_size=20,
        compression="none",
        use_dictionary=False,
        write_page_checksum=True,
    )
    content = bytearray(path.read_bytes())
    content[content.index(b"row 45")] ^= 1
    path.write_bytes(content)
    rows = ParquetRows(path)
    assert rows[39]["n"].startswith("row 39")
    for _ in range(2):
        with pytest.raises(DataError, match=r"t\.parquet, row 45: the table cannot be read from"):
            rows[45]
    assert rows[0]["n"].startswith("row 0")
    with pytest.raises(DataError, match="cannot be read from this row on"):
        list(rows)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table([["a"], ["b"]], names=["x", "x"]), r"several columns have the same name \('x'\)"),
        (
            pa.table({"m": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))}),
            "column 'm' has the unsupported type map",
        ),
    ],
)
def test_columns_that_make_no_rows_are_refused(tmp_path, table, message):
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(DataError, match=f"this Parquet file cannot be read: {message}"):
        ParquetRows(tmp_path / "t.parquet")


@pytest.mark.parametrize("save", [save_parquet, save_folder])
def test_columns_that_are_not_selected_are_not_read(tmp_path, save):
    path = tmp_path / ("t" if save is save_folder else "t.parquet")
    save(pa.table({"prompt": texts(b"\xff"), "chosen": ["a"], "rejected": ["b"]}), path)
    rows = opened(path).rows
    assert list(rows.select_columns(["chosen"])) == [{"chosen": "a"}]
    assert as_rows(rows, "x") is rows


def test_a_list_of_rows_is_read_as_files_are():
    rows = as_rows([{"a": 1}, {"b": 2}], "x")
    assert list(rows) == [{"a": 1}, {"b": 2}]
    assert rows.column_names == ("a", "b")
    assert str(rows.where(1)) == "x, row 1"


@pytest.mark.slow
def test_sound_files_are_read_without_a_home_to_write_to(tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    row = {"prompt": "q", "chosen": "a", "rejected": "b"}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "t.parquet")
    datasets.Dataset.from_list([row]).save_to_disk(str(tmp_path / "folder"))
    write_jsonl(tmp_path / "t.jsonl", [row])
    code = (
        "import sys, json; from ultrarm_eval.sources.preference_data import open_named_or_local as o;"
        "from ultrarm_eval.sources.binarized import PLAIN;"
        "print(json.dumps([list(map(dict, o(p, 'x', [PLAIN]).rows)) for p in sys.argv[1:]]))"
    )
    paths = [str(tmp_path / name) for name in ("t.parquet", "folder", "t.jsonl")]
    environment = {
        **os.environ,
        "HOME": str(blocked / "home"),
        "HF_HOME": str(blocked / "hf"),
        "XDG_CACHE_HOME": str(blocked / "cache"),
    }
    for name in (
        "HF_DATASETS_CACHE",
        "HF_HUB_CACHE",
        "HUGGINGFACE_HUB_CACHE",
        "TRANSFORMERS_CACHE",
    ):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", code, *paths], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[row]] * 3


@pytest.mark.parametrize("error", [PermissionError, NotADirectoryError, OSError])
def test_a_cache_that_cannot_be_written_is_named(monkeypatch, error):
    import errno

    numbers = {PermissionError: errno.EACCES, NotADirectoryError: errno.ENOTDIR}

    def fails(*_, **__):
        try:
            raise error(numbers.get(error, errno.ENOSPC), "no", "/cache/x")
        except OSError as cause:
            raise RuntimeError("could not load") from cause

    monkeypatch.setenv("HF_HOME", "/cache")
    monkeypatch.setattr(datasets, "load_dataset", fails)
    with pytest.raises(DataError, match=r"HF_HOME='/cache'.* cannot be written.*Set HF_HOME to"):
        load_hub("some/data", "train", None)

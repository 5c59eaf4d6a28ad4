"""Data split into shards, one file each."""

import datetime as dt
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from ultrarm_eval.cli.main import main
from ultrarm_eval.data.files import open_file
from ultrarm_eval.data.rows import JsonLines, ListedRows
from ultrarm_eval.data.shard_files import INDEX, open_part, part_name, read_index, write_parts
from ultrarm_eval.errors import ConfigurationError, DataError

ROWS = [{"prompt": f"p{i}", "chosen": "a", "rejected": "b", "n": i / 3} for i in range(7)]


def joined(folder, number):
    """The rows of all parts by the numbers that they say they have."""
    found = {}
    for part in range(1, number + 1):
        rows = open_file(folder / part_name(part, number))
        for place, row in enumerate(rows):
            assert rows.where(place).row not in found
            found[rows.where(place).row] = row
    return [found[number] for number in sorted(found)]


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=()), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@pytest.mark.slow
@settings(max_examples=examples(30), deadline=None)
@given(st.lists(st.fixed_dictionaries({"a": _values, "b": _values}), min_size=1), st.data())
def test_the_parts_are_the_data(tmp_path_factory, rows, data):
    folder = tmp_path_factory.mktemp("parts") / "shards"
    number = data.draw(st.integers(1, len(rows)))
    index, was_there = write_parts(ListedRows(rows, "here"), number, folder)
    assert not was_there
    assert (index.rows, len(index.files)) == (len(rows), number)
    assert joined(folder, number) == rows


@pytest.mark.slow
def test_more_parts_than_files_can_be_open(tmp_path):
    rows = [{"n": i} for i in range(450)]
    write_parts(ListedRows(rows, "here"), 430, tmp_path / "shards")
    assert joined(tmp_path / "shards", 430) == rows


@pytest.mark.parametrize("form", ["jsonl", "parquet", "folder"])
def test_data_are_read_as_by_every_command(tmp_path, form, capsys):
    if form == "jsonl":
        data = tmp_path / "rows.jsonl"
        data.write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    elif form == "parquet":
        data = tmp_path / "rows.parquet"
        pq.write_table(pa.Table.from_pylist(ROWS), data)
    else:
        import datasets

        data = tmp_path / "saved"
        datasets.Dataset.from_list(ROWS).save_to_disk(str(data))
    assert main(["shard", str(data), "-n", "3", "-o", str(tmp_path / "s")]) == 0
    assert "7 rows in total, 2 or 3 in each" in capsys.readouterr().out
    assert joined(tmp_path / "s", 3) == ROWS
    about = read_index(tmp_path / "s" / INDEX)
    assert about.data == str(data)
    # The digest does not depend on the way of the rows, where they are tables.
    listed = ListedRows(ROWS, "here").digest()
    assert form == "jsonl" or about.digest == listed


def test_a_part_knows_its_line_and_its_row(tmp_path):
    write_parts(ListedRows(ROWS, "here"), 3, tmp_path / "s")
    rows = open_file(tmp_path / "s" / part_name(2, 3))
    where = rows.where(1)
    assert (where.row, where.line) == (4, 2)
    assert rows.part.number == 2
    assert rows.part.data == "here"


def test_writing_the_same_again_changes_nothing(tmp_path, capsys):
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    command = ["shard", str(data), "-n", "3", "-o", str(tmp_path / "s")]
    assert main(command) == 0
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "s").iterdir()}
    assert main(command) == 0
    assert "already written, unchanged" in capsys.readouterr().out
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "s").iterdir()} == before
    assert {p.name for p in tmp_path.iterdir()} == {"rows.jsonl", "s"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: (s / part_name(1, 3)).write_text("{}\n"),
            "part-00001-of-00003.jsonl is missing",
        ),
        (lambda s: (s / part_name(2, 3)).unlink(), "part-00002-of-00003.jsonl is missing"),
        (
            lambda s: (s / part_name(1, 9)).write_text("{}\n"),
            "part-00001-of-00009.jsonl is not in its index",
        ),
        (lambda s: (s / INDEX).unlink(), "with other content"),
        (lambda s: (s / INDEX).write_text("{}"), "with other content"),
        (lambda s: (s / INDEX).write_text("{"), "shards.json"),
    ],
)
def test_another_folder_is_refused_and_left_alone(tmp_path, change, message):
    rows = ListedRows(ROWS, "here")
    write_parts(rows, 3, tmp_path / "s")
    change(tmp_path / "s")
    before = {p: p.read_bytes() for p in (tmp_path / "s").iterdir()}
    with pytest.raises((ConfigurationError, DataError), match=message):
        write_parts(rows, 3, tmp_path / "s")
    assert {p: p.read_bytes() for p in (tmp_path / "s").iterdir()} == before


@pytest.mark.parametrize(
    ("rows", "number", "message"),
    [(ROWS[:6], 3, "rows: 7 there, 6 now"), (ROWS, 2, "shards: 3 there, 2 now")],
)
def test_other_parts_are_refused(tmp_path, rows, number, message):
    write_parts(ListedRows(ROWS, "here"), 3, tmp_path / "s")
    with pytest.raises(ConfigurationError, match=message):
        write_parts(ListedRows(rows, "here"), number, tmp_path / "s")


@pytest.mark.parametrize("number", [0, -1, 8])
def test_numbers_of_parts_that_cannot_be(tmp_path, number):
    with pytest.raises(ConfigurationError, match="from 1 to 7"):
        write_parts(ListedRows(ROWS, "here"), number, tmp_path / "s")
    assert not list(tmp_path.iterdir())


def test_a_part_of_a_part_is_refused(tmp_path):
    write_parts(ListedRows(ROWS, "here"), 2, tmp_path / "s")
    part = open_file(tmp_path / "s" / part_name(1, 2))
    with pytest.raises(ConfigurationError, match="already shard 1 of 2 of here"):
        write_parts(part, 2, tmp_path / "t")


def test_times_are_texts_and_bytes_are_refused(tmp_path):
    day = dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.timezone.utc)
    write_parts(ListedRows([{"at": day}], "here"), 1, tmp_path / "s")
    assert joined(tmp_path / "s", 1) == [{"at": "2026-01-02T03:04:00+00:00"}]
    with pytest.raises(DataError, match="row 0: column 'image' has a value of type bytes"):
        write_parts(ListedRows([{"image": [b"x"]}], "here"), 1, tmp_path / "t")
    assert not (tmp_path / "t").exists()
    assert {p.name for p in tmp_path.iterdir()} == {"s"}


def test_without_its_index_a_part_is_a_file_like_any_other(tmp_path):
    write_parts(ListedRows(ROWS, "here"), 2, tmp_path / "s")
    (tmp_path / "s" / INDEX).unlink()
    path = tmp_path / "s" / part_name(2, 2)
    assert open_part(path) is None
    assert type(open_file(path)) is JsonLines


@pytest.mark.parametrize(
    "change",
    [{"files": []}, {"files": {"a": "b"}}, {"rows": "many"}, {"digest": ...}, {"rows": None}],
)
def test_a_damaged_index_is_named(tmp_path, change):
    write_parts(ListedRows(ROWS, "here"), 2, tmp_path / "s")
    path = tmp_path / "s" / INDEX
    content = {**json.loads(path.read_text()), **change}
    path.write_text(json.dumps({n: v for n, v in content.items() if v is not ...}))
    with pytest.raises(DataError, match=r"shards\.json: this index is damaged"):
        open_file(tmp_path / "s" / part_name(1, 2))

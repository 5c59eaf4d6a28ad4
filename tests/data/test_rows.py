import pytest

from tests.conftest import write_jsonl
from ultrarm_eval import io
from ultrarm_eval.data.files import open_file
from ultrarm_eval.data.rows import JsonLines
from ultrarm_eval.errors import DataError


@pytest.fixture
def parsed(monkeypatch):
    """The texts that were parsed, in their order."""
    texts = []
    parse = io.parse_json
    monkeypatch.setattr(
        io,
        "parse_json",
        lambda text, *args, **kwargs: texts.append(text) or parse(text, *args, **kwargs),
    )
    return texts


def test_rows_are_parsed_once_also_where_their_columns_are_asked_for_first(tmp_path, parsed):
    rows = JsonLines(write_jsonl(tmp_path / "d.jsonl", [{"n": i} for i in range(150)]))
    assert parsed == []
    assert rows.column_names == ("n",)
    assert len(parsed) == 100
    assert [row["n"] for row in rows] == list(range(150))
    assert len(parsed) == 150


def test_rows_do_not_stay_in_memory(tmp_path, parsed):
    rows = JsonLines(write_jsonl(tmp_path / "d.jsonl", [{"n": 1}, {"n": 2}]))
    assert rows[1] == rows[1]
    assert rows[1] is not rows[1]
    assert len(parsed) == 4


def test_columns_are_those_of_all_first_rows_that_can_be_read(tmp_path):
    path = tmp_path / "d.jsonl"
    path.write_text('{"a": 1}\n{"b": \n{"c": 1, "a": 2}\n')
    rows = JsonLines(path)
    assert rows.column_names == ("a", "c")
    assert [row for _, row in rows.read([0, 2])] == [{"a": 1}, {"c": 1, "a": 2}]
    with pytest.raises(DataError, match=r"d\.jsonl, line 2: this is not valid JSON"):
        rows[1]


def test_without_any_row_that_can_be_read_the_first_one_says_why(tmp_path):
    (tmp_path / "d.jsonl").write_text('{"a": \n[1]\n')
    with pytest.raises(DataError, match=r"d\.jsonl, line 1"):
        _ = JsonLines(tmp_path / "d.jsonl").column_names


def test_rows_are_counted_from_both_ends_and_sliced(tmp_path):
    rows = JsonLines(write_jsonl(tmp_path / "d.jsonl", [{"n": i} for i in range(4)]), "mine")
    assert rows[-1] == {"n": 3}
    assert rows[1:3] == [{"n": 1}, {"n": 2}]
    with pytest.raises(IndexError, match="mine has 4 rows; there is no row 4"):
        rows[4]


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("d.jsonl", "Each line must be one complete JSON object, in UTF-8"),
        ("d.json", "The file must contain a JSON list of rows, in UTF-8"),
    ],
)
def test_what_is_not_utf_8_is_an_error_that_says_what_to_save(tmp_path, name, mend):
    path = tmp_path / name
    path.write_bytes('[{"a": "ü"}]'.encode("latin-1"))
    with pytest.raises(DataError, match=rf"this is not UTF-8 \(byte 8\)\. {mend}"):
        list(open_file(path))

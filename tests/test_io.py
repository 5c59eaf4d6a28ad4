import json
import os
from pathlib import Path

import pytest

from ultrarm_eval.errors import CheckpointError, DataError
from ultrarm_eval.io import json_lines, parse_json, read_json, whole_file, write_whole

DAMAGED = [
    (b'{"a": "\xc3\x28"}', r"this is not UTF-8 \(byte 7\)\. Mend it\."),
    (b'{"a": ', r"this is not valid JSON \(Expecting value: line 1 column 7.*\)\. Mend it\."),
    (b'{"a": ' + b"1" * 5000 + b"}", r"this is not valid JSON \(.*digits.*\)\. Mend it\."),
    (b'{"a":' * 100_000, r"this JSON is nested too deeply\. Mend it\."),
    (b"[" * 150 + b"]" * 150, r"this JSON is nested too deeply\. Mend it\."),
]


@pytest.mark.parametrize(("content", "problem"), DAMAGED)
def test_damaged_json_is_an_error_that_says_where_and_what_to_do(tmp_path, content, problem):
    path = tmp_path / "d.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"d\.json: {problem}"):
        read_json(path, mend="Mend it.")
    with pytest.raises(CheckpointError, match=rf"^there: {problem}"):
        parse_json(content, "there", mend="Mend it.", error=CheckpointError)


def test_brackets_beside_each_other_and_in_texts_are_no_depth():
    value = {"list": [[]] * 500, "text": "[" * 500}
    assert parse_json(str(value).replace("'", '"'), "there") == value


def test_a_byte_order_mark_is_no_part_of_the_value(tmp_path):
    (tmp_path / "d.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(tmp_path / "d.json") == {"a": 1}


def test_a_file_that_is_not_there_is_an_error_of_ours(tmp_path):
    with pytest.raises(DataError, match=r"none\.json: cannot read the file \(No such file"):
        read_json(tmp_path / "none.json")


def test_lines_know_their_number_and_their_start(tmp_path):
    path = tmp_path / "d.jsonl"
    path.write_bytes(b'{"a": 1}\n\n  \n{"a": 2}\r\n[3]')
    lines = list(json_lines(path))
    assert [(line.number, line.start) for line in lines] == [(1, 0), (4, 13), (5, 23)]
    assert [line.parsed() for line in lines[:2]] == [{"a": 1}, {"a": 2}]
    with pytest.raises(DataError, match=r"d\.jsonl, line 5: this is a JSON list"):
        lines[2].parsed()


def test_line_separators_of_unicode_are_part_of_a_text(tmp_path):
    path = tmp_path / "d.jsonl"
    path.write_bytes('{"a": "\u2028 \u0085"}\r\n{"a": "\\u2028"}'.encode())
    assert [line.parsed()["a"] for line in json_lines(path)] == ["\u2028 \u0085", "\u2028"]


def test_a_file_that_is_cut_off_anywhere_gives_its_whole_lines(tmp_path):
    path, rows = tmp_path / "d.jsonl", [{"a": "ü"}, {"b": "\u2028"}, {"c": 3}]
    lines = [json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows]
    whole = b"".join(lines)
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        found = list(json_lines(path))
        kept = whole[:size].count(b"\n")
        assert [line.parsed() for line in found[:kept]] == rows[:kept]
        rest = whole[:size].rpartition(b"\n")[2]
        assert len(found) == kept + bool(rest)
        if rest and rest + b"\n" not in lines:
            with pytest.raises(DataError, match=rf"d\.jsonl, line {kept + 1}: this is "):
                found[-1].parsed()


class TestWritingWhole:
    def test_a_failure_leaves_what_was_there(self, tmp_path):
        path = tmp_path / "out.txt"
        write_whole(path, "before")

        def fail():
            with whole_file(path) as unfinished:
                unfinished.write_text("half of")
                assert path.read_text() == "before"
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail()
        assert path.read_text() == "before"
        assert list(tmp_path.iterdir()) == [path]

    def test_the_file_is_replaced_once_it_is_written(self, tmp_path):
        path = tmp_path / "out.txt"
        write_whole(path, "before")
        write_whole(path, "äfter")
        assert path.read_bytes() == "äfter".encode()
        assert list(tmp_path.iterdir()) == [path]

    def test_a_missing_folder_and_a_folder_are_os_errors(self, tmp_path):
        with pytest.raises(OSError, match="No such file"):
            write_whole(tmp_path / "none" / "out.txt", "text")
        (tmp_path / "file").write_text("")
        with pytest.raises(OSError, match="Not a directory"):
            write_whole(tmp_path / "file" / "out.txt", "text")
        (tmp_path / "folder").mkdir()
        with pytest.raises(OSError, match="Is a directory"):
            write_whole(tmp_path / "folder", "text")

    def test_a_device_is_written_to_and_not_replaced(self):
        write_whole(Path(os.devnull), "text")
        assert not Path(os.devnull).is_file()

import json

import pytest

from ultrarm_eval.errors import DataError
from ultrarm_eval.runs.sample_lines import sample_at, sample_lines

LINES = ['{"a": "ü"}', '{"b": "\u2028 \u0085 \\u2028"}', '{"c": 3}']


@pytest.fixture
def path(tmp_path):
    return tmp_path / "samples_pairs_2026-01-01T00-00-00.jsonl"


def contents(path):
    return [line.content for line in sample_lines(path)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_are_numbered_and_found_again_by_where_they_begin(path, end):
    path.write_bytes(end.join([LINES[0], "", *LINES[1:]]).encode())
    lines = list(sample_lines(path))
    # Line separators of Unicode are part of a text; empty lines count and are no samples.
    assert [line.number for line in lines] == [1, 3, 4]
    assert [line.content for line in lines] == [json.loads(line) for line in LINES]
    for line in lines:
        assert sample_at(path, line.start) == line.content


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        (b'{"a": 1', "line 2: this is no JSON"),
        (b'{"a": "\xc3', "line 2: this is not UTF-8 .byte 7"),
        (b"\x00\x00", "line 2: this is no JSON"),
        (b"[1, 2]", "line 2: this is no JSON object"),
        (b"[" * 100_000, "line 2: this JSON is nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "line 2: this JSON has a number of too many digits"),
    ],
)
def test_what_is_wrong_with_a_line_is_said_in_its_place(path, damaged, said):
    path.write_bytes(LINES[0].encode() + b"\n" + damaged + b"\n" + LINES[2].encode() + b"\n")
    first, error, last = contents(path)
    assert (first, last) == (json.loads(LINES[0]), json.loads(LINES[2]))
    with pytest.raises(DataError, match=said):
        raise error


def test_a_file_that_is_cut_off_anywhere_gives_its_whole_lines(path):
    whole = "".join(line + "\n" for line in LINES).encode()
    complete = [json.loads(line) for line in LINES]
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        found = contents(path)
        kept = whole[:size].count(b"\n")
        assert found[:kept] == complete[:kept]
        rest = whole[:size].rpartition(b"\n")[2]
        if not rest:
            assert len(found) == kept
        elif found[kept:] != complete[kept : kept + 1]:
            # Without its end a line may still be whole; else it is damaged, and never another one.
            (error,) = found[kept:]
            assert isinstance(error, DataError)


def test_a_place_that_is_none_is_an_error(path):
    path.write_text(LINES[0] + "\n")
    for start in (3, 1000):
        with pytest.raises(DataError, match=f"byte {start}: this is no"):
            sample_at(path, start)

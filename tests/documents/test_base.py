import pytest

from tests.conftest import raw_row, write_jsonl
from ultrarm_eval import io
from ultrarm_eval.data.rows import ListedRows, Shard
from ultrarm_eval.documents import base
from ultrarm_eval.documents.preference import PreferenceDocuments, load_documents
from ultrarm_eval.errors import DataError
from ultrarm_eval.sources.binarized import PLAIN
from ultrarm_eval.sources.preference_data import PreferenceData

RATINGS = (("good", 5), ("bad", 1))


@pytest.fixture
def data(tmp_path):
    return write_jsonl(tmp_path / "d.jsonl", [raw_row(f"p{i}", RATINGS) for i in range(120)])


@pytest.fixture
def parsed(monkeypatch):
    """The texts that were parsed, in their order."""
    texts = []
    parse = io.parse_json
    monkeypatch.setattr(
        io,
        "parse_json",
        lambda text, *args, **rest: texts.append(text) or parse(text, *args, **rest),
    )
    return texts


def test_each_row_is_parsed_once_however_often_documents_are_asked_for(data, parsed):
    documents = load_documents(data)
    first = list(documents)
    assert documents[5] is documents[5] is first[5]
    assert [d.prompt[0]["content"] for d in documents] == [f"p{i}" for i in range(120)]
    assert len(parsed) == len(set(parsed)) == 120


def test_what_does_not_fit_into_memory_is_read_again_and_is_the_same(data, parsed, monkeypatch):
    whole = list(load_documents(data))
    parsed.clear()
    # Each has nine or more characters: "p0", "good" and "bad".
    monkeypatch.setattr(base, "_MOST_CHARACTERS", 9 * 10)
    documents = load_documents(data)
    assert len(parsed) == 120
    assert list(documents) == list(documents) == whole
    assert documents[9] is documents[9]
    assert documents[10] is not documents[10]
    assert len(parsed) == 120 + 2 * 110 + 2
    assert documents.counts.as_dict() == load_documents(data).counts.as_dict()


def test_data_that_changed_since_are_an_error(data, monkeypatch):
    monkeypatch.setattr(base, "_MOST_CHARACTERS", 0)
    documents = load_documents(data)
    lines = data.read_bytes().splitlines(keepends=True)
    lines[0] = lines[0].replace(b"good", b"same").replace(b"bad", b"sam")
    lines[1] = lines[1].replace(b'"Rating": "5"', b'"Rating": "1"').replace(b"good", b"gone")
    data.write_bytes(b"".join(lines))
    assert documents[0].completions == ("same", "sam")
    with pytest.raises(DataError, match=r"d\.jsonl, line 2: the data changed while it was read"):
        documents[1]


def test_data_without_rows_are_not_called_a_part():
    data = PreferenceData(ListedRows([], "x"), PLAIN)
    with pytest.raises(DataError, match=r"^x: there are no rows\.$"):
        PreferenceDocuments(data)
    with pytest.raises(DataError, match=r"^x, shard 2/3: there are no rows in this shard of 0\."):
        PreferenceDocuments(data, shard=Shard(2, 3))

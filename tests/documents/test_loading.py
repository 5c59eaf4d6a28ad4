import logging

import pytest

from tests.conftest import raw_row, write_jsonl
from ultrarm_eval import load_documents
from ultrarm_eval.documents.prompt_documents import PromptDocuments
from ultrarm_eval.errors import ConfigurationError, DataError

ROWS = [
    raw_row("p", (("aa", 5), ("b", 1), ("c", 3))),
    raw_row("q", (("x", 2), ("y", 2)), source="flan_v2_cot"),
    raw_row("r", (("x", 2), ("y", 4)), source="flan_v2_cot"),
]


@pytest.fixture
def path(tmp_path):
    return write_jsonl(tmp_path / "d.jsonl", ROWS)


def test_documents_come_with_their_counts(path, caplog, monkeypatch):
    # The harness may have taken our log lines over.
    monkeypatch.setattr(logging.getLogger("ultrarm_eval"), "propagate", True)
    with caplog.at_level(logging.WARNING, logger="ultrarm_eval"):
        documents = load_documents(path)
    assert isinstance(documents, PromptDocuments)
    assert [document.row for document in documents] == [0, 2]
    assert documents[0]["ratings"] == ["5", "1", "3"]
    assert (documents.counts["documents"], documents.counts["pairs"]) == (2, 4)
    assert documents.counts["rows_left_out_without_pairs"] == 1
    # Handlers that a harness's run left behind hear it as well.
    (line,) = dict.fromkeys(caplog.messages)
    assert line.startswith(f"{path}: 1 row left out")
    assert line.endswith(f"{path}, line 2.")


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({"preference": "honesty"}, [0, 2]),
        ({"min_gap": 2.5}, [0]),
        ({"min_gap": "4"}, [0]),
        ({"source": "flan"}, [2]),
        ({"shard": "1/2"}, [0, 2]),
    ],
)
def test_options_choose_as_metadata_do(path, options, rows):
    documents = load_documents(str(path), **options)
    assert [document.row for document in documents] == rows


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"preference": "beauty"}, ConfigurationError, "nknown preference 'beauty'"),
        ({"min_gap": "wide"}, ConfigurationError, "min_gap='wide'"),
        ({"split": "test"}, ConfigurationError, "has no splits"),
        ({"revision": "main"}, ConfigurationError, "no revisions"),
        ({"shard": "3"}, ConfigurationError, "shard='3'"),
        ({"source": "sharegtp"}, DataError, "no prompts of the source 'sharegtp'"),
    ],
)
def test_what_cannot_be_used_is_refused(path, options, error, message):
    with pytest.raises(error, match=message):
        load_documents(path, **options)

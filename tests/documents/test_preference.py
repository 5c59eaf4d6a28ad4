import json
import logging

import pytest

from tests.conftest import opened, raw_row, write_jsonl
from ultrarm_eval import load_documents
from ultrarm_eval.documents.document import Document, is_comparison
from ultrarm_eval.documents.preference import PreferenceDocuments
from ultrarm_eval.errors import ConfigurationError, DataError

ROWS = [
    raw_row("p", (("aa", 5), ("b", 1), ("c", 3))),
    raw_row("q", (("x", 2), ("y", 2)), source="flan_v2_cot"),
    raw_row("r", (("x", 2), ("y", 4)), source="flan_v2_cot"),
]


@pytest.fixture
def path(tmp_path):
    return write_jsonl(tmp_path / "d.jsonl", ROWS)


@pytest.fixture
def documents(tmp_path):
    def make(*rows):
        return PreferenceDocuments(opened(write_jsonl(tmp_path / "data.jsonl", list(rows))))

    return make


def test_documents_come_with_their_counts(path, caplog, monkeypatch):
    # The harness may have taken our log lines over.
    monkeypatch.setattr(logging.getLogger("ultrarm_eval"), "propagate", True)
    with caplog.at_level(logging.WARNING, logger="ultrarm_eval"):
        documents = load_documents(path)
    assert isinstance(documents, PreferenceDocuments)
    assert [document.row for document in documents] == [0, 2]
    assert documents[0]["ratings"] == ["5", "1", "3"]
    assert (documents.counts["documents"], documents.counts["pairs"]) == (2, 4)
    assert documents.counts["rows_left_out_without_pairs"] == 1
    # Handlers that a harness's run left behind hear it as well.
    (line,) = dict.fromkeys(caplog.messages)
    assert line.startswith(f"{path}: 1 row excluded")
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
        ({"source": "sharegtp"}, DataError, "no prompts of source 'sharegtp'"),
    ],
)
def test_what_cannot_be_used_is_refused(path, options, error, message):
    with pytest.raises(error, match=message):
        load_documents(path, **options)


def test_rows_without_a_pair_are_left_out_and_counted_and_rows_keep_their_numbers(documents):
    made = documents(raw_row(answers=(("a", 3), ("b", 3))), raw_row(), raw_row(answers=(("a", 1),)))
    assert [document.row for document in made] == [made[0].row] == [1]
    assert len(made) == 1
    counts = made.counts
    assert (counts["rows"], counts["documents"], counts["pairs"]) == (3, 1, 1)
    assert counts["rows_left_out_without_pairs"] == 2
    assert counts["pairs_left_out_equal_ratings"] == 1


def test_identical_answers_with_different_ratings_are_counted(documents):
    made = documents(raw_row(answers=(("same", 5), ("same", 1))))
    assert made.counts["pairs_with_identical_answers"] == 1


def test_iteration_and_indexing_agree(documents):
    made = documents(raw_row(), raw_row(answers=(("a", 3), ("b", 3))), raw_row(instruction="x"))
    assert list(made) == [made[0], made[1]] == made[:]


def test_no_pair_at_all_is_an_error_that_says_why(documents):
    with pytest.raises(DataError, match=r"no pair is left.*excluded: 1 pair \(equal ratings\)"):
        documents(raw_row(answers=(("a", 3), ("b", 3))))


def test_a_missing_field_is_named_with_its_line(documents):
    broken = raw_row()
    del broken["completions"]
    with pytest.raises(DataError, match=r"data\.jsonl, line 2: field 'completions' is missing"):
        documents(raw_row(), broken)


def test_the_real_pairs_are_counted(real_pairs):
    counts = PreferenceDocuments(opened(real_pairs)).counts
    rows = [json.loads(line) for line in real_pairs.read_text(encoding="utf-8").splitlines()]
    unequal = [r for r in rows if r["score_chosen"] != r["score_rejected"]]
    different = [r for r in unequal if r["chosen"][-1]["content"] != r["rejected"][-1]["content"]]
    assert counts["pairs"] == len(different)
    assert counts["pairs_left_out_equal_scores"] == len(rows) - len(unequal)
    assert counts["pairs_left_out_identical_answers"] == len(unequal) - len(different)


def test_a_document_is_plain_json_and_keeps_exact_ratings(documents):
    (document,) = documents(raw_row(answers=(("a", 5), ("b", 1), ("c", 1))))
    written = json.loads(json.dumps(document.to_json()))
    assert is_comparison(written)
    assert Document.from_json(written) == document
    assert document.main_ratings == (5, 1, 1)
    assert document.completions == ("a", "b", "c")
    assert document.prompt == ({"role": "user", "content": "What is blue?"},)


def test_a_document_can_be_read_by_the_fields_of_its_json_form(documents):
    (document,) = documents(raw_row(answers=(("a", 5), ("b", 1))))
    assert document["completions"] == ["a", "b"]
    assert document["ratings"] == ["5", "1"]
    assert document["lengths"] == [1, 1]


def test_ratings_that_no_float_can_tell_apart_survive(documents):
    row = raw_row(answers=(("a", 3), ("b", 3)))
    for completion, ratings in zip(row["completions"], ("3344", "333"), strict=True):
        completion["annotations"] = {
            aspect: {"Rating": rating}
            for aspect, rating in zip(completion["annotations"], ratings, strict=False)
        }
    row["completions"][1]["annotations"]["honesty"]["Rating"] = "4"
    (document,) = documents(row)
    assert document.to_json()["ratings"] == ["7/2", "10/3"]


def test_halves_of_surrogate_pairs_are_replaced_and_counted(documents):
    made = documents(raw_row(instruction="a\ud800", answers=(("b\udc00", 5), ("c", 1))))
    assert made[0].prompt[0]["content"] == "a?"
    assert made[0].completions == ("b?", "c")
    assert made.counts["texts_with_lone_surrogates"] == 2
    json.dumps(made[0].to_json(), ensure_ascii=False).encode("utf-8")

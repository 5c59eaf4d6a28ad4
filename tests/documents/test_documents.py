import json

import pytest

from tests.conftest import opened, raw_row, write_jsonl
from ultrarm_eval.documents.document import Document, is_comparison
from ultrarm_eval.documents.preference import PreferenceDocuments


@pytest.fixture
def documents(tmp_path):
    def make(*rows):
        return PreferenceDocuments(opened(write_jsonl(tmp_path / "data.jsonl", list(rows))))

    return make


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

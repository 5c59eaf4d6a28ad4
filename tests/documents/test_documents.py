import json

import pytest

from tests.conftest import raw_row, write_jsonl
from ultrarm_eval.documents.document import is_document, ratings_of
from ultrarm_eval.documents.prompt_documents import PromptDocuments
from ultrarm_eval.errors import DataError
from ultrarm_eval.plugins import PluginRegistry, make_plugin_manager
from ultrarm_eval.sources.preference_data import open_named_or_local


@pytest.fixture
def documents(tmp_path):
    def make(*rows):
        sources = PluginRegistry(make_plugin_manager(load_entry_points=False)).sources()
        path = write_jsonl(tmp_path / "data.jsonl", list(rows))
        return PromptDocuments(open_named_or_local(str(path), "test", sources))

    return make


def test_a_document_is_plain_json_and_keeps_exact_ratings(documents):
    (document,) = documents(raw_row(answers=(("a", 5), ("b", 1), ("c", 1))))
    assert json.loads(json.dumps(document)) == document
    assert is_document(document)
    assert ratings_of(document) == [5, 1, 1]
    assert document["completions"] == ["a", "b", "c"]
    assert document["prompt"] == [{"role": "user", "content": "What is blue?"}]


def test_ratings_that_no_float_can_tell_apart_survive(documents):
    row = raw_row(answers=(("a", 3), ("b", 3)))
    for completion, ratings in zip(row["completions"], ("3344", "333"), strict=True):
        completion["annotations"] = {
            aspect: {"Rating": rating}
            for aspect, rating in zip(completion["annotations"], ratings, strict=False)
        }
    row["completions"][1]["annotations"]["honesty"]["Rating"] = "4"
    (document,) = documents(row)
    assert document["ratings"] == ["7/2", "10/3"]


def test_halves_of_surrogate_pairs_are_replaced_and_counted(documents):
    made = documents(raw_row(instruction="a\ud800", answers=(("b\udc00", 5), ("c", 1))))
    assert made[0]["prompt"][0]["content"] == "a?"
    assert made[0]["completions"] == ["b?", "c"]
    assert made.counts["texts_with_lone_surrogates"] == 2
    json.dumps(made[0], ensure_ascii=False).encode("utf-8")


def test_rows_without_a_pair_are_left_out_and_counted_and_rows_keep_their_numbers(documents):
    made = documents(raw_row(answers=(("a", 3), ("b", 3))), raw_row(), raw_row(answers=(("a", 1),)))
    assert [document["row"] for document in made] == [made[0]["row"]] == [1]
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
    with pytest.raises(DataError, match=r"no pair is left.*pairs_left_out_equal_ratings=1"):
        documents(raw_row(answers=(("a", 3), ("b", 3))))


def test_a_missing_field_is_named_with_its_line(documents):
    broken = raw_row()
    del broken["completions"]
    with pytest.raises(DataError, match=r"data\.jsonl, line 2: field 'completions' is missing"):
        documents(raw_row(), broken)


def test_the_real_pairs_are_counted(real_pairs):
    sources = PluginRegistry(make_plugin_manager(load_entry_points=False)).sources()
    counts = PromptDocuments(open_named_or_local(str(real_pairs), "test", sources)).counts
    rows = [json.loads(line) for line in real_pairs.read_text(encoding="utf-8").splitlines()]
    unequal = [r for r in rows if r["score_chosen"] != r["score_rejected"]]
    different = [r for r in unequal if r["chosen"][-1]["content"] != r["rejected"][-1]["content"]]
    assert counts["pairs"] == len(different)
    assert counts["pairs_left_out_equal_scores"] == len(rows) - len(unequal)
    assert counts["pairs_left_out_identical_answers"] == len(unequal) - len(different)

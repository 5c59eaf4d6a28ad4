"""The document between code and the JSON form that samples hold."""

import json
from fractions import Fraction

import pytest

from ultrarm_eval import Document
from ultrarm_eval.data.rows import Location
from ultrarm_eval.errors import DataError

TURN = {"role": "user", "content": "p"}
RATED = {
    "format": "ultrarm_eval.document/2",
    "row": 3,
    "source": "flan",
    "prompt": [TURN],
    "completions": ["a", "bb"],
    "lengths": [1, 2],
    "models": ["m", None],
    "preference": "overall",
    "ratings": ["13/3", None],
    "aspects": {"honesty": [None, "2"]},
}
LABELLED = {
    "format": "ultrarm_eval.choice/1",
    "row": 0,
    "id": "x",
    "subset": "math",
    "prompt": [TURN],
    "completions": ["a", "bb", "c"],
    "lengths": [1, 2, 1],
    "correct": 2,
    "labels": {"split": "gpt"},
}
OPEN = {
    "format": "ultrarm_eval.prompt/1",
    "row": 1,
    "source": None,
    "prompt": [TURN],
    "reference": "r",
    "reference_model": None,
}


@pytest.mark.parametrize("written", [RATED, LABELLED, OPEN, {**RATED, "category": "easy"}])
def test_what_is_read_is_written_again_field_by_field_in_order(written):
    assert json.dumps(Document.from_json(written).to_json()) == json.dumps(written)


def test_ratings_are_exact_and_right_completions_are_rated_higher():
    rated = Document.from_json(RATED)
    assert rated.main_ratings == (Fraction(13, 3), None)
    assert rated.aspect_ratings == {"honesty": (None, 2)}
    assert Document.from_json(LABELLED).main_ratings == (1, 1, 0)
    assert rated.without_ratings_of({0}).main_ratings == (None, None)


def test_a_benchmarks_document_has_right_completions_first_and_texts_that_can_be_written():
    document = Document.of_choice([TURN], ["a\ud800"], ["b"], where=Location("x", 7))
    assert document.completions == ("a?", "b")
    assert (document.row, document.id, document.subset, document.correct) == (7, "7", "", 1)


@pytest.mark.parametrize("written", [RATED, LABELLED, OPEN])
def test_a_sample_of_an_earlier_version_may_lack_what_is_only_for_its_reader(written):
    rest = {"row", "id", "lengths", "models", "labels", "reference_model"}
    document = Document.from_json({k: v for k, v in written.items() if k not in rest})
    assert document.completions == Document.from_json(written).completions


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            {**RATED, "format": "document/9"},
            "has the unknown format 'document/9'; known formats are",
        ),
        ({**RATED, "ratings": ["1"]}, r"ratings \(overall\) are \['1'\], but it has 2 completions"),
        ({**RATED, "ratings": ["1", 2]}, "has the rating 2; it must be a fraction as text"),
        ({**RATED, "aspects": []}, "aspects is not an object"),
        ({**RATED, "models": ["m"]}, "models is not a list of 2 names"),
        ({**RATED, "completions": "ab"}, "completions is not a list of texts"),
        ({**RATED, "prompt": [{"role": "user"}]}, "the prompt is not a list of messages"),
        ({**RATED, "source": 3}, "source is not text"),
        (
            {**LABELLED, "correct": 3},
            "correct is 3, with 3 completions; at least one must be right",
        ),
        ({**LABELLED, "correct": True}, "correct is not a whole number"),
        ({**LABELLED, "labels": 3}, "labels is not an object"),
        ({k: v for k, v in LABELLED.items() if k != "subset"}, "lacks 'subset'"),
    ],
)
def test_what_is_no_document_is_refused(written, said):
    with pytest.raises(DataError, match=said):
        Document.from_json(written)

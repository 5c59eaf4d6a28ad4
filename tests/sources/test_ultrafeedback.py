from fractions import Fraction

import pytest

from tests.conftest import raw_row
from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Location
from ultrarm_eval.sources.ultrafeedback import read_row

WHERE = Location("file.jsonl", 0, 1)


def read(row):
    counts = DataCounts()
    return read_row(row, WHERE, counts), counts


def annotate(row, completion, aspect, rating):
    row["completions"][completion]["annotations"][aspect] = {"Rating": rating}
    return row


def test_the_rating_is_the_exact_mean_of_the_aspects():
    row = annotate(raw_row(), 0, "honesty", "4")
    record, _ = read(row)
    assert [c.ratings["fine_grained"] for c in record.completions] == [Fraction(19, 4), Fraction(1)]


def test_na_is_left_out_of_the_mean_and_counted():
    record, counts = read(annotate(raw_row(), 0, "honesty", "N/A"))
    assert record.completions[0].ratings["fine_grained"] == Fraction(5)
    assert counts["ratings_not_applicable"] == 1


def test_a_completion_without_any_rating_has_none():
    row = raw_row()
    row["completions"][1]["annotations"] = {}
    record, counts = read(row)
    assert record.completions[1].ratings.get("fine_grained") is None
    assert counts["completions_without_aspect_ratings"] == 1


@pytest.mark.parametrize(
    ("rating", "count"),
    [
        ("6", "ratings_out_of_range"),
        (0, "ratings_out_of_range"),
        (True, "ratings_unreadable"),
        ("very good", "ratings_unreadable"),
        ([4], "ratings_unreadable"),
        (float("nan"), "ratings_unreadable"),
        (None, "ratings_missing"),
    ],
)
def test_ratings_that_say_nothing_are_left_out_and_counted(rating, count):
    record, counts = read(annotate(raw_row(), 0, "honesty", rating))
    assert record.completions[0].ratings["fine_grained"] == Fraction(5)
    assert counts[count] == 1


def test_numbers_are_ratings_as_texts_are():
    record, _ = read(annotate(raw_row(), 0, "honesty", 1))
    assert record.completions[0].ratings["fine_grained"] == Fraction(4)


def test_a_response_that_is_no_text_is_left_out_and_an_empty_one_kept():
    record, counts = read(raw_row(answers=((None, 5), ("", 4), ("ok", 1))))
    assert [c.text for c in record.completions] == ["", "ok"]
    assert (counts["completions_left_out_not_text"], counts["completions_empty"]) == (1, 1)
    assert counts["rows_with_fewer_than_four_completions"] == 1


@pytest.mark.parametrize(
    ("row", "count"),
    [
        (raw_row(instruction=None), "rows_left_out_prompt_not_text"),
        (raw_row(answers=()), "rows_left_out_without_completions"),
    ],
)
def test_rows_without_prompt_or_completions_are_left_out_and_counted(row, count):
    record, counts = read(row)
    assert record is None
    assert counts[count] == 1


@pytest.mark.parametrize("completions", [None, "text", 7, {"a": 1}])
def test_completions_that_are_no_list_leave_the_row_out(completions):
    record, counts = read(raw_row(completions=completions))
    assert record is None
    assert counts["rows_left_out_completions_no_list"] == 1


@pytest.mark.parametrize("completion", [None, "text", 3])
def test_a_completion_that_is_no_object_is_left_out(completion):
    row = raw_row(answers=(("a", 5), ("b", 1), ("c", 2)))
    row["completions"][1] = completion
    record, counts = read(row)
    assert [c.text for c in record.completions] == ["a", "c"]
    assert counts["completions_left_out_not_text"] == 1

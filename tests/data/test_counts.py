import re

import pytest

from tests.conftest import raw_row, write_jsonl
from ultrarm_eval.data.counts import (
    DataCounts,
    counted,
    is_left_out,
    left_out_remarks,
    reason_in_words,
)
from ultrarm_eval.data.rows import Location
from ultrarm_eval.documents.preference import PreferenceDocuments
from ultrarm_eval.plugins import registry
from ultrarm_eval.rules import ComparisonRules
from ultrarm_eval.sources.preference_data import open_any

PAIR = {"prompt": "p", "chosen": "a", "rejected": "b", "score_chosen": 8, "score_rejected": 5}


def test_one_is_no_plural():
    assert [counted(n, "task") for n in (0, 1, 1200)] == ["0 tasks", "1 task", "1,200 tasks"]


def remarks_on(path, **rules):
    opened = open_any(str(path), None, None, registry().sources())
    return PreferenceDocuments(opened, ComparisonRules(**rules)).remarks()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([PAIR], []),
        (
            [PAIR, {**PAIR, "rejected": "a"}, {**PAIR, "rejected": "a"}],
            ["2 pairs excluded (pairs_left_out_identical_answers): the two answers are identical; first: {}, line 2: the chosen and the rejected answer are identical."],
        ),
        (
            [{**PAIR, "score_rejected": 8}, PAIR],
            ["1 pair excluded (pairs_left_out_equal_scores): both answers have the same score; first: {}, line 1: 'score_chosen' is 8 and 'score_rejected' is 8; the chosen answer must have the higher score."],
        ),
        (
            [PAIR, {**PAIR, "chosen": 7}],
            ["1 pair excluded (pairs_left_out_not_text): the chosen or the rejected answer is not text; first: {}, line 2: field 'chosen' is 7; it must be text, a list of messages, or one message."],
        ),
        # Pairs of equal ratings beside others that count are the rule, and nothing to warn of.
        ([raw_row(answers=(("a", 5), ("b", 1), ("c", 1)))], []),
        (
            [raw_row(), raw_row("q", (("a", 3), ("b", 3)))],
            [
                "1 row excluded (rows_left_out_without_pairs): no usable pair: ratings are "
                "equal, missing or less than min_gap apart; first: {}, line 2."
            ],
        ),
        (
            [raw_row(instruction=None), raw_row()],
            [
                "1 row excluded (rows_left_out_prompt_not_text): the prompt is neither text nor messages; "
                "first: {}, line 1: field 'instruction' is null."
            ],
        ),
    ],
)  # fmt: skip
def test_what_is_left_out_is_told_with_its_number_reason_and_first_place(tmp_path, rows, said):
    path = write_jsonl(tmp_path / "d.jsonl", rows)
    assert remarks_on(path) == [one.format(path) for one in said]


def test_something_that_has_an_advice_of_its_own_is_told_once(tmp_path):
    row = raw_row(answers=(("a", 1), ("b", 5), ("c", 4)))
    row["completions"][0]["overall_score"] = 10
    row["completions"][1]["overall_score"] = 9
    path = write_jsonl(tmp_path / "d.jsonl", [row])
    (remark,) = remarks_on(path, preference="overall")
    assert re.match(rf"1 completions_left_out_false_ten \(first: {path}, line 1\)", remark)


def test_a_count_that_nobody_has_words_for_is_told_by_its_name():
    counts = DataCounts(where=Location("hub/id", 4))
    counts.add("rows_left_out_system_turn_twice", 1200)
    assert left_out_remarks(counts) == [
        "1,200 rows excluded (rows_left_out_system_turn_twice): system turn twice; first: "
        "hub/id, row 4."
    ]


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("rows_left_out_without_pairs", True),
        ("prompts_left_out_without_reference", True),
        ("rows_of_other_sources", False),
        ("aspect_pairs_left_out_with_their_row", False),
        ("completions_without_rating", False),
    ],
)
def test_counts_of_what_is_used_or_was_not_asked_for_are_no_loss(name, left_out):
    assert is_left_out(name) is left_out


def test_a_reason_can_be_had_by_itself():
    assert reason_in_words("equal_ratings") == "equal ratings"
    assert reason_in_words("pairs_left_out_equal_ratings") == "equal ratings"


def test_a_line_of_counts_names_what_is_used_excluded_and_changed():
    counts = DataCounts()
    for name, number in (
        ("rows", 1200),
        ("pairs", 1),
        ("pairs_left_out_equal_ratings", 2),
        ("rows_of_other_sources", 1),
        ("prompts_without_written_pair", 3),
        ("completions_empty", 7),
    ):
        counts.add(name, number)
    said = (
        "1,200 rows, 1 pair; excluded: 2 pairs (equal ratings), 1 row of other sources, "
        "3 prompts without written pair"
    )
    assert counts.listed() == said
    counts.add("texts_with_lone_surrogates", 1)
    changed = "; changed: 1 text (lone surrogates, which are replaced by '?')"
    assert counts.listed() == said + changed

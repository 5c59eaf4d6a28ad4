import re
from fractions import Fraction

import pytest

from tests.conftest import raw_row, write_jsonl
from ultrarm_eval.data.counts import reason_in_words
from ultrarm_eval.documents.preference import PreferenceDocuments
from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.inspection.row_choice import numbered_row, rows_of_source
from ultrarm_eval.inspection.row_view import judge_rows, view_row
from ultrarm_eval.plugins import registry
from ultrarm_eval.rules import ComparisonRules
from ultrarm_eval.sources.preference_data import open_any

SCORED = {"prompt": "p", "chosen": "a", "rejected": "b", "score_chosen": 8, "score_rejected": 5}


@pytest.fixture
def opened(tmp_path):
    def open_rows(*rows):
        path = write_jsonl(tmp_path / "d.jsonl", list(rows))
        return open_any(str(path), None, None, registry().sources())

    return open_rows


def seen(data, index=0, **rules):
    return view_row(data, index, ComparisonRules(**rules))


def of_pairs(view):
    return [(pair.chosen, pair.rejected, pair.gap) for pair in view.pairs]


def of_no_pairs(view):
    return {one.completions: one.reason for one in view.no_pairs}


def test_pairs_that_count_and_reasons_of_the_others(opened):
    row = raw_row(answers=(("a", 5), ("b", 3), ("c", 3), ("d", 2), ("e", 1)))
    for annotation in row["completions"][4]["annotations"].values():
        annotation["Rating"] = "N/A"
    view = seen(opened(row), min_gap=Fraction(2))
    assert of_pairs(view) == [(0, 1, 2), (0, 2, 2), (0, 3, 3)]
    assert of_no_pairs(view) == {
        (1, 2): "equal_ratings",
        (1, 3): "below_min_gap",
        (2, 3): "below_min_gap",
        **dict.fromkeys([(0, 4), (1, 4), (2, 4), (3, 4)], "without_rating"),
    }
    assert [c.rank_by_rating for c in view.completions] == [1, 2, 2, 4, None]
    assert view.counts["pairs_left_out_equal_ratings"] == 1
    assert view.counts["pairs_left_out_below_min_gap"] == 2
    assert view.left_out == ()


def test_a_false_ten_is_no_rating_where_the_overall_score_orders(opened):
    row = raw_row(answers=(("a", 1), ("b", 5), ("c", 4)))
    row["completions"][0]["overall_score"] = 10
    row["completions"][1]["overall_score"] = 9
    view = seen(opened(row), preference="overall")
    assert view.completions[0].left_out == "false_ten"
    assert view.completions[0].ratings["overall"] == 10
    assert of_no_pairs(view) == {(0, 1): "false_ten", (0, 2): "false_ten"}
    assert of_pairs(view) == [(1, 2, 4)]


def test_what_the_rater_wrote_stands_beside_the_completion_it_is_about(opened):
    row = raw_row(answers=(("a", 5), (7, 3), ("c", 1)))
    for number, completion in enumerate(row["completions"]):
        completion["critique"] = f"critique {number}"
        completion["principle"] = "honesty"
        completion["annotations"]["honesty"]["Rationale"] = f"why {number}"
        helpfulness = completion["annotations"]["helpfulness"]
        helpfulness |= {"Rationale": f"type {number}", "Rationale For Rating": f"rating {number}"}
    view = seen(opened(row))
    # The second answer is no text, and left out.
    assert [completion.text for completion in view.completions] == ["a", "c"]
    assert view.counts["completions_left_out_not_text"] == 1
    assert view.completions[1].notes == {
        "principle": "honesty",
        "critique": "critique 2",
        "honesty": "why 2",
        "helpfulness": "rating 2",
        "helpfulness_type": "type 2",
    }
    assert view.completions[1].model == "model-2"


@pytest.mark.parametrize(
    ("row", "reasons"),
    [
        (raw_row(answers=(("a", 3), ("b", 3))), ["rows_left_out_without_pairs"]),
        (raw_row(instruction=None), ["rows_left_out_prompt_not_text"]),
        ({**SCORED, "rejected": "a"}, ["pairs_left_out_identical_answers"]),
        ({**SCORED, "score_rejected": 8}, ["pairs_left_out_equal_scores"]),
        ({**SCORED, "score_chosen": 3}, ["pairs_left_out_chosen_scored_lower"]),
        ({**SCORED, "chosen": 3}, ["pairs_left_out_not_text"]),
        (SCORED, []),
    ],
)
def test_a_row_that_is_left_out_is_shown_with_the_tasks_own_reason(opened, row, reasons):
    view = seen(opened(row))
    assert list(view.left_out) == reasons
    if not view.completions:
        assert view.fields == row
    if reasons:
        data = opened(row)
        with pytest.raises(DataError, match=re.escape(f"({reason_in_words(reasons[0])})")):
            PreferenceDocuments(data)


def test_what_is_shown_is_what_the_task_scores(opened):
    rows = [
        raw_row("p", (("aa", 5), ("b", 1), ("c", 3))),
        raw_row("q", (("x", 2), ("x", 4))),
        raw_row("r", (("x", 2), ("y", 2))),
    ]
    data = opened(*rows)
    documents = {document.row: document for document in PreferenceDocuments(data)}
    for index in range(3):
        view = seen(data, index)
        assert bool(view.left_out) is (index not in documents)
        if index in documents:
            document = documents[index]
            assert tuple(dict(turn) for turn in view.prompt) == document.prompt
            assert tuple(c.text for c in view.completions) == document.completions
            assert [str(c.rating) for c in view.completions] == document["ratings"]
    (pair,) = seen(data, 1).pairs
    assert pair.identical


def test_a_row_that_stops_a_task_is_shown_with_what_is_wrong(opened):
    view = seen(opened(raw_row(), {"instruction": "p", "other": 1}), 1)
    assert view.error is not None
    assert "field 'completions' is missing" in view.error
    assert view.fields == {"instruction": "p", "other": 1}


def test_only_the_row_that_is_asked_for_is_read(opened, tmp_path):
    opened(raw_row("p"))
    path = tmp_path / "d.jsonl"
    path.write_text(path.read_text() + "broken\n" * 3)
    data = open_any(str(path), None, None, registry().sources())
    assert seen(data).prompt[0]["content"] == "p"
    with pytest.raises(DataError, match="line 3"):
        seen(data, 2)


def test_rewards_and_ranks_stand_beside_the_ratings(opened):
    data = opened(raw_row("p", (("aa", 5), ("b", 1), ("cc", 3))), raw_row(instruction=7))
    asked = []

    def score(prompts, texts):
        asked.extend(zip(prompts, texts, strict=True))
        return [2.0, 7.0, 2.0]

    first, second = judge_rows([seen(data), seen(data, 1)], score)
    assert [(p[0]["content"], text) for p, text in asked] == [("p", t) for t in ("aa", "b", "cc")]
    assert [(c.reward, c.rank) for c in first.completions] == [(2.0, 2), (7.0, 1), (2.0, 2)]
    assert [first.margin(pair) for pair in first.pairs] == [-5.0, 0.0, -5.0]
    assert (first.is_judged, second.is_judged) == (True, False)


def test_a_completion_that_the_judge_gave_nothing_has_no_rank(opened):
    view = seen(opened(raw_row())).with_rewards([float("nan"), 1.0])
    assert [(c.reward, c.rank) for c in view.completions] == [(None, None), (1.0, 1)]
    assert view.margin(view.pairs[0]) is None


@pytest.mark.parametrize("number", [-1, 2, 10**9])
def test_there_is_no_row_of_another_number(opened, number):
    with pytest.raises(ConfigurationError, match=r"has 2 rows, from 0 to 1"):
        numbered_row(opened(raw_row(), raw_row()), number)


def test_rows_of_a_source_are_found_by_its_name_or_its_beginning(opened, tmp_path):
    labels = ["flan_v2_cot", "sharegpt", "flan", "flange", None, "flan_v2_p3"]
    opened(*(raw_row(source=label) for label in labels))
    path = tmp_path / "d.jsonl"
    path.write_text(path.read_text() + "broken\n")
    data = open_any(str(path), None, None, registry().sources())
    choice = rows_of_source(data, "flan", 2)
    assert (choice.rows, choice.total, choice.unreadable) == ((0, 2), 3, 1)
    with pytest.raises(ConfigurationError, match="did you mean 'sharegpt'|Did you mean 'sharegpt'"):
        rows_of_source(data, "sharegtp", 2)


def test_data_without_sources_say_so(opened):
    with pytest.raises(ConfigurationError, match="does not name sources"):
        rows_of_source(opened(SCORED), "flan", 2)

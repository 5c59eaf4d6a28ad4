import math

import pytest

from tests.report.written_runs import (
    choice,
    choice_sample,
    judged_sample,
    prompted,
    rated,
    rated_sample,
    samples_of,
)
from tests.runs.observed import observed, observed_pairs
from ultrarm_eval.errors import DataError
from ultrarm_eval.report.pair_choice import (
    ANY,
    CLOSE,
    MISTAKE,
    choose_pairs,
    first_of_each,
    read_texts,
)

#: By document: the margins are 4, -3, 0.5, -0.25, 0, -5 and 2.
MARGINS = [4.0, -3.0, 0.5, -0.25, 0.0, -5.0, 2.0]


def by_reason(found):
    reasons = {}
    for one in found:
        reasons.setdefault(one.reason, []).append(one.pair)
    return reasons


def test_the_surest_mistakes_then_the_closest_and_some_others(tmp_path):
    found = by_reason(choose_pairs(observed_pairs(tmp_path, MARGINS), 2))
    assert found[MISTAKE] == [5, 1]
    assert found[CLOSE] == [4, 3]
    assert len(found[ANY]) == 2
    assert set(found[ANY]) <= {0, 2, 6}


def test_each_pair_is_shown_for_its_first_reason_alone(tmp_path):
    found = choose_pairs(observed_pairs(tmp_path, MARGINS), 100)
    assert sorted(one.pair for one in found) == list(range(7))
    reasons = by_reason(found)
    # A tie and right pairs are no mistakes.
    assert reasons[MISTAKE] == [5, 1, 3]
    # The median margin is 2, without its sign: what is above 1 is not small.
    assert reasons[CLOSE] == [4, 2]
    assert sorted(reasons[ANY]) == [0, 6]


def test_a_document_is_shown_once_for_a_reason(tmp_path):
    # By reward the order of four answers is reversed: six mistakes.
    doc = rated(0, list("abcd"), ["4", "3", "2", "1"])
    other = rated(1, list("ab"), ["2", "1"])
    judged = [(doc, [0.0, 1.0, 2.0, 4.0]), (other, [0.0, 0.5])]
    found = observed(tmp_path, samples_of(rated_sample, judged))
    reasons = by_reason(choose_pairs(found, 5))
    margins = found.pairs.margin
    assert [(margins[pair], found.pairs.document[pair]) for pair in reasons[MISTAKE]] == [
        (-4.0, 0),
        (-0.5, 1),
    ]
    assert [margins[pair] for pair in reasons[CLOSE]] == [-1.0]


def test_the_choice_is_the_same_each_time(tmp_path):
    found = observed_pairs(tmp_path, MARGINS * 20)
    assert choose_pairs(found, 5) == choose_pairs(found, 5)
    assert choose_pairs(found, 0) == []


def test_the_first_of_each_document_without_those_that_are_taken():
    assert first_of_each([3, 1, 0, 2], [7, 7, 8, 9], 9) == [3, 1, 2]
    assert first_of_each([3, 1, 0, 2], [7, 7, 8, 9], 1) == [3]
    assert first_of_each([3, 1, 0, 2], [7, 7, 8, 9], 9, {1: "taken"}) == [3, 0, 2]


class TestTexts:
    def test_of_completions_with_ratings(self, tmp_path):
        first = rated(0, ["zéro", "one", "two"], ["1", "3", "2"], prompt=("what?", "this", "why?"))
        second = rated(1, ["a", "b"], ["1", "2"])
        judged = [(first, [0.0, 1.0, 2.0]), (second, [math.nan, 1.0]), (second, [0.0, 1.0])]
        found = observed(tmp_path, samples_of(rated_sample, judged))
        texts = [read_texts(found, pair) for pair in range(len(found.pairs))]
        assert [(one.chosen, one.rejected) for one in texts] == [
            ("one", "zéro"),
            ("two", "zéro"),
            ("one", "two"),
            ("b", "a"),
        ]
        assert texts[0].prompt == (("user", "what?"), ("assistant", "this"), ("user", "why?"))
        assert (texts[0].chosen_name, texts[0].rejected_name) == ("model-1", "model-0")
        assert texts[3].prompt == (("user", "question 1"),)

    def test_of_a_benchmarks_item(self, tmp_path):
        metadata = {"suite": "rewardbench", "ties": "wrong"}
        judged = [(choice(0, ["right"], ["wrong"]), [0.0, 1.0])]
        found = observed(tmp_path, samples_of(choice_sample, judged, metadata), metadata)
        texts = read_texts(found, 0)
        assert (texts.chosen, texts.rejected, texts.chosen_name) == ("right", "wrong", None)

    def test_of_an_answer_and_its_reference(self, tmp_path):
        sample = judged_sample(0, prompted(0, "ref"), ["one", "two"], [1.0, 2.0], 3.0)
        found = observed(tmp_path, [sample])
        texts = read_texts(found, 1)
        assert (texts.chosen, texts.rejected, texts.rejected_name) == ("two", "ref", "model-r")

    def test_a_file_that_was_changed_since_is_an_error(self, tmp_path):
        found = observed_pairs(tmp_path, [1.0, 2.0])
        path = found.result.samples_path
        path.write_text("x" + path.read_text())
        with pytest.raises(DataError, match=r"byte \d+: this is not valid JSON"):
            read_texts(found, 1)
        path.unlink()
        with pytest.raises(DataError, match="The samples of pairs are no longer there"):
            read_texts(found, 1)

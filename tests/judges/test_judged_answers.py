"""Answers and their references are judged together, prompt by prompt."""

import pytest

from ultrarm_eval.errors import ScoringError
from ultrarm_eval.judges.base import Judgement
from ultrarm_eval.judges.judged_answers import JudgedAnswers, judge_answers


class Lengths:
    """A judge of lengths that has no score for empty answers."""

    name = "lengths"

    def __init__(self, *, may_abstain=True):
        self.may_abstain, self.calls = may_abstain, []

    def score(self, prompts, completions):
        self.calls.append(list(zip(prompts, completions, strict=True)))
        return [Judgement(float(len(text)) or None) for text in completions]


def test_answers_and_references_stand_where_they_belong():
    judge = Lengths()
    found = judge_answers(judge, ["p", "q", "r"], [["a", "bb"], [], [""]], ["four", "five5", None])
    assert found == [
        JudgedAnswers((Judgement(1.0), Judgement(2.0)), Judgement(4.0)),
        JudgedAnswers((), Judgement(5.0)),
        JudgedAnswers((Judgement(None),), None),
    ]
    # In one call, and what belongs to a prompt side by side.
    assert judge.calls == [[("p", "a"), ("p", "bb"), ("p", "four"), ("q", "five5"), ("r", "")]]
    assert [one.value for one in found[0]] == [1.0, 2.0, 4.0]


def test_a_judge_that_may_not_abstain_is_not_believed_to():
    with pytest.raises(ScoringError, match="judge lengths gave no finite reward to 1 of 2 answers"):
        judge_answers(Lengths(may_abstain=False), ["p"], [["", "a"]], [None])


def test_rewards_that_are_all_equal_are_warned_of(caplog):
    judge_answers(Lengths(), ["p"], [["a", "b"]], ["c"])
    assert "All rewards of this run are 1.0" in caplog.text


def test_answers_without_references():
    found = judge_answers(Lengths(), ["p", "q"], [["a", "bb"], ["four"]])
    assert [[one.value for one in each.answers] for each in found] == [[1.0, 2.0], [4.0]]
    assert [each.reference for each in found] == [None, None]

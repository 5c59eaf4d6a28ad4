"""What any judge says of completions; of another package's judges see test_plugin_judge.py."""

import logging
import math
from fractions import Fraction

import numpy as np
import pytest

from ultrarm_eval.errors import RewardError, ScoringError
from ultrarm_eval.judges.base import Judgement, as_judgement, judge_name, statement
from ultrarm_eval.judges.critique_text import Critique, CritiquedReward
from ultrarm_eval.judges.judgements import (
    judgement_stream,
    judgements_of,
    warn_if_all_equal,
)
from ultrarm_eval.judges.plugin_judge import PluginJudge

WRITTEN = Judgement(7.0, ("7 good",), {"scores": [7.0]})


class Writer:
    """A judge that says what it is told to."""

    may_abstain = True

    def __init__(self, *said):
        self.said = said

    def score(self, prompts, completions):
        return list(self.said)


def test_a_judgement_has_a_value_or_is_unscored():
    assert (WRITTEN.value, WRITTEN.reward, WRITTEN.unscored) == (7.0, 7.0, False)
    assert Judgement(None).unscored
    assert math.isnan(Judgement(None).reward)
    assert WRITTEN.told() == {"critiques": ["7 good"], "scores": [7.0]}
    assert Judgement(1.0).told() == Judgement(None).told() == {}


@pytest.mark.parametrize(
    ("given", "judgement"),
    [
        (WRITTEN, WRITTEN),
        (2, Judgement(2.0)),
        (np.float32(0.5), Judgement(0.5)),
        (np.array([3]), Judgement(3.0)),
        (Fraction(1, 4), Judgement(0.25)),
        (10**400, Judgement(math.inf)),
        # As judges gave them before there was `Judgement`.
        (CritiquedReward(7.0, Critique(("7 good",), (7.0,))), WRITTEN),
        (
            CritiquedReward(math.nan, Critique(("hm",), (None,))),
            Judgement(None, ("hm",), {"scores": [None]}),
        ),
        (CritiquedReward(math.nan, None), Judgement(None)),
        (True, None),
        ("1", None),
        (None, None),
        ([1.0, 2.0], None),
    ],
)
def test_what_judges_give_is_a_judgement_or_none(given, judgement):
    assert as_judgement(given) == judgement


def test_judgements_may_stand_in_the_place_of_numbers():
    judge = Writer(WRITTEN, 2, Judgement(None))
    found = [WRITTEN, Judgement(2.0), Judgement(None)]
    assert judgements_of(judge, ["q"] * 3, ["a", "b", "c"]) == found
    streamed = judgement_stream(judge, ["q"] * 3, ["a", "b", "c"])
    assert dict(streamed) == dict(enumerate(found))


def test_a_judgement_without_a_finite_value_is_an_error_that_has_the_others():
    judge = Writer(1.0, Judgement(math.inf), WRITTEN)
    with pytest.raises(RewardError, match="completion 1 the reward inf") as caught:
        judgements_of(judge, ["q"] * 3, ["a", "b", "c"])
    assert caught.value.judgements == {0: Judgement(1.0), 2: WRITTEN}


def test_what_an_own_judge_streams_is_checked_too():
    class Streams(Writer):
        def judgements(self, prompts, completions):
            yield from enumerate(self.said)

    assert judgements_of(Streams(WRITTEN, 2.0), ["q"] * 2, ["a", "b"]) == [WRITTEN, Judgement(2.0)]
    with pytest.raises(ScoringError, match="no reward to 1 of 2"):
        judgements_of(Streams(WRITTEN), ["q"] * 2, ["a", "b"])
    with pytest.raises(RewardError) as caught:
        judgements_of(Streams(WRITTEN, math.nan, 3.0), ["q"] * 3, ["a", "b", "c"])
    assert caught.value.judgements == {0: WRITTEN, 2: Judgement(3.0)}


def test_a_judge_is_called_by_its_name_or_its_class():
    assert judge_name(Writer()) == "Writer"
    assert statement(Writer()) == {"judge_parameters": []}


@pytest.mark.parametrize(
    ("rewards", "is_said"),
    [
        ([("a", 1.0), ("b", 1.0)], True),
        ([("a", 0.0), ("b", -0.0), ("a", 0.0)], True),
        ([("a", 1.0), ("b", math.nan), ("c", 1.0)], True),
        ([("a", 1.0), ("a", 1.0)], False),
        ([("a", 1.0), ("b", 1.5)], False),
        ([("a", math.nan), ("b", math.nan)], False),
        ([("a", 1.0)], False),
        ([], False),
    ],
)
def test_one_reward_for_texts_that_differ_is_said(caplog, rewards, is_said):
    with caplog.at_level(logging.WARNING):
        warn_if_all_equal(rewards)
    assert ("All rewards of this run are" in caplog.text) == is_said


class Streaming(Writer):
    """Hands its rewards out as they come."""

    def score_stream(self, prompts, completions):
        yield from enumerate(self.said)


class Halved(Streaming):
    """Overrides `score` alone."""

    def score(self, prompts, completions):
        return [said / 2 for said in super().score(prompts, completions)]


class OfNumbers(Halved):
    """Overrides what its parent does not ask any more."""

    def score_stream(self, prompts, completions):
        yield from enumerate(map(float, range(len(completions))))


@pytest.mark.parametrize(
    ("judge", "rewards"), [(Streaming, [4.0, 2.0]), (Halved, [2.0, 1.0]), (OfNumbers, [0.0, 1.0])]
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_the_method_that_the_last_subclass_overrides_is_asked(judge, rewards, wrapped):
    made = judge(4.0, 2.0)
    made.settings, made.fingerprint = dict, lambda: "it"
    if wrapped:
        made = PluginJudge(made, "The judge of a test")
    found = dict(judgement_stream(made, ["p", "p"], ["a", "b"]))
    assert [found[0].value, found[1].value] == rewards

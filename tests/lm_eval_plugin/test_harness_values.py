"""What a judge says, on its way through the harness."""

import math
import pickle

import pytest

from ultrarm_eval.judges.base import Judgement
from ultrarm_eval.judges.critique_text import Critique, CritiquedReward
from ultrarm_eval.lm_eval_plugin.harness_values import (
    JudgedReward,
    Reward,
    as_reward,
    is_unscored,
    judgement_in,
)

WRITTEN = Judgement(3.5, ("fair",), {"scores": [3.5]})


def test_a_plain_reward_is_a_plain_number():
    reward = as_reward(Judgement(2.0))
    assert reward == (2.0, False)
    assert type(reward.reward) is float
    assert judgement_in(reward.reward) is None


@pytest.mark.parametrize("judgement", [WRITTEN, Judgement(None), Judgement(None, ("hm",))])
def test_what_was_said_goes_between_processes_and_through_caches(judgement):
    again = pickle.loads(pickle.dumps(as_reward(judgement)))
    assert isinstance(again, Reward)
    assert judgement_in(again.reward) == judgement
    assert is_unscored(again.reward) == judgement.unscored
    assert math.isnan(again.reward) == judgement.unscored


def test_a_judge_that_may_abstain_says_so_of_every_answer():
    reward = as_reward(Judgement(2.0), may_abstain=True).reward
    assert isinstance(reward, JudgedReward)
    assert judgement_in(reward) == Judgement(2.0)


def test_rewards_in_caches_of_earlier_versions_are_read():
    before = Reward(CritiquedReward(3.5, Critique(("fair",), (3.5,))))
    again = pickle.loads(pickle.dumps(before))
    assert judgement_in(again.reward) == WRITTEN
    assert is_unscored(CritiquedReward(math.nan, None))
    assert not is_unscored(math.nan)

import pytest

from ultrarm_eval.engine.token_rewards import TokenRewards
from ultrarm_eval.errors import ScoringError


def test_the_reward_is_the_last_one():
    found = TokenRewards(("<s>", " a"), (1, 5), (None, 0.5), 1, truncated=False)
    assert found.reward == 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": ("<s>",)}, "1 tokens, 2 ids and 2 rewards"),
        ({"rewards": (0.5, None)}, "None before the last"),
        ({"tokens": (), "ids": (), "rewards": ()}, "at least one token"),
        ({"completion_start": 3}, "completion_start=3 lies outside of a text of 2 tokens"),
        ({"completion_start": -1}, "completion_start=-1"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, message):
    fields = {"tokens": ("<s>", " a"), "ids": (1, 5), "rewards": (0.1, 0.5)}
    with pytest.raises(ScoringError, match=message):
        TokenRewards(**{**fields, "completion_start": 1, "truncated": False, **changes})

import pytest

from ultrarm_eval.engine.token_rewards import TokenRewards, prefixes, read_positions
from ultrarm_eval.errors import ScoringError
from ultrarm_eval.text_format.tokens import Tokens


def test_the_reward_is_the_last_one():
    found = TokenRewards(("<s>", " a"), (1, 5), (None, 0.5), 1, truncated=False)
    assert found.reward == 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": ("<s>",)}, "1 tokens, 2 ids and 2 rewards"),
        ({"rewards": (0.5, None)}, "only the last reward must not be None"),
        ({"tokens": (), "ids": (), "rewards": ()}, "at least one token"),
        ({"completion_start": 3}, "completion_start=3 is outside of a text of 2 tokens"),
        ({"completion_start": -1}, "completion_start=-1"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, message):
    fields = {"tokens": ("<s>", " a"), "ids": (1, 5), "rewards": (0.1, 0.5)}
    with pytest.raises(ScoringError, match=message):
        TokenRewards(**{**fields, "completion_start": 1, "truncated": False, **changes})


def lists(texts):
    return [list(text) for text in texts]


@pytest.mark.parametrize(
    ("ids", "unread", "positions"),
    [
        ([1, 5, 6], None, [0, 1, 2]),
        ([1, 5, 2, 2, 6, 2], 2, [0, 1, 1, 1, 4, 4]),
        # Something has to be read.
        ([2, 2, 5], 2, [0, 0, 2]),
    ],
)
def test_a_token_that_is_not_read_leaves_the_reward_of_the_one_before(ids, unread, positions):
    assert read_positions(Tokens.of(ids), unread) == positions


def test_every_prefix_is_a_text():
    ids = Tokens.of([1, 5, 6])
    found = prefixes(ids, closing=(), unread_id=None)
    assert lists(found) == [[1], [1, 5], [1, 5, 6]]


def test_what_closes_the_text_closes_its_prefixes():
    ids = Tokens.of([1, 5, 3, 6, 3])
    found = prefixes(ids, closing=(3,), unread_id=None)
    assert lists(found) == [[1, 3], [1, 5, 3], [1, 5, 3], [1, 5, 3, 6, 3], [1, 5, 3, 6, 3]]
    twice = prefixes(Tokens.of([5, 6, 3, 4]), closing=(3, 4), unread_id=None)
    assert lists(twice) == [[5, 3, 4], [5, 6, 3, 4], [5, 6, 3, 4], [5, 6, 3, 4]]
    unclosed = Tokens.of([1, 5, 3, 6])
    assert lists(prefixes(unclosed, closing=(3,), unread_id=None))[0] == [1]


def test_what_is_not_read_is_left_out():
    ids = Tokens.of([1, 2, 5])
    assert lists(prefixes(ids, closing=(), unread_id=2)) == [[1], [1], [1, 2, 5]]

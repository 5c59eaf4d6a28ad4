import logging
import math

import pytest

from ultrarm_eval.judges.judgements import warn_if_all_equal


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

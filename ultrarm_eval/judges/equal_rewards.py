"""A judge that gives all texts one reward says nothing, and this has to be seen."""

from __future__ import annotations

import logging
import math
from collections.abc import Hashable, Iterable

logger = logging.getLogger(__name__)


class EqualRewards:
    """Watches the rewards of a run, of any judge."""

    def __init__(self) -> None:
        """Starts without any."""
        self._reward: float | None = None
        self._text: Hashable = None
        self._texts_differ = self._rewards_differ = False

    def add(self, text: Hashable, reward: float) -> None:
        """Takes a text and its reward; one that is no number is none."""
        if self._rewards_differ or math.isnan(reward):
            return
        if self._reward is None:
            self._text, self._reward = text, float(reward)
        self._texts_differ = self._texts_differ or text != self._text
        self._rewards_differ = float(reward) != self._reward

    def report(self) -> None:
        """Warns where several texts had one reward alone."""
        if self._texts_differ and not self._rewards_differ:
            logger.warning(
                "All rewards of this run are %s, although the texts differ: the judge tells "
                "nothing apart, and every comparison is a tie. Look at the template and at the "
                "weights.",
                self._reward,
            )


def warn_if_all_equal(rewards: Iterable[tuple[Hashable, float]]) -> None:
    """Warns where several texts have one reward alone.

    Args:
        rewards: What was scored, such as a prompt with a completion, and its reward.
    """
    watched = EqualRewards()
    for text, reward in rewards:
        watched.add(text, reward)
    watched.report()

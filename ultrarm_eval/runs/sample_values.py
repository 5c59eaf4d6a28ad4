"""Values of a sample, each of the kind that its task writes there; anything else is damage.

What is wrong is a `TypeError` or `ValueError`; the reader of the sample adds where it stands.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

_SHOWN = 40


def texts_in(value: Any, what: str) -> list[str]:
    """A list of texts."""
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ValueError(f"{what} is no list of texts: {shown(value)}")
    return value


def number_in(value: Any, what: str) -> float:
    """A number; also NaN, which is a judge's for an answer without a score."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{what} is no number: {shown(value)}")
    return float(value)


def share_in(value: Any, what: str) -> float | None:
    """A share from 0 to 1; None where it is not defined."""
    if value is None:
        return None
    share = number_in(value, what)
    if not 0 <= share <= 1:
        raise ValueError(f"{what} is no share from 0 to 1: {shown(value)}")
    return share


def rewards_in(responses: Any) -> list[float]:
    """The rewards of completions, which lm-eval writes as texts, beside their greediness."""
    if not isinstance(responses, list):
        raise TypeError(f"filtered_resps is no list: {shown(responses)}")
    return [_reward(response) for response in responses]


def _reward(response: Any) -> float:
    if not isinstance(response, Sequence) or isinstance(response, str) or not response:
        raise ValueError(f"a response holds no reward: {shown(response)}")
    reward = response[0]
    return float(reward) if isinstance(reward, str) else number_in(reward, "a reward")


def judged_reward(judged: Any) -> float:
    """The reward of a judged answer; NaN where the judge gave none."""
    if not isinstance(judged, Mapping) or "reward" not in judged:
        raise ValueError(f"a judged answer has no reward: {shown(judged)}")
    reward = judged["reward"]
    return math.nan if reward is None else number_in(reward, "a reward")


def shown(value: Any) -> str:
    """A value in a message, shortened; a number of many digits by how many it has."""
    if isinstance(value, int) and abs(value) >= 10**_SHOWN:
        return f"a number of about {int(value.bit_length() * math.log10(2))} digits"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"

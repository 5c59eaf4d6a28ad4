"""The details of a score: the judge's critique, and the reward of each text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ultrarm_eval.judges.base import Judgement


def explanation_of(judgements: Mapping[str, Judgement]) -> str | None:
    """The critiques of texts; None for a judge that writes none.

    Args:
        judgements: The judgement of each text, by the text's name; a single text has no heading.
    """
    written = {
        name: "\n\n".join(one.explanation) for name, one in judgements.items() if one.explanation
    }
    if len(judgements) == 1:
        return next(iter(written.values()), None)
    return "\n\n".join(f"{name}:\n{text}" for name, text in written.items()) or None


def metadata_of(judgements: Mapping[str, Judgement]) -> dict[str, Any]:
    """The reward of each text, and further values: objectives, rewards of steps.

    Returns:
        JSON values: under `rewards` the rewards, None if there is none; under `judged` the rest, if
        there is any.
    """
    beside = {name: dict(one.extra) for name, one in judgements.items() if one.extra}
    rewards = {name: one.value for name, one in judgements.items()}
    return {"rewards": rewards, **({"judged": beside} if beside else {})}

"""What a score says beside its value: what the judge wrote, and what it gave each text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ultrarm_eval.judges.base import Judgement


def explanation_of(judgements: Mapping[str, Judgement]) -> str | None:
    """What a judge wrote about texts; None for one that writes nothing.

    Args:
        judgements: What it said of each text, by what the text is called; one text alone is not
            called anything.
    """
    written = {
        name: "\n\n".join(one.explanation) for name, one in judgements.items() if one.explanation
    }
    if len(judgements) == 1:
        return next(iter(written.values()), None)
    return "\n\n".join(f"{name}:\n{text}" for name, text in written.items()) or None


def metadata_of(judgements: Mapping[str, Judgement]) -> dict[str, Any]:
    """The reward of each text, and beside it what the judge gave: objectives, rewards of steps.

    Returns:
        JSON values: under `rewards` the rewards, None where there is none; under `judged` the rest,
        if there is any.
    """
    beside = {name: dict(one.extra) for name, one in judgements.items() if one.extra}
    rewards = {name: one.value for name, one in judgements.items()}
    return {"rewards": rewards, **({"judged": beside} if beside else {})}

"""Pairs as the page's script reads them."""

from __future__ import annotations

import math
from typing import Any

from ultrarm_eval.report.shown_pairs import ShownPair, ShownText, SideTokens

# Of what is shown of a token.
_DIGITS = 5


def pair_data(pair: ShownPair) -> dict[str, Any]:
    """A pair as JSON values."""
    data: dict[str, Any] = {
        "task": pair.task,
        "kind": pair.kind,
        "reason": pair.reason,
        "document": pair.document,
        "parts": [[name, value] for name, value in pair.parts.items()],
        "gap": pair.gap,
        "rewards": [[judge, *rewards] for judge, rewards in pair.rewards.items()],
        "prompt": [_text(turn) for turn in pair.prompt],
        "chosen": _text(pair.chosen),
        "rejected": _text(pair.rejected),
    }
    if pair.tokens is not None:
        data["tokens"] = [_tokens(side) for side in pair.tokens]
    return data


def _text(text: ShownText) -> dict[str, Any]:
    return {"text": text.text, "size": text.length, "name": text.name}


def _tokens(side: SideTokens) -> dict[str, Any]:
    return {
        "tokens": side.tokens,
        "rewards": [_number(reward) for reward in side.rewards],
        "changes": [_number(change) for change in side.changes],
        "cut": side.cut,
    }


def _number(value: float | None) -> float | None:
    # JSON has no infinities.
    return None if value is None or not math.isfinite(value) else round(value, _DIGITS)

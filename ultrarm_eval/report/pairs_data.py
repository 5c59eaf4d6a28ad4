"""Pairs as the page's script reads them."""

from __future__ import annotations

import math
from typing import Any

from ultrarm_eval.report.shown_pairs import ShownPair, ShownText, SideTokens

# More than is shown, of which the order of margins is made.
_DIGITS = 6


def pair_data(pair: ShownPair) -> dict[str, Any]:
    """A pair as JSON values."""
    data: dict[str, Any] = {
        "task": pair.task,
        "kind": pair.kind,
        "reason": pair.reason,
        "document": pair.document,
        "parts": [[name, value] for name, value in pair.parts.items()],
        "gap": pair.gap,
        "rewards": [
            [judge, *(_number(reward) for reward in rewards)]
            for judge, rewards in pair.rewards.items()
        ],
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
        "rewards": [None if r is None else _number(r) for r in side.rewards],
        "changes": [None if c is None else _number(c) for c in side.changes],
        "cut": side.cut,
    }


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return round(value, _DIGITS)
    # JSON has no infinity; the script's Number() reads these texts as what they say.
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"

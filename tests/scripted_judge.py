"""A judge whose rewards a test gives."""

from __future__ import annotations

from typing import Any


class Scripted:
    """A judge whose rewards a function gives, in the place of every shared judge."""

    name = "scripted"

    def __init__(self, reward: Any, *, may_abstain: bool = False) -> None:
        self.reward, self.may_abstain = reward, may_abstain
        self.asked: list[tuple[Any, str]] = []
        self.calls = 0

    def score(self, prompts: Any, completions: Any) -> list[Any]:
        self.calls += 1
        self.asked.extend(zip(prompts, completions, strict=True))
        return [self.reward(p, c) for p, c in zip(prompts, completions, strict=True)]

    def settings(self) -> dict[str, Any]:
        return {"template": "none", "counts": {"texts": len(self.asked)}}

    def fingerprint(self) -> str:
        return "scripted"

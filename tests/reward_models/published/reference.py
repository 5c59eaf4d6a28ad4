"""What a reference forward pass of a published reward model gives for one text."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reference:
    """The reward of a text, its objectives by name, and for process models a reward a step."""

    reward: float
    objectives: dict[str, float] = field(default_factory=dict)
    steps: list[float] = field(default_factory=list)

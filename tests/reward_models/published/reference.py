"""What a reference forward pass says of one text."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reference:
    """The reward of one text, and what it is made of.

    Attributes:
        reward: the published score of the text.
        objectives: the objectives behind the score by name, where the kind has any.
        steps: one value a step, in the text's order, for process models.
    """

    reward: float
    objectives: dict[str, float] = field(default_factory=dict)
    steps: list[float] = field(default_factory=list)

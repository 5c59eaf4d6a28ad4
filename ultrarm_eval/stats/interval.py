"""What a confidence interval is: its ends, its level and how it was made."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Interval"]


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes:
        low: Its lower end.
        high: Its upper end.
        level: The confidence level.
        method: How it was made, such as "wilson", "t" or "bootstrap". "constant" is one without
            width: equal values of unknown range say nothing about how much others may differ.
    """

    low: float
    high: float
    level: float = 0.95
    method: str = ""

    @property
    def ends(self) -> tuple[float, float]:
        """Its lower and its upper end."""
        return self.low, self.high

"""A confidence interval: its ends, its level and its method."""

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
        method: Its method, such as "wilson", "t" or "bootstrap".
    """

    low: float
    high: float
    level: float = 0.95
    method: str = ""

    @property
    def ends(self) -> tuple[float, float]:
        """Its lower and its upper end."""
        return self.low, self.high

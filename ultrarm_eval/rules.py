"""The rules of a comparison: which preference, which pairs count, and the credit of a tie."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ultrarm_eval.errors import ConfigurationError, unknown_choice
from ultrarm_eval.exact_numbers import exact_number

__all__ = ["ComparisonRules"]

#: The credit of a pair with equal rewards. `wrong` is RewardBench's rule (chosen > rejected).
TIE_CREDITS = {"half": 0.5, "wrong": 0.0}


@dataclass(frozen=True)
class ComparisonRules:
    """How completions are compared.

    Attributes:
        preference: The rating that orders the pairs; None for the data's default.
        ties: The credit of a pair with equal rewards: `half` or `wrong`.
        min_gap: The least difference in rating of a pair that counts; one above 0 is needed
            in any case.
    """

    preference: str | None = None
    ties: str = "half"
    min_gap: Fraction = Fraction(0)

    @property
    def tie_credit(self) -> float:
        """The credit of a pair with equal rewards."""
        return TIE_CREDITS[self.ties]


def checked_ties(value: object) -> str:
    """A rule for ties.

    Raises:
        ConfigurationError: There is no such rule.
    """
    if not isinstance(value, str) or value not in TIE_CREDITS:
        raise unknown_choice("rule for ties", value, TIE_CREDITS)
    return value


def checked_min_gap(value: object) -> Fraction:
    """A minimum gap in rating, exactly as written.

    Raises:
        ConfigurationError: It is not a number of at least 0.
    """
    gap = exact_number(value)
    if gap is None or gap < 0:
        raise ConfigurationError(
            f"min_gap={value!r}: give the smallest rating difference of a pair that counts, a "
            "number of at least 0 in the units of the rating (aspects and fine_grained go from "
            "1 to 5, overall from 1 to 10)."
        )
    return gap

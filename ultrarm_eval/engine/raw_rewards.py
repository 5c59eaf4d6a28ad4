"""Tells from values of probe texts whether an engine returns raw rewards, without a sigmoid."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.special import expit

# The tolerance as a multiple of the observed rounding, and its minimum: a sigmoid that was rounded
# to bfloat16 is off by up to 2e-3.
_MARGIN, _LEAST = 4, 4e-3


def may_be_activated(values: Sequence[float]) -> bool:
    """Whether values may have passed through a sigmoid: all are between 0 and 1."""
    return all(0.0 <= value <= 1.0 for value in values)


def why_not_raw(
    values: Sequence[float], again: Sequence[float], activated: Sequence[float] | None
) -> str | None:
    """Why values may have passed through a sigmoid; None if they are proven to be raw.

    A value outside of 0 to 1 did not pass through a sigmoid. If all are inside, the activated
    values prove it: they have to be the sigmoid of the raw ones, or the softmax of a single label,
    and different from them.

    Args:
        values: The values of the probe texts that were requested as raw ones.
        again: The same, requested again: rounding may differ.
        activated: The values requested with the model's activation; None if there are none.
    """
    if not may_be_activated(values):
        return None
    if activated is not None:
        drift = max(abs(a - b) for a, b in zip(values, again, strict=True))
        tolerance = max(_MARGIN * drift, _LEAST)
        expected = [float(expit(value)) for value in values]
        as_activated = _near(expected, activated, tolerance) or all(one == 1.0 for one in activated)
        if as_activated and not _near(values, activated, tolerance):
            return None
    unproven = (
        "there are no values with the activation to compare them with"
        if activated is None
        else "requests with and without the activation do not prove that they are raw"
    )
    return (
        f"all its values for {len(values)} probe texts are between 0 and 1, as after a sigmoid, "
        f"and {unproven}"
    )


def _near(some: Sequence[float], others: Sequence[float], tolerance: float) -> bool:
    return all(abs(a - b) <= tolerance for a, b in zip(some, others, strict=True))

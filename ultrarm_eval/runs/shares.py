"""Which metrics are shares, to be shown in percent."""

from __future__ import annotations

_SHARES = ("acc", "win_rate", "best_of_n", "exact_match", "tie_rate", "truncated", "empty")


def is_share(metric: str) -> bool:
    """Whether a metric is a share, by its name: values between 0 and 1 say nothing of it."""
    return metric.startswith(_SHARES)

"""One value of one metric, with its standard error, interval and direction."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ultrarm_eval.runs.json_values import NOT_WRITTEN
from ultrarm_eval.stats.interval import Interval

#: Half the width of a 95 % interval in standard errors, by the normal distribution: lm-eval's
#: standard errors are of means over many documents.
TWO_SIDED_95 = 1.959963984540054
#: The method of an interval from a standard error.
FROM_STDERR = "lm-eval's standard error"
_ROUNDING = 1e-9
_SHARES = ("acc", "win_rate", "best_of_n", "exact_match", "tie_rate", "truncated", "empty")


@dataclass(frozen=True)
class Figure:
    """A value of a task or of a group of tasks.

    Attributes:
        metric: The metric's name, without the filter.
        filter: lm-eval's filter; "none" where there is none.
        value: The value, in the metric's own unit; shares range from 0 to 1.
        stderr: Its standard error; None where there is none.
        higher_is_better: Whether higher is better; None where neither direction is.
        documents: How many documents it is over; None if unknown.
        interval: Its 95 % interval; None where its uncertainty is unknown.
        label: Its name for a reader, where that is not the metric's name.
    """

    metric: str
    filter: str
    value: float
    stderr: float | None = None
    higher_is_better: bool | None = None
    documents: int | None = field(default=None, metadata=NOT_WRITTEN)
    interval: Interval | None = field(default=None, metadata=NOT_WRITTEN)
    label: str = field(default="", metadata=NOT_WRITTEN)

    @property
    def key(self) -> str:
        """Its key in lm-eval's results: `acc,none`."""
        return metric_key(self.metric, self.filter)

    def equals(self, value: float) -> bool:
        """Whether a value equals this one up to the rounding of sums in another order."""
        return abs(value - self.value) < _ROUNDING

    @property
    def name(self) -> str:
        """Its name for a reader."""
        return self.label or self.metric

    @property
    def is_share(self) -> bool:
        """Whether it is shown in percent."""
        return is_share(self.metric)


def metric_key(metric: str, filter_name: str) -> str:
    """lm-eval's key of a metric: `acc,none`; only the metric where there is no filter."""
    return f"{metric},{filter_name}" if filter_name else metric


def is_share(metric: str) -> bool:
    """Whether a metric is a share, by its name: values between 0 and 1 do not prove it."""
    return metric.startswith(_SHARES)


def harness_interval(
    metric: str, value: float, stderr: float | None, documents: int | None
) -> Interval | None:
    """The 95 % interval of a value from lm-eval's standard error.

    A standard error of 0 means that all documents have the same value, not that others would: then
    a share has Wilson's interval, and other values have none. Shares are bounded by 0 and 1.

    Args:
        metric: The metric, without the filter.
        value: The value.
        stderr: Its standard error.
        documents: How many documents it is over, if known.
    """
    if stderr is None or not 0 <= stderr < math.inf or not math.isfinite(value):
        return None
    # Third-party tasks may use the name for values outside 0 to 1.
    is_within = is_share(metric) and 0 <= value <= 1
    if stderr > 0:
        half = TWO_SIDED_95 * stderr
        low, high = value - half, value + half
        if is_within:
            low, high = max(0.0, low), min(1.0, high)
        return Interval(low, high, 0.95, FROM_STDERR)
    if not is_within or not documents or documents < 0:
        return None
    # With numpy and scipy, which reading results needs for nothing else.
    from ultrarm_eval.stats.interval_estimators import wilson_interval

    return wilson_interval(value * documents, documents)

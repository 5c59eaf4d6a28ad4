"""One value of one metric, with all that is known about it: the form in which results travel."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ultrarm_eval.runs.json_values import NOT_WRITTEN
from ultrarm_eval.stats.interval import Interval

#: Half the width of a 95 % interval in standard errors, of the normal distribution: the harness's
#: standard errors are of means over many documents.
TWO_SIDED_95 = 1.959963984540054
#: How an interval from a standard error is called.
FROM_STDERR = "standard error of the harness"
_ROUNDING = 1e-9
_SHARES = ("acc", "win_rate", "best_of_n", "exact_match", "tie_rate", "truncated", "empty")


@dataclass(frozen=True)
class Figure:
    """A figure of a task or of a group of tasks.

    Attributes:
        metric: The metric's name, without the filter.
        filter: The harness's filter; "none" where there is none.
        value: The figure, in the metric's own unit; shares go from 0 to 1.
        stderr: Its standard error; None where there is none.
        higher_is_better: Which way it gets better; None where neither is.
        documents: How many documents it is over; None where it is not known.
        interval: Its 95 % interval; None where nothing says how sure it is.
        label: What it is called, where that is not the metric's name.
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
        """The harness's key of it: `acc,none`."""
        return metric_key(self.metric, self.filter)

    def equals(self, value: float) -> bool:
        """Whether a value is this figure's, but for the rounding of sums in another order."""
        return abs(value - self.value) < _ROUNDING

    @property
    def name(self) -> str:
        """What it is called."""
        return self.label or self.metric

    @property
    def is_share(self) -> bool:
        """Whether it is shown in percent."""
        return is_share(self.metric)


def metric_key(metric: str, filter_name: str) -> str:
    """The harness's key of a metric: `acc,none`; the metric alone where there is no filter."""
    return f"{metric},{filter_name}" if filter_name else metric


def is_share(metric: str) -> bool:
    """Whether a metric is a share, by its name: values between 0 and 1 say nothing of it."""
    return metric.startswith(_SHARES)


def harness_interval(
    metric: str, value: float, stderr: float | None, documents: int | None
) -> Interval | None:
    """The 95 % interval of a figure from the harness's standard error.

    A standard error of 0 says that all documents came out alike, and not that others would, too:
    then a share has Wilson's interval, and other figures have none. Shares end at 0 and 1.

    Args:
        metric: The metric, without the filter.
        value: The figure.
        stderr: Its standard error.
        documents: How many documents it is over, where it is known.
    """
    if stderr is None or not 0 <= stderr < math.inf or not math.isfinite(value):
        return None
    # Not all tasks of others keep to what the metric's name says.
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

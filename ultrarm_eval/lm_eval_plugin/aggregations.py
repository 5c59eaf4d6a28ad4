"""How the harness makes one figure of the values of prompts.

It shows a standard error for its own `mean` alone, which is right for the metrics that every
prompt has. The others come without: their prompts' values are sums, or may be undefined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lm_eval.api.metrics import mean

from ultrarm_eval.metrics.aggregation import mean_where_defined, pooled_accuracy
from ultrarm_eval.metrics.length import length_controlled_accuracy

#: What stands for a figure that is not defined, as in the harness's own standard errors.
NOT_AVAILABLE = "N/A"

_OVER_PROMPTS = ("acc", "acc_norm", "tie_rate", "margin", "nll", "best_of_n")
_LOWER_IS_BETTER = frozenset({"tie_rate", "nll"})
# A property of the data, and not of the judge.
_NEITHER_IS_BETTER = frozenset({"acc_longest"})

Aggregation = Callable[[Sequence[Any]], Any]


class Aggregations:
    """The aggregations of one task.

    Attributes:
        undefined: By metric, in how many of the documents it was not defined.
    """

    def __init__(self) -> None:
        """Starts with nothing undefined."""
        self.undefined: dict[str, int] = {}

    def by_metric(self, undefinable: Sequence[str]) -> dict[str, Aggregation]:
        """The aggregation of every metric.

        Args:
            undefinable: The metrics that some documents may leave undefined.
        """
        return {
            **dict.fromkeys(_OVER_PROMPTS, mean),
            "acc_pairs": pooled_accuracy,
            "acc_longest": pooled_accuracy,
            "acc_length_controlled": _length_controlled,
            **{name: self._mean_where_defined(name) for name in undefinable},
        }

    def _mean_where_defined(self, metric: str) -> Aggregation:
        def aggregate(values: Sequence[float | None]) -> float | str:
            value, missing = mean_where_defined(values)
            self.undefined[metric] = missing
            return NOT_AVAILABLE if value is None else value

        return aggregate


def directions(metrics: Sequence[str]) -> dict[str, bool]:
    """Whether higher is better, by metric, where one way is."""
    return {
        name: name not in _LOWER_IS_BETTER for name in metrics if name not in _NEITHER_IS_BETTER
    }


def _length_controlled(splits: Sequence[Sequence[float]]) -> float | str:
    value = length_controlled_accuracy(splits)
    return NOT_AVAILABLE if value is None else value

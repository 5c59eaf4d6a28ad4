"""Metrics of a judge that may abstain: documents it had no score for count in none of them.

Such a document gives None for every metric, for the harness joins the values of several processes
metric by metric, and a metric that one process lacks would get another's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_eval.api.metrics import mean, mean_stderr

#: What stands for a figure that is not defined, as in the harness's own standard errors.
NOT_AVAILABLE = "N/A"

Aggregation = Callable[[Sequence[Any]], Any]


class Abstentions:
    """Aggregations over the documents that have a value.

    Attributes:
        standard_errors: By metric, of means over these documents: the harness knows only those of
            its own mean over all.
    """

    def __init__(self) -> None:
        """Starts with nothing aggregated."""
        self.standard_errors: dict[str, float] = {}

    def over_defined(self, metric: str, aggregation: Aggregation) -> Aggregation:
        """A metric's aggregation, over the documents that have a value."""

        def aggregate(values: Sequence[Any]) -> Any:
            defined = [value for value in values if value is not None]
            if aggregation is mean and len(defined) > 1:
                self.standard_errors[metric] = float(mean_stderr(defined))
            return aggregation(defined) if defined else NOT_AVAILABLE

        return aggregate


def unscored_answers(samples: Sequence[Mapping[str, Any]], filter_name: str | None = None) -> int:
    """How many answers of a task's samples have no score.

    Args:
        samples: The samples, of all processes.
        filter_name: Counts those of one filter, where an answer stands in a sample for each.
    """
    return sum(
        answer["reward"] is None
        for sample in samples
        if filter_name is None or sample.get("filter") == filter_name
        for answer in sample.get("judged", ())
    )

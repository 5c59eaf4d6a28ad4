"""Metrics of a judge that may abstain: documents without a score are excluded from all of them.

Such a document has None for every metric: the harness joins the values of several processes metric
by metric, so a metric that one process lacks would get another metric's values.
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
        standard_errors: By metric, the standard errors of means over these documents; the harness
            computes them only for its own mean over all documents.
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
    """Counts the answers without a score in a task's samples.

    Args:
        samples: The samples, of all processes.
        filter_name: Counts only samples of this filter, if each answer has one sample per filter.
    """
    return sum(
        answer["reward"] is None
        for sample in samples
        if filter_name is None or sample.get("filter") == filter_name
        for answer in sample.get("judged", ())
    )

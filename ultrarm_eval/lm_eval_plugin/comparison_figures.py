"""How the metrics of compared documents are aggregated, in a run and in a merged run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_eval.api.metrics import mean

from ultrarm_eval.lm_eval_plugin.abstentions import NOT_AVAILABLE, Abstentions, Aggregation
from ultrarm_eval.metrics.over_prompts import Metric, mean_where_defined


class ComparisonFigures:
    """Aggregations of a comparison's metrics.

    The harness shows a standard error only for its own `mean`, which is right for metrics that
    every document has.
    """

    def __init__(self, metrics: Mapping[str, Metric], abstentions: Abstentions) -> None:
        """Starts with nothing aggregated.

        Args:
            metrics: The metrics by name.
            abstentions: Collects the standard errors of means over some of the documents.
        """
        self._metrics, self._abstentions = metrics, abstentions
        # By metric, in how many of the documents it was not defined.
        self._undefined: dict[str, int] = {}

    def aggregations(self, *, may_abstain: bool) -> dict[str, Aggregation]:
        """The aggregation of a metric's values, by metric.

        Args:
            may_abstain: Whether the judge may abstain from scoring a completion.
        """
        return {name: self._figure(name, one, may_abstain) for name, one in self._metrics.items()}

    def facts(self) -> dict[str, Any]:
        """Facts known only after everything is aggregated, for the task's metadata in the results.

        Returns:
            Under `undefined`, by metric, the number of documents in which it was undefined, for
            metrics that may be.
        """
        if not any(metric.may_be_undefined for metric in self._metrics.values()):
            return {}
        return {"undefined": {name: n for name, n in self._undefined.items() if n}}

    def _figure(self, name: str, metric: Metric, may_abstain: bool) -> Aggregation:
        if metric.may_be_undefined:
            return self._mean_where_defined(name)
        figure = mean if metric.figure is None else _shown(metric.figure)
        if metric.is_of_some or may_abstain:
            return self._abstentions.over_defined(name, figure)
        return figure

    def _mean_where_defined(self, metric: str) -> Aggregation:
        def aggregate(values: Sequence[float | None]) -> float | str:
            value, self._undefined[metric] = mean_where_defined(values)
            return NOT_AVAILABLE if value is None else value

        return aggregate


def _shown(figure: Callable[[Sequence[Any]], float | None]) -> Aggregation:
    def aggregate(values: Sequence[Any]) -> float | str:
        value = figure(values)
        return NOT_AVAILABLE if value is None else value

    return aggregate

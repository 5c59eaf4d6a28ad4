"""The scorer of this package's own tasks, for releases of the harness that have scorers (0.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lm_eval.scorers import GenScorer, ScoredDoc

from ultrarm_eval.lm_eval_plugin.harness_task import standard_error


@dataclass(kw_only=True)
class TaskScorer(GenScorer):  # type: ignore[misc, unused-ignore]
    """Judges the answers of all documents at once; the task then measures each document.

    Attributes:
        task: The task, one of ours.
    """

    task: Any = field(repr=False)

    def score_instances(self, instances: Mapping[int, Sequence[Any]]) -> dict[int, Any]:
        """Judges the answers and measures every document.

        Args:
            instances: The requests of each document, by its number.
        """
        if not self.task.only_writes():
            self.task.judge_answers(self.name)
        scored = {}
        for doc_id, of_document in instances.items():
            found = [one.filtered_resps[self.name] for one in of_document]
            measured = self.task.process_results(of_document[0].doc, found)
            # A list would mean one value for each of several answers.
            scores = {metric: [value] for metric, value in measured.items()}
            scored[doc_id] = ScoredDoc(doc_id, of_document[0].target, scores)
        return scored

    def aggregate(
        self,
        reduced_docs: Mapping[int, Mapping[str, Any]],
        bootstrap_iters: int | None = 100000,
        aggregation_overrides: Mapping[str, Callable[[Sequence[Any]], Any]] | None = None,
    ) -> tuple[dict[str, Any], int]:
        """The metrics by the task's own aggregations, with their standard errors if they have one.

        Args:
            reduced_docs: The values of each document, by its number.
            bootstrap_iters: The run's setting; 0 means no standard errors.
            aggregation_overrides: The task's aggregations.

        Returns:
            The metrics under the harness's keys, and the number of documents.
        """
        by_metric = aggregation_overrides or self.task.aggregation()
        values: dict[str, list[Any]] = {}
        for of_document in reduced_docs.values():
            for metric, value in of_document.items():
                values.setdefault(metric, []).append(value)
        figures: dict[str, Any] = {}
        for metric, of_documents in values.items():
            aggregation = by_metric[metric]
            figures[f"{metric},{self.name}"] = aggregation(of_documents)
            figures[f"{metric}_stderr,{self.name}"] = standard_error(
                aggregation, of_documents, bootstrap_iters
            )
        return figures, len(reduced_docs)

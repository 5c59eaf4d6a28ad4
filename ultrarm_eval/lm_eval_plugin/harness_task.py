"""The harness's task class, with one interface for all releases.

Since lm-eval 0.5 a task passes its answers to scorers, and a request names its task and document in
its own fields. This class hides these differences from our tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_eval.api.metrics import mean, mean_stderr

from ultrarm_eval.lm_eval_plugin.abstentions import NOT_AVAILABLE
from ultrarm_eval.lm_eval_plugin.harness_features import (
    generating_task_class,
    metrics_of,
    tasks_have_scorers,
)

_Task: Any = generating_task_class()


class HarnessTask(_Task):  # type: ignore[misc, unused-ignore]
    """A task whose answers are judged together and then measured document by document."""

    _scorers: list[Any]
    #: Whether documents are measured by the metrics of the YAML; else by the class alone.
    reads_metric_list = False

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Loads the data.

        Args:
            config: The task's YAML.
        """
        super().__init__(config=config)
        if tasks_have_scorers():
            # Wrong data show when a task is loaded, and not only once its documents are asked for.
            _ = self.dataset
            self._take_scorers()

    def judge_answers(self, filter_name: str) -> None:
        """Judges the answers of all documents, if a judge scores a model's answers.

        Args:
            filter_name: The name of the filter list under which the results are stored.
        """
        return

    def apply_filters(self) -> Any:
        """Filters the answers, as many as were requested.

        In a process with fewer requests than another the harness repeats the last one; those
        answers are dropped, so that samples do not depend on the number of processes.
        """
        for instance in self.instances:
            del instance.resps[instance.repeats :]
        if self.only_writes():
            for instance in self.instances:
                several = len(instance.resps) > 1
                instance.filtered_resps["none"] = instance.resps if several else instance.resps[0]
            return None
        filtered = super().apply_filters()
        names = list(self.instances[0].filtered_resps) if self.instances else []
        if not tasks_have_scorers():
            for name in names:
                self.judge_answers(name)
        elif self.OUTPUT_TYPE != "generate_until":
            # One answer of one: what the harness says of its samples, and what it wrote before 0.5.
            for instance in self.instances:
                instance.filtered_resps |= {
                    name: instance.filtered_resps[name][0] for name in names
                }
        return filtered

    def process_instances(self) -> None:
        """Filters, judges and measures: called by lm-eval 0.5 once a task has all answers."""
        self.apply_filters()
        of_document: dict[int, list[Any]] = {}
        for instance in self.instances:
            of_document.setdefault(instance.doc_id, []).append(instance)
        for scorer in self.scorers:
            scorer.set_results(scorer.score_instances(of_document))

    def measured_answer(self, doc: Mapping[str, Any], answer: str) -> dict[str, Any]:
        """The YAML's metrics of one answer, by name.

        Args:
            doc: The document.
            answer: What the filters found in it.
        """
        if not tasks_have_scorers():
            return dict(super().process_results(doc, [answer]))
        found = super().process_results(doc, [answer])
        if found is None:
            target = self.doc_to_target(doc)
            # Before 0.5, the harness made a target the kind of value that the answer is.
            target = target if isinstance(target, list | tuple) else str(target)
            found = self.scorers[0].score(target, [answer])
        return {k: v[0] if isinstance(v, list) else v for k, v in found.items()}

    def only_writes(self) -> bool:
        """Whether the run only generates answers (`--predict_only`)."""
        return "bypass" in metrics_of(self)

    def override_metric(self, metric_name: str) -> None:
        """Replaces the metrics; the harness does so for `--predict_only`."""
        super().override_metric(metric_name)
        if tasks_have_scorers():
            self._take_scorers()

    def _take_scorers(self) -> None:
        from ultrarm_eval.lm_eval_plugin.task_scorer import TaskScorer

        keeps = self.reads_metric_list or self.only_writes()
        self._scorers = [
            TaskScorer(
                name=one.name, filter=one.filter, metrics=one.metrics if keeps else [], task=self
            )
            for one in self.scorers
        ]


def whose_request(
    task: Any, doc: Mapping[str, Any], doc_id: int, repeats: int = 1
) -> dict[str, Any]:
    """The task and document of a request, as this release's `Instance` expects them.

    Args:
        task: The task.
        doc: The document.
        doc_id: Its number.
        repeats: The number of requested answers.
    """
    if not tasks_have_scorers():
        return {"metadata": (task.config.task, doc_id, repeats)}
    return {
        "task_name": task.config.task,
        "doc_id": doc_id,
        "target": task.doc_to_target(doc),
        "repeats": repeats,
    }


def standard_error(
    aggregation: Callable[..., Any], values: Sequence[Any], bootstrap_iters: int | None
) -> float | str:
    """The standard error of one of our tasks' metrics.

    Only means over all documents have one: releases since 0.5 would bootstrap every other metric,
    even counts and metrics that are undefined in some documents.

    Args:
        aggregation: The metric's aggregation.
        values: The values, one per document.
        bootstrap_iters: The run's setting; 0 means no standard errors.
    """
    is_known = aggregation is mean and bool(bootstrap_iters) and len(values) > 1
    return float(mean_stderr(values)) if is_known else NOT_AVAILABLE

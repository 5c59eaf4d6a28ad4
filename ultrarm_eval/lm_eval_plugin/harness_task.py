"""The harness's task class, as the tasks of this package see it in every release.

From lm-eval 0.5 on a task hands its answers to scorers, and a request says whose it is in fields of
its own. What our classes are asked for stays the same; here is what makes it so.
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
    """A task whose answers are judged together, and then measured document by document."""

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
        """Has the answers of all documents judged, where a judge scores what a model writes.

        Args:
            filter_name: The list of filters under whose name it puts what was found.
        """
        return

    def apply_filters(self) -> Any:
        """Filters the answers, as many as were asked for.

        A process with fewer requests than another is given its last one again and again; those
        answers are dropped, so that samples are the same in any number of processes.
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
        """Filters, judges and measures; what lm-eval 0.5 asks of a task once it has all answers."""
        self.apply_filters()
        of_document: dict[int, list[Any]] = {}
        for instance in self.instances:
            of_document.setdefault(instance.doc_id, []).append(instance)
        for scorer in self.scorers:
            scorer.set_results(scorer.score_instances(of_document))

    def measured_answer(self, doc: Mapping[str, Any], answer: str) -> dict[str, Any]:
        """The metrics of the YAML of one answer, by their names.

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
        """Whether the run asks for answers alone (`--predict_only`)."""
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
    """Whose a request is, as this release's `Instance` takes it.

    Args:
        task: The task.
        doc: The document.
        doc_id: Its number.
        repeats: How many answers are asked for.
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
    """The standard error that stands beside a figure of one of our tasks.

    Of a mean over all documents, and of nothing else: releases from 0.5 on would draw samples
    of every other figure, also of those that are counts or not defined in some documents.

    Args:
        aggregation: What makes the figure of the values.
        values: The values, one a document.
        bootstrap_iters: The run's; no standard errors are asked for without some.
    """
    is_known = aggregation is mean and bool(bootstrap_iters) and len(values) > 1
    return float(mean_stderr(values)) if is_known else NOT_AVAILABLE

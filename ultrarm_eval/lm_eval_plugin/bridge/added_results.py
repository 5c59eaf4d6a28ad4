"""Adds to the harness's results what our tasks and judges know when everything is computed.

The harness copies a task's metadata before its metrics are aggregated, and writes of an answer
only its text.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from ultrarm_eval.lm_eval_plugin.bridge.evaluated_tasks import evaluated_tasks
from ultrarm_eval.runs.digest import samples_digest

logger = logging.getLogger("lm_eval.ultrarm_eval")


def connect(evaluator: ModuleType) -> None:
    """Has the harness's `evaluate` add it."""
    evaluate = evaluator.evaluate

    @functools.wraps(evaluate)
    def evaluate_and_add(lm: Any, task_dict: Any, *args: Any, **kwargs: Any) -> Any:
        results = evaluate(lm, task_dict, *args, **kwargs)
        if isinstance(results, Mapping):  # None in all processes but the first
            samples = results.get("samples") or {}
            _add_to_samples(samples)
            for name, task in evaluated_tasks(task_dict):
                if hasattr(task, "after_evaluation"):
                    of_task = samples.get(name) or ()
                    digest = {"data_digest": samples_digest(of_task)} if of_task else {}
                    _add(results, name, {**task.after_evaluation(of_task), **digest})
                _add_errors(results, name, getattr(task, "abstentions", None))
        return results

    evaluator.evaluate = evaluate_and_add  # type: ignore[attr-defined]


def _add(results: Mapping[str, Any], name: str, known: Mapping[str, Any]) -> None:
    metadata = results.get("configs", {}).get(name, {}).get("metadata")
    if isinstance(metadata, dict):
        metadata.update(known)
    if known.get("undefined"):
        logger.info(
            "%s: documents without a pair for a metric, left out of its mean: %s.",
            name,
            ", ".join(f"{metric} {count}" for metric, count in known["undefined"].items()),
        )


def _add_errors(results: Mapping[str, Any], name: str, abstentions: Any) -> None:
    errors = {} if abstentions is None else abstentions.standard_errors
    figures = results.get("results", {}).get(name, {})
    for key in list(figures):
        metric, _, filter_name = str(key).partition(",")
        if metric in errors and f"{metric}_stderr,{filter_name}" in figures:
            figures[f"{metric}_stderr,{filter_name}"] = errors[metric]


def _add_to_samples(samples: Mapping[str, Any]) -> None:
    if not any(samples.values()):
        return
    from ultrarm_eval.lm_eval_plugin.judged import judged

    for of_task in samples.values():
        for sample in of_task:
            sample.update(judged(sample.get("resps"), sample.get("filtered_resps")))

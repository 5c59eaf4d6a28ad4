"""The features of the installed lm-eval, detected by inspection.

Nothing here compares versions, because builds between releases have some features: a feature exists
if its names do.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any


@functools.cache
def tasks_have_scorers() -> bool:
    """Whether tasks pass their answers to scorers, one for each filter list (lm-eval 0.5).

    Before, a task measures one document after another with `process_results`.
    """
    from lm_eval.api.task import ConfigurableTask

    return hasattr(ConfigurableTask, "process_instances")


def generating_task_class() -> Any:
    """The class of the harness's generation tasks: since 0.5 one of several classes."""
    from lm_eval.api import task

    return getattr(task, "GenerateTask", task.ConfigurableTask)


def scorers_of(task: Any) -> list[Any] | None:
    """A task's scorers (lm-eval 0.5); None if tasks have none.

    Args:
        task: A task of the harness.
    """
    return getattr(task, "scorers", None)


def filters_of(task: Any) -> list[Any]:
    """A task's filter lists, with their names.

    Args:
        task: A task of the harness.
    """
    scorers = scorers_of(task)
    if scorers is not None:
        return [scorer.filter for scorer in scorers]
    return list(getattr(task, "_filters", None) or ())


def metrics_of(task: Any) -> frozenset[str]:
    """The names of the metrics that the harness itself computes for a task.

    Args:
        task: A task of the harness.
    """
    scorers = scorers_of(task)
    if scorers is not None:
        return frozenset(metric.name for scorer in scorers for metric in scorer.metrics or ())
    return frozenset(getattr(task, "_metric_fn_list", None) or ())


@functools.cache
def logs_chosen_documents() -> bool:
    """Whether samples can be logged if `--samples` selects the documents.

    lm-eval 0.5.0.dev1 confuses a document's number with its position among the selected ones, and
    fails at the end of the run. This is tested with one document whose number is 1.
    """
    from lm_eval import evaluator_utils

    build = getattr(evaluator_utils, "_build_logged_samples", None)
    if build is None:
        return True
    texts: dict[str, Any] = {"target": "", "args": ("",), "arguments": ("",), "resps": [""]}
    request = SimpleNamespace(doc_id=1, idx=0, doc={}, filtered_resps={}, **texts)
    scorer = SimpleNamespace(name="none", reduced_docs={}, raw_docs={})
    try:
        logged = build(
            SimpleNamespace(instances=[request], scorers=[scorer]), {"task": [1]}, "task"
        )
    except IndexError:
        return False
    return bool(logged[0]["doc_id"] == 1)


def discovers_plugins(registry: ModuleType, group: str) -> bool:
    """Whether the harness itself loads the entry points of a group.

    Models are in pull request 4013; filters, metrics and aggregations in 4014, which a build with
    4013 may lack. Code that loads a group contains its name.

    Args:
        registry: `lm_eval.api.registry`.
        group: The group's name, as `lm_eval.models`.
    """
    if not hasattr(registry, "load_plugins"):
        return False
    return any(group == name for name in _texts_in(registry))


def discovers_tasks(manager: ModuleType) -> bool:
    """Whether the harness itself scans the task packages of entry points (pull request 4015).

    Args:
        manager: The module of its `TaskManager`.
    """
    return hasattr(manager, "discover_plugin_task_paths") or hasattr(
        manager, "TASKS_ENTRY_POINT_GROUP"
    )


def deferred_metric_class(registry: ModuleType) -> Any:
    """The class of metrics that are created on first use; None if metrics are functions.

    Since lm-eval 0.5 a metric is an object that is created from its function on first use.

    Args:
        registry: `lm_eval.api.registry`.
    """
    return getattr(registry, "_Deferred", None)


def task_index(manager: Any) -> Mapping[str, Any]:
    """The tasks, groups and tags of a `TaskManager`, by name.

    lm-eval 0.5 made the property private.

    Raises:
        AttributeError: This manager has neither form of it.
    """
    found: Mapping[str, Any] = (
        manager.task_index if hasattr(manager, "task_index") else manager._task_index
    )
    return found


@functools.cache
def knows_errors_of_plain_means() -> bool:
    """Whether a group that shows the unweighted mean of its tasks shows the error of that mean.

    Release 0.4.13 does; 0.4.10 to 0.4.12 and 0.5.0.dev1 pool the tasks' errors.
    """
    from lm_eval.api import metrics

    return hasattr(metrics, "unweighted_mean_stderr")


def metadata_merger(manager: Any) -> Any:
    """The object that merges the run's metadata into a task's (lm-eval 0.5).

    Args:
        manager: A `TaskManager`.

    Returns:
        The factory of its tasks; None if it has none that merges.
    """
    factory = getattr(manager, "_factory", None)
    return factory if hasattr(factory, "_merge_metadata") else None


def _texts_in(module: ModuleType) -> Iterator[str]:
    """Yields the strings in a module's names and in the code of its functions and methods."""
    for value in vars(module).values():
        if isinstance(value, str):
            yield value
        elif getattr(value, "__module__", None) == module.__name__:
            functions = vars(value).values() if isinstance(value, type) else (value,)
            for function in functions:
                if isinstance(function, FunctionType):
                    yield from _texts_of(function.__code__)


def _texts_of(code: CodeType) -> Iterator[str]:
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from _texts_of(constant)

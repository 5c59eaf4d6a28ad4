"""Standard errors of groups whose score is the unweighted mean of their tasks' scores.

lm-eval 0.4.13 gives such a group (`weight_by_size: false`) the error of this mean. Earlier
releases, and 0.5.0.dev1, give it the error of a mean over all documents.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.lm_eval_plugin.harness_features import knows_errors_of_plain_means
from ultrarm_eval.lm_eval_plugin.protocols import BridgedTask


def error_of_plain_mean(errors: Sequence[float]) -> float:
    """The standard error of the unweighted mean of independent estimates."""
    return math.sqrt(math.fsum(error**2 for error in errors)) / len(errors)


def mend_group_errors(results: Mapping[str, Any], task_dict: Any) -> None:
    """Corrects the standard errors of groups of our tasks, in releases that pool them.

    Args:
        results: The results of `evaluate`.
        task_dict: Its tasks and groups.
    """
    if knows_errors_of_plain_means():
        return
    by_task = results.get("results") or {}
    for group in _groups(task_dict):
        rows = [row for row in (by_task.get(name) for name in group.tasks) if row is not None]
        shown = [
            entry[group.name]
            for entry in (by_task, results.get("groups") or {})
            if group.name in entry
        ]
        for metric in group.plain_means:
            for key in [key for row in shown for key in row if key.startswith(f"{metric}_stderr,")]:
                of_metric = [row for row in rows if f"{metric},{key.partition(',')[2]}" in row]
                known = [row[key] for row in of_metric if isinstance(row.get(key), float)]
                if known and len(known) == len(of_metric):
                    for row in shown:
                        row[key] = error_of_plain_mean(known)


@dataclass(frozen=True)
class _Group:
    """A group that contains only our tasks.

    Attributes:
        name: Its name.
        tasks: The harness's keys of its tasks, including those of nested groups.
        plain_means: The metrics of which it shows the unweighted mean.
    """

    name: str
    tasks: Sequence[str]
    plain_means: Sequence[str]


def _groups(task_dict: Any) -> Iterator[_Group]:
    """Yields the groups that a run evaluates, except those with third-party tasks."""
    if not isinstance(task_dict, Mapping):
        return
    if isinstance(task_dict.get("groups"), Mapping):
        for name, group in task_dict["groups"].items():
            tasks = {_key_of(task): task for task in group.get_all_tasks()}
            yield from _of_ours(name, tasks, group.aggregate_metric_list)
        return
    # Before 0.4.12 a group is a key of nested mappings.
    for group, below in task_dict.items():
        if isinstance(below, Mapping):
            yield from _groups(below)
            about = getattr(group, "config", None) or {}
            name = getattr(group, "group_name", group)
            yield from _of_ours(name, dict(_tasks_in(below)), about.get("aggregate_metric_list"))


def _of_ours(name: Any, tasks: Mapping[str, Any], listed: Any) -> Iterator[_Group]:
    plain = [str(_said(one, "metric")) for one in listed or () if not _said(one, "weight_by_size")]
    if plain and tasks and all(isinstance(task, BridgedTask) for task in tasks.values()):
        yield _Group(str(name), list(tasks), plain)


def _said(entry: Any, name: str) -> Any:
    return entry.get(name) if isinstance(entry, Mapping) else getattr(entry, name)


def _key_of(task: Any) -> str:
    return str(getattr(task, "_qualified_name", task.config.task))


def _tasks_in(nested: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in nested.items():
        if isinstance(value, Mapping):
            yield from _tasks_in(value)
        else:
            yield str(name), value

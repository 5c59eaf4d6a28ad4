"""Scores of groups, computed from the merged tasks as the harness computed them in each shard.

The harness does not record how it computes them: the method is the one that reproduces the scores
in every shard's results.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_eval.api.metrics import aggregate_subtask_metrics, pooled_sample_stderr

from ultrarm_eval.errors import DataError
from ultrarm_eval.lm_eval_plugin.abstentions import NOT_AVAILABLE
from ultrarm_eval.lm_eval_plugin.group_errors import error_of_plain_mean
from ultrarm_eval.lm_eval_plugin.merged.task import SIZES, MergedTask
from ultrarm_eval.runs.identity import mapping, member_tasks
from ultrarm_eval.runs.run import Run
from ultrarm_eval.runs.shards import named_files
from ultrarm_eval.runs.task_result import TaskResult

_SLACK = 1e-9
_COUNTS = "sample_count"

#: Makes a group's number of those of its tasks and of their sizes.
_Way = Callable[[Sequence[float], Sequence[int]], float]


def _by_size(values: Sequence[float], sizes: Sequence[int]) -> float:
    return float(aggregate_subtask_metrics(list(values), list(sizes), weight_by_size=True))


def _by_task(values: Sequence[float], sizes: Sequence[int]) -> float:
    return float(aggregate_subtask_metrics(list(values), list(sizes), weight_by_size=False))


def _pooled(errors: Sequence[float], sizes: Sequence[int]) -> float:
    return float(pooled_sample_stderr(list(errors), list(sizes)))


def _of_mean(errors: Sequence[float], sizes: Sequence[int]) -> float:
    return error_of_plain_mean(errors)


# The harness's own way where nothing is said comes first.
_OF_VALUES: tuple[_Way, ...] = (_by_size, _by_task)
_OF_ERRORS: Mapping[_Way, tuple[_Way, ...]] = {
    _by_size: (_pooled, _of_mean),
    _by_task: (_of_mean, _pooled),
}


def merged_group(
    group: str, runs: Sequence[Run], tasks: Mapping[str, MergedTask]
) -> dict[str, Any]:
    """A group's entry of the results.

    Args:
        group: The group.
        runs: The runs that have it.
        tasks: The merged tasks.

    Raises:
        DataError: It has different tasks in some run, or its scores are computed by an unknown
            method.
    """
    members = member_tasks(runs[0], group)
    others = [run for run in runs if set(member_tasks(run, group)) != set(members)]
    if others:
        raise DataError(
            f"{group}: its tasks in {named_files(others)} differ from those in {runs[0].path}. "
            "Merge runs of the same tasks."
        )
    entry = {**mapping(runs[0].results["results"].get(group))}
    leaves = [tasks[name] for name in members]
    for key in list(entry):
        metric, comma, name = key.partition(",")
        if not comma or metric.endswith("_stderr"):
            continue
        way = _way(group, runs, key, _OF_VALUES)
        with_metric = [task for task in leaves if key in task.figures]
        sizes = [task.documents for task in with_metric]
        entry[key] = way([task.figures[key] for task in with_metric], sizes)
        error_key = f"{metric}_stderr,{name}"
        if error_key in entry:
            entry[error_key] = _error(group, runs, error_key, with_metric, _OF_ERRORS[way])
        if isinstance(entry.get(_COUNTS), Mapping):
            entry[_COUNTS] = {**entry[_COUNTS], key: sum(sizes)}
    for name in SIZES:
        if name in entry:
            entry[name] = sum(task.documents for task in leaves)
    return entry


def _error(
    group: str,
    runs: Sequence[Run],
    key: str,
    tasks: Sequence[MergedTask],
    ways: tuple[_Way, ...],
) -> Any:
    errors = [task.figures.get(key) for task in tasks]
    if not all(isinstance(error, float) for error in errors):
        return NOT_AVAILABLE
    way = _way(group, runs, key, ways)
    return way([float(error or 0.0) for error in errors], [task.documents for task in tasks])


def _way(group: str, runs: Sequence[Run], key: str, ways: tuple[_Way, ...]) -> _Way:
    """The first method that reproduces the number in every run's results."""
    fitting = [way for way in ways if all(_gives(way, run, group, key) for run in runs)]
    if not fitting:
        raise DataError(
            f"{group}: {key} is computed from its tasks by an unknown method, so it cannot be "
            f"computed for the merged run ({named_files(runs)}). Run the group's tasks by their "
            "own names."
        )
    return fitting[0]


def _gives(way: _Way, run: Run, group: str, key: str) -> bool:
    results = run.results["results"]
    value = mapping(results.get(group)).get(key)
    tasks = [TaskResult(n, run, mapping(results.get(n))) for n in member_tasks(run, group)]
    tasks = [task for task in tasks if key in task.figures]
    values = [task.figures[key] for task in tasks]
    if not tasks or not all(isinstance(one, int | float) for one in (value, *values)):
        # Says nothing of the way.
        return not isinstance(value, int | float)
    # Older versions of the harness write sizes under `n-samples` alone.
    sizes = [task.documents or 0 for task in tasks]
    if not all(sizes) or (way is _pooled and sum(sizes) <= len(sizes)):
        return False
    return math.isclose(way(values, sizes), float(value or 0.0), rel_tol=_SLACK, abs_tol=_SLACK)

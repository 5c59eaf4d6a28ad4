"""Which groups of tasks several runs can be compared on, and how their figures are made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ultrarm_eval.compare.shared_tasks import SharedTask, shared_of
from ultrarm_eval.runs.evaluation import Evaluation
from ultrarm_eval.runs.identity import mapping, member_tasks, task_settings
from ultrarm_eval.runs.task_result import TaskResult

#: How the harness makes a group's figure of those of its tasks.
BY_TASK, BY_SIZE = "mean over tasks", "mean weighted by size"
_SLACK = 1e-9


@dataclass(frozen=True)
class GroupSide:
    """What a run says about a group.

    Attributes:
        group: The harness's figure of the group; None where the run has its tasks alone.
        members: Its tasks' results.
        missing: The tasks that the run does not have.
    """

    group: TaskResult | None
    members: Mapping[str, TaskResult]
    missing: tuple[str, ...]


def shared_groups(evaluations: Sequence[Evaluation]) -> list[SharedTask]:
    """The groups with a figure of all runs, those of one run alone as well."""
    results = [
        (place, result)
        for place, evaluation in enumerate(evaluations)
        for result in evaluation.groups.values()
        if result.main_figure is not None and member_tasks(result.run, result.task)
    ]
    return shared_of(results)


def group_side(group: SharedTask, place: int, evaluation: Evaluation) -> GroupSide:
    """What one run says about a group that it or another run has.

    Args:
        group: The group.
        place: The run's place among all.
        evaluation: The run.
    """
    own = group.results.get(place)
    if own is not None:
        results = own.run.results["results"]
        names = member_tasks(own.run, own.task)
        found = {
            name: TaskResult(name, own.run, mapping(results[name]))
            for name in names
            if name in results
        }
    else:
        defining = next(iter(group.results.values()))
        names = member_tasks(defining.run, defining.task)
        found = {}
        for name in names:
            settings = task_settings(defining.run, name)
            named = [one for one in evaluation.tasks.values() if one.task == name]
            alike = [one for one in named if task_settings(one.run, name) == settings]
            # Another setting of the only one there is told as of any task.
            chosen = alike or named
            if len(chosen) == 1:
                found[name] = chosen[0]
    return GroupSide(own, found, tuple(name for name in names if name not in found))


def weighting(sides: Sequence[GroupSide], key: str) -> str | None:
    """How a group's figure is made of its tasks', as the runs' own figures show it.

    The harness does not write it down.

    Args:
        sides: The runs.
        key: Metric and filter.

    Returns:
        `BY_TASK` or `BY_SIZE`; None where it is made otherwise, or the runs' differ.
    """
    fitting = {BY_TASK, BY_SIZE}
    for side in sides:
        if side.group is not None:
            fitting &= _fitting(side.group, side.members, key)
    if BY_TASK in fitting and BY_SIZE in fitting:
        sizes = {one.documents for side in sides for one in side.members.values()}
        # Where both give the same in every run, it is the harness's way if nothing is said.
        return BY_TASK if len(sizes) == 1 else BY_SIZE
    return fitting.pop() if fitting else None


def _fitting(group: TaskResult, members: Mapping[str, TaskResult], key: str) -> set[str]:
    if key not in group.metrics or not all(key in one.metrics for one in members.values()):
        return set()
    value = group.figure(key).value
    figures = [one.figure(key).value for one in members.values()]
    made = {BY_TASK: math.fsum(figures) / len(figures)}
    sizes = [one.documents for one in members.values()]
    known = [size for size in sizes if size is not None]
    if len(known) == len(sizes) and any(known):
        made[BY_SIZE] = _weighted(figures, known)
    slack = _SLACK * max(1.0, abs(value))
    return {name for name, one in made.items() if abs(one - value) <= slack}


def _weighted(figures: Sequence[float], sizes: Sequence[int]) -> float:
    return math.fsum(n * v for n, v in zip(sizes, figures, strict=True)) / math.fsum(sizes)

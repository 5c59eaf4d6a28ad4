"""Which tasks several runs have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ultrarm_eval.runs.evaluation import Evaluation
from ultrarm_eval.runs.identity import distinguishing, task_settings
from ultrarm_eval.runs.task_result import TaskResult


@dataclass(frozen=True)
class SharedTask:
    """A task and what the runs say about it.

    Attributes:
        title: Its name, and where a run has it with several settings those in which they differ.
        results: The result of each run that has it, by the run's place among all.
    """

    title: str
    results: Mapping[int, TaskResult]


def shared_tasks(evaluations: Sequence[Evaluation]) -> list[SharedTask]:
    """The tasks of all runs, those of one run alone as well, in order of their titles.

    A task is matched by its name, whatever its settings; where a run has several results of one
    name, by its settings, too.
    """
    return shared_of(
        [
            (place, result)
            for place, evaluation in enumerate(evaluations)
            for result in evaluation.tasks.values()
        ]
    )


def shared_of(results: Sequence[tuple[int, TaskResult]]) -> list[SharedTask]:
    """The same of given results, each with its run's place among all."""
    named: dict[str, list[tuple[int, TaskResult]]] = {}
    for place, result in results:
        named.setdefault(result.task, []).append((place, result))
    found = [task for name, of_name in named.items() for task in _of_name(name, of_name)]
    return sorted(found, key=lambda task: task.title)


def _of_name(name: str, results: Sequence[tuple[int, TaskResult]]) -> list[SharedTask]:
    if len({place for place, _ in results}) == len(results):
        return [SharedTask(name, dict(results))]
    alike: dict[str, dict[int, TaskResult]] = {}
    for place, result in results:
        settings = json.dumps(task_settings(result.run, name), sort_keys=True, default=str)
        alike.setdefault(settings, {})[place] = result
    settings_of = [
        (name, task_settings(next(iter(group.values())).run, name)) for group in alike.values()
    ]
    titles = distinguishing(settings_of)
    return [SharedTask(title, group) for title, group in zip(titles, alike.values(), strict=True)]

"""Which of several tasks and groups contain others, so that a mean counts no document twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.board.tasks import Task
from ultrarm_eval.runs.identity import OF_DATA, mapping, task_settings
from ultrarm_eval.runs.judge_identity import written
from ultrarm_eval.runs.task_result import TaskResult

# The `dataset_kwargs` with which a task of this package reads one subset of its data.
_OF_SUBSET = ("subset", "source")


@dataclass(frozen=True)
class _Contents:
    """The tasks that a task or group consists of, each known by its name and settings.

    Runs may call the same data by several names, so each of these is a set of them.

    Attributes:
        data: For each task, what its data are called.
        whole: For each task that is a subset of its data, what all of these are called.
        complete: What the data are called of which it has all rows.
    """

    data: Mapping[str, frozenset[str]]
    whole: Mapping[str, frozenset[str]]
    complete: frozenset[str]

    def contains(self, other: _Contents) -> bool:
        """Whether each task of another is one of its tasks, or a subset of its data."""
        return all(
            self.data.get(task, frozenset()) & names
            or other.whole.get(task, frozenset()) & self.complete
            for task, names in other.data.items()
        )


def outermost(tasks: Sequence[Task]) -> list[Task]:
    """The tasks and groups that no other one contains, of equal ones the first.

    A group contains its tasks, and a group of some of them; a task over all rows of its data
    (`rewardbench_overall`) contains the tasks of its subsets, by the settings that runs record.

    Args:
        tasks: The tasks and groups.
    """
    contents = [_contents(task) for task in tasks]
    return [
        task
        for place, task in enumerate(tasks)
        if not any(
            other.contains(contents[place])
            and (number < place or not contents[place].contains(other))
            for number, other in enumerate(contents)
            if number != place
        )
    ]


def _contents(task: Task) -> _Contents:
    data: dict[str, set[str]] = {}
    whole: dict[str, set[str]] = {}
    complete: set[str] = set()
    for entry in task.entries.values():
        for result in entry.result.members:
            settings = task_settings(result.run, result.key)
            how = {name: value for name, value in settings.items() if name not in OF_DATA}
            known = written([result.run.name_of(result.key).own, how])
            named = {name: value for name, value in settings.items() if name in OF_DATA}
            data.setdefault(known, set()).add(written(named))
            # The tasks of others may read there what they like.
            if settings.get("data_used") is not None:
                rest, is_subset = _all_data(result, settings)
                (whole.setdefault(known, set()) if is_subset else complete).add(rest)
    return _Contents(_frozen(data), _frozen(whole), frozenset(complete))


def _all_data(result: TaskResult, settings: Mapping[str, Any]) -> tuple[str, bool]:
    """The data of a task with how it compares them, and whether it reads one subset of them."""
    config = result.config
    given = mapping(config.get("dataset_kwargs"))
    named = {name: config.get(name) for name in ("dataset_path", "dataset_name", "test_split")}
    named |= {name: value for name, value in settings.items() if name != "version"}
    rest = {name: value for name, value in given.items() if name not in _OF_SUBSET}
    return written([named, rest]), any(given.get(name) is not None for name in _OF_SUBSET)


def _frozen(sets: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(of_name) for name, of_name in sets.items()}

"""A task's names: lm-eval's key in a run's files, and its own name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Separates group and task in lm-eval's key, from lm-eval 0.5 on.
_SEPARATOR = "::"


@dataclass(frozen=True)
class TaskName:
    """The name of a task or group in one run.

    Attributes:
        key: lm-eval's key in its results, and in the names of its files. From lm-eval 0.5 on it
            begins with the group's name (`rewardbench2::rewardbench2_ties`).
        own: Its own name, which is the key of older versions.
        is_only: Whether the run has no other result of that name, as of a task in two groups.
    """

    key: str
    own: str
    is_only: bool = True

    @property
    def task(self) -> str:
        """Its name everywhere except in lm-eval's files."""
        return self.own if self.is_only else self.key


def task_names(results: Mapping[str, Any]) -> dict[str, TaskName]:
    """The names of the tasks and groups in a results file, by lm-eval's keys.

    Args:
        results: The file's content.
    """
    configs = results.get("configs")
    own = {str(key): _own_name(str(key), configs) for key in results["results"]}
    times = Counter(own.values())
    return {key: TaskName(key, name, times[name] == 1) for key, name in own.items()}


def _own_name(key: str, configs: Any) -> str:
    """A task's own name, as its configuration has it; without one what follows the group's."""
    config = configs.get(key) if isinstance(configs, Mapping) else None
    stated = config.get("task") if isinstance(config, Mapping) else None
    if not isinstance(stated, str):
        return key.rpartition(_SEPARATOR)[2] or key
    # A task that is written inside its group's file has the long name in every version.
    return stated if key.endswith(f"{_SEPARATOR}{stated}") else key

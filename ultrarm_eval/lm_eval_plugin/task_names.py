"""Names that a run can use for our tasks: a task's own name, or that of a group or tag."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

logger = logging.getLogger(__name__)


@dataclass
class TaskNames:
    """The names in some folders of task files.

    Attributes:
        tasks: The names of tasks.
        members: The tasks of each group and tag, including those of nested groups.
    """

    tasks: set[str] = field(default_factory=set)
    members: dict[str, set[str]] = field(default_factory=dict)

    def names_of(self, task: str) -> list[str]:
        """The names that include a task, the most specific first: its own, then groups by size."""
        having = [name for name, tasks in self.members.items() if task in tasks and name != task]
        return [task, *sorted(having, key=lambda name: (len(self.members[name]), name))]


def known_names(folders: Iterable[Path] = ()) -> TaskNames:
    """The names of the tasks of installed packages and of the user's own folders.

    Args:
        folders: The user's own folders.
    """
    from ultrarm_eval.lm_eval_plugin.bridge.task_index import plugin_task_folders

    return _read(tuple(dict.fromkeys((*plugin_task_folders(), *folders))))


@functools.lru_cache(maxsize=8)
def _read(folders: tuple[Path, ...]) -> TaskNames:
    found = TaskNames()
    below: dict[str, list[str]] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.yaml")):
            _add(read_task_file(path), found, below)
    for name in below:
        found.members.setdefault(name, set()).update(_tasks_below(name, below))
    return found


def _add(content: Mapping[str, Any], found: TaskNames, below: dict[str, list[str]]) -> None:
    """Adds what a task file, or a group inside one, declares."""
    task, group = content.get("task"), content.get("group")
    if isinstance(group, str):
        listed = task if isinstance(task, list) else [task]
        inside = [one for one in listed if isinstance(one, Mapping)]
        named = [one for one in listed if isinstance(one, str)]
        for one in inside:
            _add(one, found, below)
            name = one.get("group", one.get("task"))
            named += [name] if isinstance(name, str) else []
        below.setdefault(group, []).extend(named)
    elif isinstance(task, str):
        found.tasks.add(task)
        tags = content.get("tag") or []
        for tag in [tags] if isinstance(tags, str) else tags:
            below.setdefault(str(tag), []).append(task)


def _tasks_below(name: str, below: Mapping[str, list[str]]) -> set[str]:
    found, waiting, seen = set[str](), [name], set[str]()
    while waiting:
        one = waiting.pop()
        if one in below and one not in seen:
            seen.add(one)
            waiting += below[one]
        elif one not in below:
            found.add(one)
    return found


def read_task_file(path: Path, depth: int = 0) -> dict[str, Any]:
    """A task file with its includes; empty if it cannot be read, as the harness skips it.

    Functions and classes are represented by their names as text; nothing is imported.
    """
    try:
        # A subclass of SafeLoader: it makes nothing but plain values, and a tag is read as text.
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_PlainLoader)  # noqa: S506
    except (OSError, ValueError, yaml.YAMLError) as error:
        logger.debug("%s is skipped: %s", path, error)
        return {}
    if not isinstance(content, dict):
        return {}
    included = content.get("include") or []
    whole: dict[str, Any] = {}
    for name in [included] if isinstance(included, str) else included:
        if depth < _DEEPEST:
            whole |= read_task_file(path.parent / str(name), depth + 1)
    return {**whole, **content}


_DEEPEST = 10


class _PlainLoader(yaml.SafeLoader):
    """Reads `!function` and other tags as their text."""


_PlainLoader.add_multi_constructor("!", lambda _loader, _tag, node: node.value)

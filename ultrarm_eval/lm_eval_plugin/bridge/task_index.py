"""Adds tasks of installed packages to the harness's task index, and finds those of ours.

Except for `are_all_pairwise` and `tasks_without_shots`, unnecessary with a release that has
lm-eval's pull request 4015 (task packages found through entry points), which no release up to
0.4.13 and 0.5.0.dev1 has. Passing a run's metadata to task classes is unnecessary since 0.4.12;
lm-eval 0.5 copies them into a plain dictionary, which is handled here too.
"""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from ultrarm_eval.lm_eval_plugin.bridge.entry_points import (
    TASKS_GROUP,
    find_entry_points,
    package_folder,
)
from ultrarm_eval.lm_eval_plugin.harness_features import (
    discovers_tasks,
    metadata_merger,
    task_index,
)
from ultrarm_eval.lm_eval_plugin.run_metadata import RunMetadata
from ultrarm_eval.lm_eval_plugin.task_names import read_task_file

logger = logging.getLogger("lm_eval.ultrarm_eval")

_MARK = "_ultrarm_eval_connected"
_TASKS_PACKAGE = "ultrarm_eval.tasks"
#: Modules beside our YAML files: the classes of tasks that compare completions, and of those in
#: which a language model writes.
_PAIRWISE_MODULES, _JUDGING_MODULE = ("pairwise.", "suites."), "judging."
#: The class of tasks of right and wrong answers, whose examples the harness puts in front.
_WITH_SHOTS = "judging.BestOfNTask"


def connect(module: ModuleType) -> None:
    """Makes the harness's TaskManager scan the task packages of installed distributions.

    They are scanned after the built-in tasks and before ``--include_path``.
    """
    manager = getattr(module, "TaskManager", None)
    if manager is None or getattr(manager, _MARK, False):
        return
    scans = not discovers_tasks(sys.modules[manager.__module__])
    manager.__init__ = _with_plugins(manager.__init__, scans=scans)
    if scans and hasattr(manager, "_get_config"):
        manager._get_config = _passing_metadata(manager._get_config)
    setattr(manager, _MARK, True)


@functools.cache
def plugin_task_folders() -> tuple[Path, ...]:
    """Folders of the installed task packages; a broken one is reported by name and skipped.

    Searched once per process, so that a broken package is reported once.
    """
    folders: dict[Path, None] = {}
    for found in find_entry_points(TASKS_GROUP):
        problem = found.problem
        if problem is None:
            try:
                folders[package_folder(found.placeholder)] = None
            except Exception as error:
                # Finding a package imports its parents, which are other people's code.
                problem = f"{type(error).__name__}: {error}"
        if problem is not None:
            logger.warning("Tasks %r of %s are skipped: %s.", found.name, found.package, problem)
    return tuple(folders)


def are_all_pairwise(manager: Any, names: list[str]) -> bool:
    """Whether names resolve, through groups and tags, only to our pairwise tasks.

    A pattern may also match our tasks in which a language model generates: those are refused by
    name once the tasks are loaded.

    Args:
        manager: A TaskManager of the harness.
        names: Names or patterns, as for `--tasks`. One that the manager does not know is not ours.
    """
    for name in names:
        classes = [_class_of_ours(task) for task in _tasks_behind(manager, [name])]
        if None in classes or not any(str(c).startswith(_PAIRWISE_MODULES) for c in classes):
            return False
    return bool(names)


def tasks_without_shots(manager: Any, names: Sequence[str]) -> list[str]:
    """Our tasks without few-shot examples, among those that match names or patterns.

    Args:
        manager: A TaskManager of the harness.
        names: Names or patterns; one that the manager does not know is not ours.
    """
    found = [
        str(read_task_file(path).get("task"))
        for path in _tasks_behind(manager, names)
        if path is not None and _class_of_ours(path) not in (None, _WITH_SHOTS)
    ]
    return list(dict.fromkeys(found))


def _with_plugins(initialise: Callable[..., None], *, scans: bool) -> Callable[..., None]:
    """Makes a TaskManager pass the user's task folders on to tasks.

    Args:
        initialise: Its `__init__`.
        scans: Whether it also scans the folders of installed packages.
    """
    signature = inspect.signature(initialise)

    @functools.wraps(initialise)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(self, *args, **kwargs)
        arguments = bound.arguments
        given = arguments.get("include_path")
        included = list(given) if isinstance(given, list | tuple) else [given] if given else []
        if "metadata" in signature.parameters:
            metadata = arguments.get("metadata") or {}
            arguments["metadata"] = RunMetadata.of_manager(metadata, included)
        if scans:
            arguments["include_path"] = [*map(str, plugin_task_folders()), *map(str, included)]
        initialise(*bound.args, **bound.kwargs)
        if scans:
            self.include_path = given
        if (merger := metadata_merger(self)) is not None:
            merger._merge_metadata = _keeping_origin(merger)

    return __init__


def _keeping_origin(merger: Any) -> Callable[..., Any]:
    """Records in a task's metadata which keys are model arguments, which lm-eval 0.5 drops."""
    merge, of_run = merger._merge_metadata, merger._meta

    @functools.wraps(merge)
    def _merge_metadata(existing: Any, *args: Any, **kwargs: Any) -> Any:
        merged = merge(existing, *args, **kwargs)
        if not isinstance(of_run, RunMetadata):
            return merged
        kept = dict(existing if isinstance(existing, Mapping) else {}) | of_run
        kept.update(merged)
        return kept

    return _merge_metadata


def _passing_metadata(get_config: Callable[..., Any]) -> Callable[..., Any]:
    """Passes the run's metadata to a task class, which releases up to 0.4.11 do not."""

    @functools.wraps(get_config)
    def _get_config(self: Any, name: str) -> Any:
        from ultrarm_eval.lm_eval_plugin.base_task import OwnTask

        config = get_config(self, name)
        kind, path = config.get("class"), Path(str(self._get_yaml_path(name)))
        # Anyone's own task file may name our class, too.
        is_ours = isinstance(kind, type) and issubclass(kind, OwnTask)
        is_plugins = any(path.is_relative_to(folder) for folder in plugin_task_folders())
        if is_ours or (kind is not None and is_plugins):
            stated = config.get("metadata")
            # The run's metadata know what of them is the model's, see `run_metadata`.
            config["metadata"] = dict(stated if isinstance(stated, Mapping) else {}) | (
                self.metadata or {}
            )
        return config

    return _get_config


def _tasks_behind(manager: Any, names: Sequence[str]) -> Iterator[Path | None]:
    """Yields the files of tasks that match names or patterns; None for a task without one."""
    for name in names:
        for match in manager.match_tasks([name]):
            yield from _files(manager, match, frozenset())


def _files(manager: Any, name: str, above: frozenset[str]) -> Iterator[Path | None]:
    entry = task_index(manager).get(name)
    if entry is None or name in above:
        yield None
        return
    # 0.4.12 made the index's entries objects; before they were dicts with -1 for "no file".
    fields = entry if isinstance(entry, dict) else vars(entry)
    path = fields.get("yaml_path")
    if path in (None, -1):
        tasks = fields.get("task")
        tagged = tasks if isinstance(tasks, list) else sorted(fields.get("tags") or ())
        yield from _files_of_members(manager, tagged, above | {name})
        return
    file = Path(str(path))
    members = read_task_file(file).get("task")
    if isinstance(members, list):
        yield from _files_of_members(manager, members, above | {name})
    else:
        yield file


def _files_of_members(
    manager: Any, members: list[Any], above: frozenset[str]
) -> Iterator[Path | None]:
    """Yields the files of a group's tasks: names, names with overrides, and inline groups."""
    if not members:
        yield None
    for member in members:
        inner = member if isinstance(member, str) else member.get("task") or member.get("group")
        if isinstance(inner, list):
            yield from _files_of_members(manager, inner, above)
        elif isinstance(inner, str) and (isinstance(member, str) or "class" not in member):
            yield from _files(manager, inner, above)
        else:
            yield None


def _class_of_ours(path: Path | None) -> str | None:
    """The class that a task file of ours names; None for any other file."""
    ours = package_folder(_TASKS_PACKAGE).resolve()
    if path is None or not path.resolve().is_relative_to(ours):
        return None
    named = str(read_task_file(path).get("class", ""))
    return named if named.startswith((*_PAIRWISE_MODULES, _JUDGING_MODULE)) else None

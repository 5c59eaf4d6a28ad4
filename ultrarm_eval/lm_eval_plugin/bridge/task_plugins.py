"""Tasks of installed packages, in the harness's index of tasks."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ultrarm_eval.lm_eval_plugin.bridge.entry_points import (
    TASKS_GROUP,
    find_entry_points,
    package_folder,
)
from ultrarm_eval.lm_eval_plugin.run_metadata import RunMetadata

logger = logging.getLogger("lm_eval.ultrarm_eval")

_MARK = "_ultrarm_eval_connected"
_NOTING = "_ultrarm_eval_notes_folders"


def harness_discovers_tasks(manager_module: ModuleType) -> bool:
    """Whether this harness scans task packages itself (its open pull request 4015)."""
    return hasattr(manager_module, "discover_plugin_task_paths")


def connect(module: ModuleType) -> None:
    """Has the harness's TaskManager scan the task packages of installed distributions.

    They are scanned after the built-in tasks and before ``--include_path``.
    """
    manager = getattr(module, "TaskManager", None)
    if manager is None or getattr(manager, _MARK, False):
        return
    if not getattr(manager, _NOTING, False):
        manager.__init__ = _noting_folders(manager.__init__)
        setattr(manager, _NOTING, True)
    if harness_discovers_tasks(sys.modules[manager.__module__]):
        return
    manager.__init__ = _scanning_plugins(manager.__init__)
    if hasattr(manager, "_get_config"):
        # Up to 0.4.11 a task class did not get the run's metadata.
        manager._get_config = _passing_metadata(manager._get_config)
    setattr(manager, _MARK, True)


@functools.cache
def plugin_task_folders() -> tuple[Path, ...]:
    """Folders of the installed task packages; a broken one is reported by name and left out.

    Looked for once in a process, so that a broken package is reported once.
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
            logger.warning("Tasks %r of %s are left out: %s.", found.name, found.package, problem)
    return tuple(folders)


def _included(given: Any) -> list[Any]:
    """The folders of `include_path`."""
    return list(given) if isinstance(given, list | tuple) else [given] if given else []


def _noting_folders(initialise: Callable[..., None]) -> Callable[..., None]:
    """Tells tasks the folders of the user's own: data may be named for them, too."""
    signature = inspect.signature(initialise)

    @functools.wraps(initialise)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(self, *args, **kwargs)
        if "metadata" in signature.parameters:
            given, folders = bound.arguments.get("metadata"), bound.arguments.get("include_path")
            bound.arguments["metadata"] = RunMetadata.of_manager(given or {}, _included(folders))
        initialise(*bound.args, **bound.kwargs)

    return __init__


def _scanning_plugins(initialise: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(initialise)

    @functools.wraps(initialise)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(self, *args, **kwargs)
        given = bound.arguments.get("include_path")
        included = map(str, _included(given))
        bound.arguments["include_path"] = [*map(str, plugin_task_folders()), *included]
        initialise(*bound.args, **bound.kwargs)
        self.include_path = given

    return __init__


def _passing_metadata(get_config: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(get_config)
    def _get_config(self: Any, name: str) -> Any:
        config = get_config(self, name)
        path = Path(str(self._get_yaml_path(name)))
        is_plugins = any(path.is_relative_to(folder) for folder in plugin_task_folders())
        # Anyone's own task file may name our class, too.
        is_ours = getattr(config.get("class"), "takes_metadata", False)
        if is_ours or ("class" in config and is_plugins):
            stated = config.get("metadata")
            # The run's metadata know what of them is the model's, see `run_metadata`.
            config["metadata"] = dict(stated if isinstance(stated, Mapping) else {}) | (
                self.metadata or {}
            )
        return config

    return _get_config

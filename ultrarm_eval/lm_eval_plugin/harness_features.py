"""What the installed lm-eval can do, by looking at it: builds between releases have some of it.

Nothing here asks for a version: a feature is there if its names are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any


def discovers_plugins(registry: ModuleType, group: str) -> bool:
    """Whether the harness itself loads the entry points of a group.

    Models came with its pull request 4013; filters, metrics and aggregations with 4014, which a
    build with 4013 may lack. What loads a group names it in its code.

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
    """The class that stands for a metric until it is asked for; None where functions are metrics.

    From lm-eval 0.5 on a metric is an object that is made of its function on first use.

    Args:
        registry: `lm_eval.api.registry`.
    """
    return getattr(registry, "_Deferred", None)


def task_index(manager: Any) -> Mapping[str, Any]:
    """The tasks, groups and tags that a `TaskManager` knows, by name.

    lm-eval 0.5 made the property private.

    Raises:
        AttributeError: This manager has neither form of it.
    """
    found: Mapping[str, Any] = (
        manager.task_index if hasattr(manager, "task_index") else manager._task_index
    )
    return found


def _texts_in(module: ModuleType) -> Iterator[str]:
    """The texts that stand in a module's names and in the code of its functions and methods."""
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

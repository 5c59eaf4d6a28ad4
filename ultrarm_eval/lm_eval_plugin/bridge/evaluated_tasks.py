"""The tasks that the harness's `evaluate` is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def evaluated_tasks(task_dict: Any) -> Iterator[tuple[str, Any]]:
    """Tasks by name, in the flat form of 0.4.12 and in the nested one before."""
    if not isinstance(task_dict, Mapping):
        return
    if isinstance(task_dict.get("tasks"), Mapping):
        task_dict = task_dict["tasks"]
    for name, value in task_dict.items():
        if isinstance(value, Mapping):
            yield from evaluated_tasks(value)
        elif hasattr(value, "OUTPUT_TYPE"):
            yield str(name), value

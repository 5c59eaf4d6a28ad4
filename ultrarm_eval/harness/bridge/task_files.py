"""Which tasks are ours: read from our own YAML files and the harness's index."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ultrarm_eval.harness.bridge.entry_points import package_folder

TASKS_PACKAGE = "ultrarm_eval.tasks"
#: Module beside our YAML files whose classes are the pairwise tasks.
_PAIRWISE_MODULE = "pairwise."


class _Loader(yaml.SafeLoader):
    """Reads task files without importing the functions they name."""


def _name_of_function(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Loader.add_constructor("!function", _name_of_function)


@cache
def our_names() -> frozenset[str]:
    """Names of our tasks, groups and tags."""
    names: set[str] = set()
    for path in sorted(package_folder(TASKS_PACKAGE).rglob("*.yaml")):
        config = _read(path)
        tags = config.get("tag") or []
        names.update([tags] if isinstance(tags, str) else tags)
        names.update(v for v in (config.get("task"), config.get("group")) if isinstance(v, str))
    return frozenset(names)


def are_all_pairwise(manager: Any, names: list[str]) -> bool:
    """Whether names resolve, through groups and tags, to nothing but our pairwise tasks."""
    paths = [path for name in names for path in _leaf_files(manager, name)]
    return bool(paths) and all(_is_pairwise(path) for path in paths)


def _leaf_files(manager: Any, name: str) -> Iterator[Path | None]:
    """Files of the tasks behind a name; None for a task without a file."""
    entry = manager.task_index.get(name)
    if entry is None:
        yield None
        return
    # 0.4.12 made the index's entries objects; before they were dicts with -1 for "no file".
    fields = entry if isinstance(entry, dict) else vars(entry)
    tasks = (
        fields["task"] if isinstance(fields.get("task"), list) else sorted(fields.get("tags") or ())
    )
    path = fields.get("yaml_path")
    file = Path(str(path)) if path not in (None, -1) else None
    config = _read(file) if file is not None else {}
    if file is None:
        if not tasks:
            yield None
        for task in tasks:
            yield from _leaf_files(manager, task)
    elif isinstance(config.get("task"), list):
        for member in config["task"]:
            inner = member if isinstance(member, str) else member.get("task") or member.get("group")
            if isinstance(inner, str):
                yield from _leaf_files(manager, inner)
            else:
                yield None
    else:
        yield file


def _is_pairwise(path: Path | None) -> bool:
    if path is None or not path.is_relative_to(package_folder(TASKS_PACKAGE)):
        return False
    return str(_read(path).get("class", "")).startswith(_PAIRWISE_MODULE)


def _read(path: Path) -> dict[str, Any]:
    config = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    if not isinstance(config, dict):
        return {}
    included = config.pop("include", None)
    for other in [included] if isinstance(included, str) else included or []:
        config = {**_read(path.parent / other), **config}
    return config

"""Which tasks are ours: read from task files and the harness's index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from ultrarm_eval.lm_eval_plugin.bridge.entry_points import package_folder

TASKS_PACKAGE = "ultrarm_eval.tasks"
#: Modules beside our YAML files: the classes of tasks that compare completions, and of those in
#: which a language model writes.
_PAIRWISE_MODULES, _JUDGING_MODULE = ("pairwise.", "suites."), "judging."
#: The class of tasks of right and wrong answers, whose examples the harness puts in front.
_WITH_SHOTS = "judging.BestOfNTask"


class _Loader(yaml.SafeLoader):
    """Reads task files without importing the functions they name."""


def _name_of_function(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Loader.add_constructor("!function", _name_of_function)


def are_all_pairwise(manager: Any, names: list[str]) -> bool:
    """Whether names resolve, through groups and tags, to nothing but our pairwise tasks.

    A pattern may also match tasks of ours in which a language model writes: what a judge cannot do
    is refused by name once the tasks are loaded.

    Args:
        manager: A TaskManager of the harness.
        names: Names or patterns, as `--tasks` takes them. One that the manager does not know is
            none of ours.
    """
    ours = package_folder(TASKS_PACKAGE).resolve()
    for name in names:
        modules = [
            _module_of_ours(path, ours)
            for match in manager.match_tasks([name])
            for path in _leaf_files(manager, match, frozenset())
        ]
        if None in modules or not set(modules) & set(_PAIRWISE_MODULES):
            return False
    return bool(names)


def tasks_without_shots(manager: Any, names: Sequence[str]) -> list[str]:
    """The tasks of ours that take no examples, among those behind names or patterns.

    Args:
        manager: A TaskManager of the harness.
        names: Names or patterns; one that the manager does not know is none of ours.
    """
    ours = package_folder(TASKS_PACKAGE).resolve()
    found = []
    for name in names:
        for match in manager.match_tasks([name]):
            for path in _leaf_files(manager, match, frozenset()):
                if path is None or _module_of_ours(path, ours) is None:
                    continue
                task = _read(path)
                if task.get("class") != _WITH_SHOTS:
                    found.append(str(task.get("task")))
    return list(dict.fromkeys(found))


def _leaf_files(manager: Any, name: str, above: frozenset[str]) -> Iterator[Path | None]:
    """Files of the tasks behind a name; None for a task without a file."""
    entry = manager.task_index.get(name)
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
    members = _read(file).get("task")
    if isinstance(members, list):
        yield from _files_of_members(manager, members, above | {name})
    else:
        yield file


def _files_of_members(
    manager: Any, members: list[Any], above: frozenset[str]
) -> Iterator[Path | None]:
    """Files of the tasks that a group lists: names, names with overrides, and groups in place."""
    if not members:
        yield None
    for member in members:
        inner = member if isinstance(member, str) else member.get("task") or member.get("group")
        if isinstance(inner, list):
            yield from _files_of_members(manager, inner, above)
        elif isinstance(inner, str) and (isinstance(member, str) or "class" not in member):
            yield from _leaf_files(manager, inner, above)
        else:
            yield None


def _module_of_ours(path: Path | None, ours: Path) -> str | None:
    if path is None or not path.resolve().is_relative_to(ours):
        return None
    named = str(_read(path).get("class", ""))
    return next((m for m in (*_PAIRWISE_MODULES, _JUDGING_MODULE) if named.startswith(m)), None)


def _read(path: Path) -> dict[str, Any]:
    config = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    if not isinstance(config, dict):
        return {}
    included = config.pop("include", None)
    for other in [included] if isinstance(included, str) else included or []:
        config = {**_read(path.parent / other), **config}
    return config

"""The entry points of installed packages, with what is wrong with them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MODELS_GROUP = "lm_eval.models"
#: The group of the open pull request 4015 of lm-evaluation-harness, by analogy to its models.
TASKS_GROUP = "lm_eval.tasks"


@dataclass(frozen=True)
class FoundEntryPoint:
    """An entry point and whether it can be used.

    Attributes:
        name: The name it declares.
        value: What it points to.
        group: The group it stands in.
        package: The distribution that declares it, with its version.
        problem: Why it cannot be used; None if nothing is known against it.
    """

    name: str
    value: str
    group: str
    package: str
    problem: str | None = None

    @property
    def placeholder(self) -> str:
        """What the harness's registry loads when the name is first used."""
        return self.value.split("[")[0].replace(" ", "")


def find_entry_points(group: str) -> Iterator[FoundEntryPoint]:
    """Finds the entry points of a group; nothing is imported.

    Yields:
        Each entry point. Of two with one name the first can be used, the other has a problem.
    """
    taken: dict[str, str] = {}
    for entry_point in importlib.metadata.entry_points(group=group):
        package = _package(entry_point)
        problem = _problem(entry_point, needs_object=group == MODELS_GROUP)
        if problem is None and entry_point.name in taken:
            problem = f"{taken[entry_point.name]} declares this name already"
        if problem is None:
            taken[entry_point.name] = package
        yield FoundEntryPoint(entry_point.name, entry_point.value, group, package, problem)


def package_folder(value: str) -> Path:
    """The folder of an importable package, which is itself not imported.

    Raises:
        ImportError: There is no such package, or it is no package with a folder.
    """
    spec = importlib.util.find_spec(value)
    locations = list((spec.submodule_search_locations if spec else None) or [])
    if not locations:
        raise ImportError(f"{value!r} is no importable package")
    return Path(locations[0])


def _package(entry_point: importlib.metadata.EntryPoint) -> str:
    distribution = entry_point.dist
    return f"{distribution.name} {distribution.version}" if distribution else "unknown package"


def _problem(entry_point: importlib.metadata.EntryPoint, *, needs_object: bool) -> str | None:
    module, _, attribute = entry_point.value.split("[")[0].strip().partition(":")
    if needs_object and not attribute:
        return f"its value {entry_point.value!r} is not of the form 'module:object'"
    if not _can_be_found(module.strip()):
        return f"there is no module {module.strip()!r}"
    return None


def _can_be_found(module: str) -> bool:
    """Looks for a module, package by package, without running any of their code."""
    path: list[str] | None = None
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        name = ".".join(parts[:depth])
        loaded = sys.modules.get(name)
        spec = getattr(loaded, "__spec__", None) or _find_spec(name, path)
        if spec is None:
            return loaded is not None
        if depth < len(parts):
            if spec.submodule_search_locations is None:
                return False
            path = list(spec.submodule_search_locations)
    return True


def _find_spec(name: str, path: list[str] | None) -> importlib.machinery.ModuleSpec | None:
    for finder in sys.meta_path:
        find_spec = getattr(finder, "find_spec", None)
        spec = find_spec(name, path, None) if find_spec is not None else None
        if spec is not None:
            found: importlib.machinery.ModuleSpec = spec
            return found
    return None

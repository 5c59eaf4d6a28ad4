"""The entry points of installed packages, with their problems.

Except for `package_folder`, unnecessary with a release of lm-eval that loads every group itself: no
release up to 0.4.13 and 0.5.0.dev1 does, and neither did its main branch of 2026-08-21. Models are
in pull request 4013, filters, metrics and aggregations in 4014, tasks in 4015.
"""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Of lm-evaluation-harness's pull requests 4013 (models) and 4014.
MODELS_GROUP = "lm_eval.models"
FILTERS_GROUP = "lm_eval.filters"
METRICS_GROUP = "lm_eval.metrics"
AGGREGATIONS_GROUP = "lm_eval.aggregations"
#: Of its pull request 4015.
TASKS_GROUP = "lm_eval.tasks"
# By analogy: lm-eval 0.5 has registries for them, but no entry point groups.
SCORERS_GROUP = "lm_eval.scorers"
REDUCTIONS_GROUP = "lm_eval.reductions"


@dataclass(frozen=True)
class FoundEntryPoint:
    """An entry point and whether it can be used.

    Attributes:
        name: The name it declares.
        value: What it points to.
        group: Its group.
        package: The distribution that declares it, with its version.
        problem: Why it cannot be used; None if no problem is known.
    """

    name: str
    value: str
    group: str
    package: str
    problem: str | None = None

    @property
    def placeholder(self) -> str:
        """The target that the harness's registry loads when the name is first used."""
        return self.value.split("[")[0].replace(" ", "")

    @property
    def entry_point(self) -> importlib.metadata.EntryPoint:
        """The entry point as Python's own object, which can be loaded."""
        return importlib.metadata.EntryPoint(self.name, self.value, self.group)


def find_entry_points(group: str) -> Iterator[FoundEntryPoint]:
    """Finds the entry points of a group; nothing is imported.

    Yields:
        Each entry point. Of two with the same name the first can be used; the other has a problem.
    """
    taken: dict[str, str] = {}
    for entry_point in importlib.metadata.entry_points(group=group):
        package = _package(entry_point)
        try:
            problem = _problem(entry_point, needs_object=group != TASKS_GROUP)
        except Exception as error:
            # Import hooks of other packages are called, and values can be anything.
            problem = f"{type(error).__name__}: {error}"
        if problem is None and entry_point.name in taken:
            problem = f"{taken[entry_point.name]} already declares this name"
        if problem is None:
            taken[entry_point.name] = package
        yield FoundEntryPoint(entry_point.name, entry_point.value, group, package, problem)


def package_folder(value: str) -> Path:
    """The folder of a package, without importing it.

    Raises:
        ImportError: There is no such package, or it has no folder.
    """
    spec = importlib.util.find_spec(value)
    locations = list((spec.submodule_search_locations if spec else None) or [])
    if not locations:
        raise ImportError(f"{value!r} is not an importable package")
    return Path(locations[0])


def _package(entry_point: importlib.metadata.EntryPoint) -> str:
    distribution = entry_point.dist
    try:
        package = f"{distribution.name} {distribution.version}" if distribution else None
    except Exception:
        # Partly uninstalled packages have lost the file with their name.
        package = None
    return package or "unknown package"


def _problem(entry_point: importlib.metadata.EntryPoint, *, needs_object: bool) -> str | None:
    module, _, attribute = entry_point.value.split("[")[0].strip().partition(":")
    if needs_object and not attribute:
        return f"its value {entry_point.value!r} is not of the form 'module:object'"
    if not all(part.isidentifier() for part in module.strip().split(".")):
        return f"its value {entry_point.value!r} does not name a module"
    if not can_be_found(module.strip()):
        return f"there is no module {module.strip()!r}"
    return None


def can_be_found(module: str, *, has_code: bool = False) -> bool:
    """Looks for a module, package by package, without running any of their code.

    Args:
        module: Its dotted name.
        has_code: Whether a folder without `__init__.py` is no module.
    """
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
    # A folder without code has no file.
    return not has_code or getattr(spec, "origin", None) is not None


def _find_spec(name: str, path: list[str] | None) -> importlib.machinery.ModuleSpec | None:
    for finder in sys.meta_path:
        find_spec = getattr(finder, "find_spec", None)
        try:
            spec = find_spec(name, path, None) if find_spec is not None else None
        except KeyError:
            # Folders without __init__.py need the path of their parent, which is not imported.
            spec = _folder_spec(name, path)
        if spec is not None:
            found: importlib.machinery.ModuleSpec = spec
            return found
    return None


def _folder_spec(name: str, path: list[str] | None) -> importlib.machinery.ModuleSpec | None:
    folders = [Path(entry, name.rpartition(".")[2]) for entry in path or ()]
    locations = [str(folder) for folder in folders if folder.is_dir()]
    if not locations:
        return None
    spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = locations
    return spec

"""What is registered with lm-eval and here: one row of `ultrarm-eval plugins` each.

A row is its type, its name, its package, what found it, and its state.
"""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ultrarm_eval._startup import SWITCH, is_switched_off
from ultrarm_eval.errors import ConfigurationError, UltrarmEvalError, first_line
from ultrarm_eval.lm_eval_plugin.bridge.entry_points import (
    AGGREGATIONS_GROUP,
    FILTERS_GROUP,
    METRICS_GROUP,
    MODELS_GROUP,
    REDUCTIONS_GROUP,
    SCORERS_GROUP,
    TASKS_GROUP,
    FoundEntryPoint,
    can_be_found,
    find_entry_points,
    package_folder,
)
from ultrarm_eval.lm_eval_plugin.bridge.harness_check import harness_problem
from ultrarm_eval.lm_eval_plugin.harness_features import discovers_tasks
from ultrarm_eval.plugins import ENTRY_POINT_GROUP, Registration, registry

# lm-eval's module that fills the registry of a group.
_FILLED_BY = {
    MODELS_GROUP: "lm_eval.models",
    FILTERS_GROUP: "lm_eval.filters",
    METRICS_GROUP: "lm_eval.api.metrics",
    AGGREGATIONS_GROUP: "lm_eval.api.metrics",
    SCORERS_GROUP: "lm_eval.scorers",
    REDUCTIONS_GROUP: "lm_eval.api.metrics.reduce",
}
# New in lm-eval 0.5.
_SINCE_SCORERS = (SCORERS_GROUP, REDUCTIONS_GROUP)
# Libraries that built-in judges need in addition to this package, and a module that each cannot be
# imported without.
_NEEDED = {"torch": "torch._C", "transformers": "transformers.modeling_utils"}


def registered_in_harness() -> list[tuple[str, ...]]:
    """What lm-eval has registered from installed packages.

    Raises:
        ConfigurationError: The installed lm_eval is not the harness, or cannot be imported.
    """
    problem = harness_problem()
    if problem is not None:
        raise ConfigurationError(problem[0].upper() + problem[1:])
    groups = [g for g, m in _FILLED_BY.items() if g not in _SINCE_SCORERS or can_be_found(m)]
    modules = [_FILLED_BY[group] for group in groups]
    for name in dict.fromkeys([*modules, "lm_eval.api.registry", "lm_eval.tasks"]):
        _import(name)
    return [*(row for group in groups for row in _registered(group)), *_tasks()]


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception as error:
        # Whatever it needs and does not find, or fails on.
        raise ConfigurationError(
            f"lm-eval cannot be imported: {name}: {first_line(error)}. Reinstall it: pip install "
            "--force-reinstall lm-eval."
        ) from error


def harness_version() -> str:
    """The installed version of lm-eval."""
    try:
        return importlib.metadata.version("lm_eval")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed, imported from a folder)"


def _registered(group: str) -> Iterator[tuple[str, ...]]:
    """Models, filters, metrics or aggregations."""
    api_registry = importlib.import_module("lm_eval.api.registry")
    from ultrarm_eval.lm_eval_plugin.bridge.registries import KINDS, finds_itself

    native = finds_itself(api_registry, group)
    kind = KINDS[group][0].partition(" ")[2]
    known_names = getattr(api_registry, KINDS[group][1])
    for found in find_entry_points(group):
        known = native or found.name in known_names
        built_in = not native and known and not _is_of(found, known_names)
        yield (
            kind,
            found.name,
            found.package,
            _finder(native=native, known=known and not built_in),
            f"name taken by a built-in {kind}" if built_in else _state(found, _load_problem(found)),
        )


def _is_of(found: FoundEntryPoint, known: Any) -> bool:
    """Whether what lm-eval has under a name comes from the entry point's target."""
    try:
        registered = known.get(found.name)
    except Exception:
        # Of a broken package: lm-eval has it, and its state shows what is wrong.
        return True
    # Since lm-eval 0.5 a metric is an object that contains its function.
    module = getattr(registered, "fn", registered).__module__
    return str(module).partition(".")[0] == found.value.partition(".")[0]


def _tasks() -> Iterator[tuple[str, ...]]:
    tasks = importlib.import_module("lm_eval.tasks")
    manager = importlib.import_module(tasks.TaskManager.__module__)
    native = discovers_tasks(manager)
    connected = getattr(tasks.TaskManager, "_ultrarm_eval_connected", False)
    for found in find_entry_points(TASKS_GROUP):
        problem, files = found.problem, 0
        if problem is None:
            try:
                files = len(list(package_folder(found.placeholder).rglob("*.yaml")))
            except Exception as error:
                # Finding a package imports its parents, which are third-party code.
                problem = f"{type(error).__name__}: {error}"
        state = problem or f"ok, {files} task files"
        known = problem is None and (native or connected)
        yield "tasks", found.name, found.package, _finder(native=native, known=known), state


def registered_here() -> Iterator[tuple[str, ...]]:
    """Judges, pair sources, benchmarks and templates, of this package and third-party ones."""
    packages = {
        entry_point.name: f"{entry_point.dist.name} {entry_point.dist.version}"
        for entry_point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP)
        if entry_point.dist is not None
    }
    own = f"ultrarm-eval {importlib.metadata.version('ultrarm-eval')}"
    plugins = registry()
    kinds: tuple[tuple[str, Mapping[str, Registration[Any]]], ...] = (
        ("judge", plugins.judges),
        ("pair source", plugins.pair_sources),
        ("benchmark", plugins.benchmarks),
        ("template", plugins.templates),
    )
    missing = _missing_library()
    for kind, registered in kinds:
        for name, registration in registered.items():
            # Everything else is loaded already; a judge's factory is imported when it is used.
            state = _factory_problem(name, missing) if kind == "judge" else None
            package = packages.get(registration.plugin, own)
            yield kind, name, package, "ultrarm-eval", state or "ok"


def _missing_library() -> str | None:
    """Which library of built-in judges cannot be imported, and why; None if all seem complete.

    A complete one is not imported: it would take most of the command's time. What shows only when
    its binaries are loaded is not found here.
    """
    for library, essential in _NEEDED.items():
        if can_be_found(library) and can_be_found(essential, has_code=True):
            continue
        try:
            importlib.import_module(library)
            importlib.import_module(essential)
        except Exception as error:
            # Whatever an incomplete installation raises.
            return f"it needs {library}, which cannot be imported: {first_line(error)}"
    return None


def _factory_problem(judge: str, missing: str | None) -> str | None:
    """Why a judge cannot be used; None if nothing is wrong.

    Args:
        judge: Its name.
        missing: What built-in judges need and is missing.
    """
    plugins = registry()
    factory = plugins.judges[judge].item
    try:
        if plugins.is_ours(judge) and isinstance(factory, str):
            if missing is not None:
                return f"broken: {missing}"
            # Not imported: torch and transformers would take most of the command's time.
            _look_for(factory)
        else:
            plugins.judge(judge)
    except Exception as error:
        said = str(error) if isinstance(error, UltrarmEvalError) else first_line(error)
        # The row already shows the judge's name and package.
        return f"broken: {said.split('): ', 1)[-1]}"
    return None


def _look_for(path: str) -> None:
    """Looks for a factory of this package.

    Args:
        path: The factory, `module:object`.

    Raises:
        ImportError: Its module or the factory is missing.
        SyntaxError: The module is damaged.
    """
    module, _, name = path.partition(":")
    if not can_be_found(module):
        raise ModuleNotFoundError(f"No module named {module!r}")
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {module!r}")
    defined = ast.parse(Path(spec.origin).read_bytes(), spec.origin).body
    if not any(getattr(one, "name", None) == name for one in defined):
        raise ImportError(f"cannot import name {name!r} from {module!r} ({spec.origin})")


def _finder(*, native: bool, known: bool) -> str:
    if not known:
        return f"nobody ({SWITCH} is off)" if is_switched_off() else "nobody"
    return "lm-eval itself" if native else "through ultrarm-eval"


def _load_problem(found: FoundEntryPoint) -> str | None:
    module, _, attribute = found.placeholder.partition(":")
    try:
        getattr(importlib.import_module(module), attribute)
    except Exception as error:
        # Whatever a third-party module raises, the table has to show it.
        return f"broken: {type(error).__name__}: {error}"
    return None


def _state(found: FoundEntryPoint, load_problem: str | None) -> str:
    if found.problem is not None:
        return f"skipped: {found.problem}"
    return load_problem or "ok"

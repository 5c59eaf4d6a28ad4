"""What the harness discovers itself is left to it, for each group; nothing else is lost.

The harness that does so is made from the installed one: its files are linked, and to those that
matter, code of our own is added which discovers plugins under the names of the upstream functions:
models as in pull request 4013, filters, metrics and aggregations as in 4014, tasks as in 4015.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.conftest import declared_tasks

MODELS_ADDITION = """

LOADED = []


def load_plugins(group, registry):
    import importlib.metadata

    for entry_point in importlib.metadata.entry_points(group=group):
        if entry_point.name not in registry:
            registry.register(entry_point.name, target=entry_point)
            LOADED.append(entry_point.name)


def import_plugins(modules):
    raise NotImplementedError


_get_model = get_model


def get_model(name):
    import lm_eval.models

    load_plugins("lm_eval.models", model_registry)
    return _get_model(name)
"""
MODELS_CALL = """

from lm_eval.api.registry import load_plugins, model_registry
load_plugins("lm_eval.models", model_registry)
"""
# A class or function takes the place of the entry point that leads to it.
GENERATIONS_ADDITION = """

_register = Registry.register


def _upgrading_register(self, *aliases, target=None):
    def make_way(alias, new):
        held = self._objs.get(alias)
        path = getattr(held, "value", None)
        if path and path == f"{getattr(new, '__module__', '')}:{getattr(new, '__name__', '')}":
            del self._objs[alias]

    if target is not None:
        make_way(aliases[0], target)
        return _register(self, *aliases, target=target)

    def decorate(new):
        for alias in aliases:
            make_way(alias, new)
        return _register(self, *aliases)(new)

    return decorate


Registry.register = _upgrading_register
_get_filter, _get_aggregation = get_filter, get_aggregation


def get_filter(name):
    load_plugins("lm_eval.filters", filter_registry)
    return _get_filter(name)


def get_aggregation(name):
    import lm_eval.api.metrics

    load_plugins("lm_eval.aggregations", aggregation_registry)
    return _get_aggregation(name)


def _metric(name):
    import lm_eval.api.metrics

    load_plugins("lm_eval.metrics", metric_registry)
    return metric_registry.get(name) if name in metric_registry else None


def _asking_first(function):
    def asking(name, *arguments, **options):
        _metric(name)
        return function(name, *arguments, **options)

    return asking


for _name in ("get_metric", "get_metric_aggregation", "is_higher_better"):
    if _name in globals():
        globals()[_name] = _asking_first(globals()[_name])
if "_MetricRegistry" in globals():
    _get_made = _MetricRegistry.get

    def _discovering_get(self, name, *default):
        load_plugins("lm_eval.metrics", self)
        return _get_made(self, name, *default)

    _MetricRegistry.get = _discovering_get
"""
TASKS_ADDITION = """

SCANNED = []


def discover_plugin_task_paths():
    import importlib.metadata
    import importlib.util
    from pathlib import Path

    found = []
    for entry_point in importlib.metadata.entry_points(group="lm_eval.tasks"):
        try:
            spec = importlib.util.find_spec(entry_point.value)
        except ImportError:
            continue
        folder = str(Path(spec.origin).parent.resolve()) if spec else None
        if folder and folder not in found:
            found.append(folder)
    return found


def _discover_first(initialise):
    def __init__(self, verbosity=None, include_path=None, include_defaults=True, metadata=None):
        given = include_path if isinstance(include_path, list) else [include_path]
        paths = [*discover_plugin_task_paths(), *(path for path in given if path)]
        SCANNED.append(paths)
        initialise(self, verbosity, paths, include_defaults, metadata)
        self.include_path = include_path

    return __init__


TaskManager.__init__ = _discover_first(TaskManager.__init__)
"""
PROBE = """
import argparse, json, sys
import lm_eval.models
from lm_eval.api import registry
from lm_eval.config.evaluate_config import EvaluatorConfig
from lm_eval.tasks import TaskManager
from ultrarm_eval.lm_eval_plugin.bridge import task_index

module = sys.modules[TaskManager.__module__]
manager = TaskManager(include_defaults=False)
models = {name: type(target).__name__ for name, target in registry.model_registry.items()}
hidden = argparse.Namespace(tasks=["ultrafeedback_pairs"], include_path=sys.argv[1])
print(json.dumps({
    "loaded": getattr(registry, "LOADED", None),
    "ultrarm": models["ultrarm"],
    "third-party": models["third-party"],
    "class": registry.get_model("ultrarm").__name__,
    "scanned": len(module.SCANNED[0]) if hasattr(module, "SCANNED") else None,
    "scanned by us": task_index.plugin_task_folders.cache_info().currsize > 0,
    "tasks": manager.all_tasks,
    "default": EvaluatorConfig.from_cli(argparse.Namespace(tasks=["ultrafeedback_pairs"])).model,
    "overridden": EvaluatorConfig.from_cli(hidden).model,
}))
"""
GENERATIONS = """
import json, lm_eval.filters, lm_eval.models
import lm_eval.api.metrics
from lm_eval.api import registry

kinds = {}
for kind, name in [
    ("model", "third-party"), ("filter", "third-party-filter"),
    ("aggregation", "third-party-aggregation"),
]:
    known = getattr(registry, f"{kind}_registry")
    get = getattr(registry, f"get_{kind}")
    get("mean" if kind == "aggregation" else "dummy" if kind == "model" else "take_first")
    kinds[kind] = type(dict(known.items())[name]).__name__


def metric(name):
    if not hasattr(registry, "get_metric"):
        found = registry.metric_registry.get(name)
        return [found.fn.__module__, found.aggregation.__module__, found.higher_is_better]
    return [
        registry.get_metric(name).__module__,
        registry.get_metric_aggregation(name).__module__,
        registry.is_higher_better(name),
    ]


print(json.dumps({
    "kinds": kinds,
    "filters": [
        registry.get_filter(name).__name__
        for name in ("reward", "best_of_n", "third-party-filter", "lowercase")
    ],
    "metrics": [metric(name) for name in ("reward", "win_rate", "third-party-metric")],
    "aggregation": registry.get_aggregation("third-party-aggregation").__name__,
    "loaded": getattr(registry, "LOADED", None),
}))
"""
TASKS = declared_tasks()


@pytest.fixture
def harness(tmp_path: Path) -> Any:
    """Makes a harness with additions to some of its files."""
    spec = importlib.util.find_spec("lm_eval")
    assert spec is not None
    assert spec.origin is not None
    installed = Path(spec.origin).parent

    def make(additions: dict[str, str]) -> Path:
        made = tmp_path / "harness" / "lm_eval"
        _link(installed, made, {made.joinpath(name): text for name, text in additions.items()})
        return made.parent

    return make


def _link(source: Path, target: Path, additions: dict[Path, str]) -> None:
    target.mkdir(parents=True)
    for entry in source.iterdir():
        made = target / entry.name
        if made in additions:
            made.write_text(entry.read_text() + additions[made])
        elif any(made in path.parents for path in additions):
            _link(entry, made, additions)
        elif entry.name != "__pycache__":
            made.symlink_to(entry)


def _tasks_file() -> str:
    manager = importlib.util.find_spec("lm_eval.tasks.manager")
    return "tasks/__init__.py" if manager is None else "tasks/manager.py"


MODELS = {"api/registry.py": MODELS_ADDITION, "models/__init__.py": MODELS_CALL}
DISCOVERED = ["ultrarm", "reward-model", "third-party", "third-party-elsewhere"]


@pytest.mark.parametrize(
    ("models", "tasks"), [(False, False), (True, False), (False, True), (True, True)]
)
def test_nothing_is_discovered_twice(
    environment: Any, harness: Any, tmp_path: Path, models: bool, tasks: bool
) -> None:
    overrides = tmp_path / "overrides"
    overrides.mkdir()
    (overrides / "own.yaml").write_text("task: ultrafeedback_pairs\ndataset_path: none\n")
    path = harness((MODELS if models else {}) | ({_tasks_file(): TASKS_ADDITION} if tasks else {}))

    found = environment.probe(PROBE, overrides, PYTHONPATH=str(path))

    value = found.value
    if models:
        assert set(DISCOVERED) <= set(value["loaded"])
        assert (value["ultrarm"], value["third-party"]) == ("EntryPoint", "EntryPoint")
    else:
        assert value["loaded"] is None
        assert (value["ultrarm"], value["third-party"]) == ("Placeholder", "Placeholder")
    assert ("Model '" in found.stderr) is not models
    assert value["class"] == "RewardModelLM"
    # Two folders: ours and the third party's.
    assert value["scanned"] == (2 if tasks else None)
    assert value["scanned by us"] is not tasks
    assert ("Tasks '" in found.stderr) is not tasks
    assert value["tasks"] == TASKS
    assert (value["default"], value["overridden"]) == ("ultrarm", "hf")


@pytest.mark.parametrize("generations", [False, True])
def test_a_harness_that_loads_models_alone_has_our_filters_and_metrics_too(
    environment: Any, harness: Any, generations: bool
) -> None:
    addition = MODELS_ADDITION + (GENERATIONS_ADDITION if generations else "")

    found = environment.probe(
        GENERATIONS, PYTHONPATH=str(harness(MODELS | {"api/registry.py": addition}))
    )

    theirs = "EntryPoint" if generations else "Placeholder"
    value = found.value
    assert value["kinds"] == {"model": "EntryPoint", "filter": theirs, "aggregation": theirs}
    assert value["filters"] == ["RewardFilter", "BestOfNFilter", "Shouted", "LowercaseFilter"]
    ours, others = "ultrarm_eval.lm_eval_plugin.generation_metrics", "tests_third_party.generations"
    assert [(m[0], m[2]) for m in value["metrics"]] == [(ours, True), (ours, True), (others, False)]
    assert value["metrics"][2][1] == others
    assert value["aggregation"] == "largest"
    assert set(DISCOVERED) <= set(value["loaded"])
    said = [line.split(" of ")[0] for line in found.stderr.splitlines() if "is skipped" in line]
    assert said == ([] if generations else ["Filter 'lowercase'"])


def test_default_model_is_found_behind_a_symbolic_link(
    make_environment: Any, wheel: Path, harness: Any, tmp_path: Path
) -> None:
    # Upstream resolves the folders it scans, and ours is then not where we were imported from.
    linked = make_environment(wheel)
    real = linked.site_packages.rename(tmp_path / "real")
    linked.site_packages.symlink_to(real, target_is_directory=True)

    found = linked.probe(
        "import argparse, json; from lm_eval.config.evaluate_config import EvaluatorConfig;"
        "namespace = argparse.Namespace(tasks=['ultrafeedback_pairs']);"
        "print(json.dumps(EvaluatorConfig.from_cli(namespace).model))",
        PYTHONPATH=str(harness({_tasks_file(): TASKS_ADDITION})),
    )

    assert found.value == "ultrarm"

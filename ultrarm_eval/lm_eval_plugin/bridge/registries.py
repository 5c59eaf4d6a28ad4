"""Models, filters, metrics and aggregations of installed packages, in the harness's registries.

Needless with the first release after 0.4.13 that has pull request 4013, which loads them itself.
"""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint
from types import FunctionType, ModuleType
from typing import Any

from ultrarm_eval.lm_eval_plugin.bridge.entry_points import (
    AGGREGATIONS_GROUP,
    FILTERS_GROUP,
    METRICS_GROUP,
    MODELS_GROUP,
    find_entry_points,
)

logger = logging.getLogger("lm_eval.ultrarm_eval")

#: What the entry points of a group are, and the harness's registry for them.
KINDS = {
    MODELS_GROUP: ("a model", "model_registry"),
    FILTERS_GROUP: ("a filter", "filter_registry"),
    METRICS_GROUP: ("a metric", "metric_registry"),
    AGGREGATIONS_GROUP: ("an aggregation", "aggregation_registry"),
}


class Placeholder(str):
    """What the registry loads from, and what makes way for what registers itself.

    The registry lets a class, and no function, take the place of a string, and of no EntryPoint,
    that reads ``module:name`` with the module the class is defined in. Packages often point to a
    class through another of their modules; that one must be able to take its place, too.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        """Equality, by which the registry tells a clash of names from the same thing again."""
        if not isinstance(other, type | FunctionType):
            return str.__eq__(self, other)
        module, _, name = self.partition(":")
        package = module.partition(".")[0]
        return other.__name__ == name and other.__module__.partition(".")[0] == package

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


def harness_discovers_plugins(registry: ModuleType) -> bool:
    """Whether this harness loads entry points itself (its main branch, pull request 4013)."""
    return hasattr(registry, "load_plugins")


def connect_models(_: ModuleType) -> None:
    """Registers the models of installed packages behind the built-in ones.

    Runs after `lm_eval.models` has registered the built-in models: the harness loads those only
    into an empty registry, so a plugin that came first would make `--model hf` unknown.
    """
    _register(MODELS_GROUP)


def connect_filters(_: ModuleType) -> None:
    """Registers the filters of installed packages behind the built-in ones."""
    _register(FILTERS_GROUP)


def connect_metrics(_: ModuleType) -> None:
    """Registers metrics and aggregations behind the built-in ones.

    Runs after `lm_eval.api.metrics`, which the harness imports only for an empty registry.
    """
    _register(AGGREGATIONS_GROUP)
    _register(METRICS_GROUP)


def _register(group: str) -> None:
    from lm_eval.api import registry

    if harness_discovers_plugins(registry):
        return
    kind, attribute = KINDS[group]
    known: Any = getattr(registry, attribute)
    for found in find_entry_points(group):
        problem = found.problem
        if problem is None and found.name in known:
            problem = f"the harness has {kind} of that name"
        if problem is not None:
            logger.warning(
                "%s %r of %s is left out: %s.",
                kind.split()[-1].capitalize(),
                found.name,
                found.package,
                problem,
            )
            continue
        nested = "." in found.placeholder.partition(":")[2]
        # The registry itself only looks for names at the top of a module.
        target = EntryPoint(found.name, found.value, found.group) if nested else None
        known.register(found.name, target=target or Placeholder(found.placeholder))

"""Models, filters, metrics and the like of installed packages, in the harness's registries.

For each group unnecessary with the first release that loads it itself, which no release up to
0.4.13 and 0.5.0.dev1 does: pull request 4013 does it for models, 4014 for filters, metrics and
aggregations. Neither discovers scorers and reductions, which are new in lm-eval 0.5.
"""

from __future__ import annotations

import inspect
import logging
from importlib.metadata import EntryPoint
from types import FunctionType, ModuleType
from typing import Any

from ultrarm_eval.lm_eval_plugin.bridge.deferred_metrics import deferred_metric
from ultrarm_eval.lm_eval_plugin.bridge.entry_points import (
    AGGREGATIONS_GROUP,
    FILTERS_GROUP,
    METRICS_GROUP,
    MODELS_GROUP,
    REDUCTIONS_GROUP,
    SCORERS_GROUP,
    FoundEntryPoint,
    find_entry_points,
)
from ultrarm_eval.lm_eval_plugin.harness_features import deferred_metric_class, discovers_plugins

logger = logging.getLogger("lm_eval.ultrarm_eval")

#: What the entry points of a group are, and the harness's registry for them.
KINDS = {
    MODELS_GROUP: ("a model", "model_registry"),
    FILTERS_GROUP: ("a filter", "filter_registry"),
    METRICS_GROUP: ("a metric", "metric_registry"),
    AGGREGATIONS_GROUP: ("an aggregation", "aggregation_registry"),
    SCORERS_GROUP: ("a scorer", "scorer_registry"),
    REDUCTIONS_GROUP: ("a reduction", "reduction_registry"),
}


class Placeholder(str):
    """A string that the registry loads from, and that gives way to an object that registers itself.

    The registry lets a class (but not a function) replace a string (but not an EntryPoint) of the
    form ``module:name`` with the module in which the class is defined. Packages often point to a
    class through another of their modules; such a class must be able to replace it too.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        """Equality, by which the registry tells a name clash from a repeated registration."""
        if not isinstance(other, type | FunctionType):
            return str.__eq__(self, other)
        return _is_named(other, str(self))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


def finds_itself(registry: ModuleType, group: str) -> bool:
    """Whether the harness itself registers the entry points of a group.

    Its own placeholder would clash with a metric that is created on first use: then ours is
    registered first, and the harness keeps it.

    Args:
        registry: `lm_eval.api.registry`.
        group: The group.
    """
    if group == METRICS_GROUP and deferred_metric_class(registry) is not None:
        return False
    return discovers_plugins(registry, group)


def has_registered(known: Any, found: FoundEntryPoint) -> bool:
    """Whether a registry contains an entry point's target, whoever registered it.

    Args:
        known: The registry.
        found: The entry point.
    """
    held = dict(known.items()).get(found.name)
    if isinstance(held, EntryPoint):
        return held.value == found.value
    if isinstance(held, str):
        return str.__eq__(held, found.placeholder)
    # A metric of lm-eval 0.5 has its function in it, and before it is made its factory has.
    function, factory = getattr(held, "fn", held), getattr(held, "_factory", None)
    if factory is not None:
        return any(
            _is_named(value, found.placeholder)
            for value in inspect.getclosurevars(factory).nonlocals.values()
        )
    return _is_named(function, found.placeholder) or _is_named(type(function), found.placeholder)


def connect_models(_: ModuleType) -> None:
    """Registers the models of installed packages after the built-in ones.

    Runs after `lm_eval.models` has registered the built-in models: the harness loads those only
    into an empty registry, so a plugin registered before would make `--model hf` unknown.
    """
    _register(MODELS_GROUP)


def connect_filters(_: ModuleType) -> None:
    """Registers the filters of installed packages after the built-in ones."""
    _register(FILTERS_GROUP)


def connect_metrics(_: ModuleType) -> None:
    """Registers metrics and aggregations after the built-in ones.

    Runs after `lm_eval.api.metrics`, which the harness imports only for an empty registry.
    """
    _register(AGGREGATIONS_GROUP)
    _register(METRICS_GROUP)


def connect_scorers(_: ModuleType) -> None:
    """Registers scorers after the built-in ones, which the harness loads into an empty registry."""
    _register(SCORERS_GROUP)


def connect_reductions(_: ModuleType) -> None:
    """Registers reductions after the built-in ones, like scorers."""
    _register(REDUCTIONS_GROUP)


def _register(group: str) -> None:
    from lm_eval.api import registry

    kind, attribute = KINDS[group]
    known: Any = getattr(registry, attribute, None)
    if known is None or finds_itself(registry, group):
        return
    for found in find_entry_points(group):
        problem = found.problem
        if problem is None and found.name in known:
            if has_registered(known, found):
                continue
            problem = f"lm-eval already has {kind} of that name"
        if problem is not None:
            logger.warning(
                "%s %r of %s is skipped: %s.",
                kind.split()[-1].capitalize(),
                found.name,
                found.package,
                problem,
            )
            continue
        known.register(found.name, target=_target(registry, found))


def _target(registry: ModuleType, found: FoundEntryPoint) -> Any:
    """The object registered for an entry point, which is loaded on first use."""
    if found.group == METRICS_GROUP and deferred_metric_class(registry) is not None:
        return deferred_metric(registry, found, _is_named)
    # The registry itself only looks for names at the top of a module.
    nested = "." in found.placeholder.partition(":")[2]
    return found.entry_point if nested else Placeholder(found.placeholder)


def _is_named(value: Any, path: str) -> bool:
    """Whether a class or function is the target of `module:name`, also through another module."""
    module, _, name = path.partition(":")
    package = module.partition(".")[0]
    of = getattr(value, "__module__", None)
    names = (getattr(value, "__name__", None), getattr(value, "__qualname__", None))
    return isinstance(of, str) and of.partition(".")[0] == package and name in names

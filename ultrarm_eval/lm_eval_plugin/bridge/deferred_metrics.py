"""Metrics of installed packages, for harnesses that create a metric's object on first use (0.5).

There a function that registers itself is registered as a factory of that object. A placeholder that
the registry loads from would clash with the factory, and would load the bare function.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from ultrarm_eval.lm_eval_plugin.bridge.entry_points import FoundEntryPoint
from ultrarm_eval.lm_eval_plugin.harness_features import deferred_metric_class


def deferred_metric(
    registry: ModuleType, found: FoundEntryPoint, is_named: Callable[[Any, str], bool]
) -> Any:
    """A factory for the registry, which imports the metric's module on first use.

    It gives way to the factory that the module's own decorator registers, whoever imports the
    module first. A function without the decorator gets the harness's defaults.

    Args:
        registry: `lm_eval.api.registry`.
        found: The metric's entry point.
        is_named: Whether an object is the target of a `module:name`.
    """
    base = deferred_metric_class(registry)
    state = {"loading": False}

    class DeferredPlugin(base):  # type: ignore[misc, valid-type]
        def __eq__(self, other: object) -> bool:
            if self is other or not isinstance(other, base):
                return self is other
            inside = inspect.getclosurevars(other._factory).nonlocals.values()
            return state["loading"] or any(is_named(one, found.placeholder) for one in inside)

        def __ne__(self, other: object) -> bool:
            return not self == other

        __hash__ = object.__hash__

    def load() -> Any:
        known = registry.metric_registry
        state["loading"] = True
        try:
            loaded = found.entry_point.load()
            if dict(known.items())[found.name] is not made:
                return known.get(found.name)
            if not callable(loaded):
                return loaded
            registry.register_metric(found.name)(loaded)
        finally:
            state["loading"] = False
        return known.get(found.name)

    made = DeferredPlugin(load)
    return made

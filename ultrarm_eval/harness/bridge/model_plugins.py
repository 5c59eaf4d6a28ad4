"""Models of installed packages, in the harness's registry."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

from ultrarm_eval.harness.bridge.entry_points import MODELS_GROUP, find_entry_points

logger = logging.getLogger("lm_eval.ultrarm_eval")


class Placeholder(str):
    """What the registry loads a model from, and what makes way for a class that registers itself.

    The registry lets a class take the place of a string, and of no EntryPoint, that reads
    ``module:name`` with the module the class is defined in. Packages often point to a class
    through another of their modules; that one must be able to take its place, too.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        """Equality, by which the registry tells a clash of names from the same thing again."""
        if not isinstance(other, type):
            return str.__eq__(self, other)
        module, _, name = self.partition(":")
        package = module.partition(".")[0]
        return other.__name__ == name and other.__module__.partition(".")[0] == package

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


def harness_discovers_models(registry: ModuleType) -> bool:
    """Whether this harness loads model entry points itself (its main branch, pull request 4013)."""
    return hasattr(registry, "load_plugins")


def connect(models: ModuleType) -> None:
    """Registers the models of installed packages behind the built-in ones.

    Runs after `lm_eval.models` has registered the built-in models: the harness loads those only
    into an empty registry, so a plugin that came first would make `--model hf` unknown.
    """
    from lm_eval.api import registry

    if harness_discovers_models(registry):
        return
    known: Any = registry.model_registry
    for found in find_entry_points(MODELS_GROUP):
        problem = found.problem
        if problem is None and found.name in known:
            problem = "the harness has a model of that name"
        if problem is not None:
            logger.warning("Model %r of %s is left out: %s.", found.name, found.package, problem)
            continue
        nested = "." in found.placeholder.partition(":")[2]
        # The registry itself only looks for names at the top of a module.
        target = EntryPoint(found.name, found.value, found.group) if nested else None
        known.register(found.name, target=target or Placeholder(found.placeholder))

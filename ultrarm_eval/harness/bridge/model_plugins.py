"""Models of installed packages, in the harness's registry."""

from __future__ import annotations

import logging
from types import ModuleType
from typing import Any

from ultrarm_eval.harness.bridge.entry_points import MODELS_GROUP, find_entry_points

logger = logging.getLogger("lm_eval.ultrarm_eval")


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
        # A string, because the registry replaces string placeholders, and not EntryPoint ones,
        # by a class that registers itself under the same name.
        known.register(found.name, target=found.placeholder)

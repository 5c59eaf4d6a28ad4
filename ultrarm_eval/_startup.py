"""Connects the bridge to lm-eval's modules when they are imported.

Released versions of lm-eval do not discover entry points, so an installed package has to register
itself. At interpreter start the installed .pth file only puts one small finder in front of
`sys.meta_path`; when `lm_eval` is imported, that finder imports this module and calls `install`. An
interpreter that never imports lm_eval opens no file of this package.

A .pth file contains code in single lines only. Formatted, its line is a finder that never finds:

    class UltrarmEvalBridge:
        def find_spec(name, path=None, target=None):
            if name == "lm_eval" and not switched off:
                try: import this module and call install()
                except Exception: one warning in lm_eval's log
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

#: Set to 0, off, no or false to disable the bridge. The .pth file reads it, too.
SWITCH = "ULTRARM_EVAL_BRIDGE"
WATCHED = frozenset(
    {
        "lm_eval._cli",
        "lm_eval.api.metrics",
        "lm_eval.api.metrics.reduce",
        "lm_eval.config.evaluate_config",
        "lm_eval.evaluator",
        "lm_eval.filters",
        "lm_eval.models",
        "lm_eval.scorers",
        "lm_eval.tasks",
        "lm_eval.tasks.manager",
    }
)

# Problems of the harness that were logged already: it is imported in parts.
_said: set[str] = set()


class _NotifyingLoader(Loader):
    """Runs a module through its own loader, then notifies the bridge."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        _tell_bridge(module)


class HarnessFinder:
    """A meta path finder that only handles the harness's modules in `WATCHED`."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Finds a watched module through the other finders and has its loader notify us."""
        if name not in WATCHED:
            return None
        for finder in sys.meta_path:
            find_spec = getattr(finder, "find_spec", None)
            if finder is self or find_spec is None:
                continue
            spec: ModuleSpec | None = find_spec(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _NotifyingLoader(spec.loader)
                return spec
        return None


def is_switched_off() -> bool:
    """Whether the user switched the bridge off."""
    return os.environ.get(SWITCH, "").strip().lower() in {"0", "off", "no", "false"}


def install() -> None:
    """Installs the finder once, unless the user switched it off."""
    if is_switched_off() or any(isinstance(finder, HarnessFinder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, HarnessFinder())


def _tell_bridge(module: ModuleType) -> None:
    try:
        from ultrarm_eval.lm_eval_plugin.bridge import on_import

        on_import(module)
    except Exception as error:
        # The harness has to continue without us; a partly uninstalled package ends up here, too.
        _say_left_out(module, error)


def _say_left_out(module: ModuleType, error: Exception) -> None:
    problem = None
    with contextlib.suppress(Exception):
        from ultrarm_eval.lm_eval_plugin.bridge.harness_check import harness_problem

        problem = harness_problem()
    logger = logging.getLogger("lm_eval")
    if problem is None:
        logger.warning(
            "ultrarm-eval could not connect to %s and is disabled: %s: %s. Reinstall "
            "ultrarm-eval, or set %s=0.",
            module.__name__,
            type(error).__name__,
            error,
            SWITCH,
        )
    elif problem not in _said:
        _said.add(problem)
        logger.warning("ultrarm-eval is disabled: %s", problem)

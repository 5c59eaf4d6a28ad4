"""Runs at interpreter start, from the installed .pth file: waits for lm_eval to be imported.

Released lm-eval discovers no entry points, so an installed package has to make itself found.
This file imports nothing but `os` and `sys`, which every interpreter has loaded anyway.
"""

import os
import sys

# mypy: disable-error-code="no-untyped-def, no-untyped-call"
# (naming the types would import them at every interpreter start)

#: Set to 0, off, no or false to leave the harness alone.
SWITCH = "ULTRARM_EVAL_BRIDGE"
WATCHED = frozenset(
    {
        "lm_eval.config.evaluate_config",
        "lm_eval.evaluator",
        "lm_eval.models",
        "lm_eval.tasks",
        "lm_eval.tasks.manager",
    }
)


class _NotifyingLoader:
    """Runs a module through its own loader, then tells the bridge."""

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        _tell_bridge(module)


class HarnessFinder:
    """A meta path finder that only ever answers for the harness's modules in `WATCHED`."""

    def find_spec(self, name, path=None, target=None):
        """Finds a watched module through the other finders and has its loader notify us."""
        if name not in WATCHED:
            return None
        for finder in sys.meta_path:
            find_spec = getattr(finder, "find_spec", None)
            if finder is self or find_spec is None:
                continue
            spec = find_spec(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _NotifyingLoader(spec.loader)
                return spec
        return None


def _tell_bridge(module):
    try:
        from ultrarm_eval.harness.bridge import on_import

        on_import(module)
    except Exception as error:
        # The harness has to go on without us; a half uninstalled package ends up here, too.
        import logging

        logging.getLogger("lm_eval").warning(
            "ultrarm-eval could not connect to %s and is left out: %s: %s. Reinstall ultrarm-eval, "
            "or set %s=0.",
            module.__name__,
            type(error).__name__,
            error,
            SWITCH,
        )


def install():
    """Starts to wait for the harness, once, unless the user switched it off."""
    if os.environ.get(SWITCH, "").strip().lower() in {"0", "off", "no", "false"}:
        return
    if not any(isinstance(finder, HarnessFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, HarnessFinder())

"""Checks that the package lm_eval is the harness, in a supported version.

Unnecessary in an environment that is known to have lm-eval 0.4.10 or later.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re

from ultrarm_eval.lm_eval_plugin.bridge.entry_points import can_be_found

OLDEST = (0, 4, 10)
# Every version of the harness has these, and no other package of that name has all of them.
_ITS_MODULES = ("lm_eval.api.registry", "lm_eval.api.task", "lm_eval.evaluator", "lm_eval.tasks")
# New in the oldest supported version.
_MODULES_OF_OLDEST = ("lm_eval._cli", "lm_eval.config.evaluate_config")


def harness_problem() -> str | None:
    """What is wrong with the package lm_eval that Python finds; None if it can be used.

    Nothing is imported.
    """
    oldest = ".".join(map(str, OLDEST))
    try:
        spec = importlib.util.find_spec("lm_eval")
    except (ImportError, ValueError) as error:
        return f"lm_eval cannot be found: {error}. Install lm-eval {oldest} or later."
    if spec is None:
        return f"lm-evaluation-harness is not installed. Install lm-eval {oldest} or later."
    folders = list(spec.submodule_search_locations or ())
    place = spec.origin or (folders[0] if folders else "an unknown location")
    lacking = [name for name in _ITS_MODULES if not can_be_found(name)]
    if lacking:
        return (
            f"the package lm_eval at {place} is not lm-evaluation-harness: it has no "
            f"{lacking[0]}. Rename it or run from another folder (python -c 'import lm_eval; "
            f"print(lm_eval)' shows which package is found), and install lm-eval {oldest} or "
            "later."
        )
    version = _version()
    is_old = version is not None and version < OLDEST
    if is_old or not all(map(can_be_found, _MODULES_OF_OLDEST)):
        shown = "" if version is None else f" {'.'.join(map(str, version))}"
        return (
            f"lm-evaluation-harness{shown} at {place} is older than {oldest}, the oldest version "
            "that ultrarm-eval supports. Upgrade it: pip install -U lm-eval."
        )
    return None


def _version() -> tuple[int, ...] | None:
    """The version of the installed distribution; None if there is none, as in a clone."""
    try:
        written = importlib.metadata.version("lm_eval")
    except importlib.metadata.PackageNotFoundError:
        return None
    found = re.match(r"\d+(?:\.\d+)*", written or "")
    return tuple(map(int, found.group().split("."))) if found else None

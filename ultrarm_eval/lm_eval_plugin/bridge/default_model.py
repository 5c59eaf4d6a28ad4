"""What a command line leaves open: the model of preference tasks, and a judge's device.

`lm_eval --tasks ultrafeedback_pairs` without `--model` means the judge the tasks are made for.
"""

from __future__ import annotations

import argparse
import functools
import logging
from types import ModuleType
from typing import Any

logger = logging.getLogger("lm_eval.ultrarm_eval")

DEFAULT_MODEL = "ultrarm"
_JUDGES = frozenset({DEFAULT_MODEL, "reward-model"})
_GLOB_CHARACTERS = frozenset("*?[")


def connect(module: ModuleType) -> None:
    """Fills in the model where the harness turns a command line into its configuration.

    The harness's own default for the device is `cuda:0`, wherever it runs; a judge whose user named
    no device finds one by itself.
    """
    config_class = module.EvaluatorConfig
    from_cli = config_class.from_cli.__func__

    @functools.wraps(from_cli)
    def from_cli_with_default(cls: Any, namespace: argparse.Namespace) -> Any:
        if _wants_default_model(namespace):
            from ultrarm_eval.judges import DEFAULT_CHECKPOINT

            logger.info(
                "No --model given and every task is a preference task: --model %s (%s).",
                DEFAULT_MODEL,
                DEFAULT_CHECKPOINT,
            )
            namespace = argparse.Namespace(**{**vars(namespace), "model": DEFAULT_MODEL})
        config = from_cli(cls, namespace)
        if getattr(config, "model", None) in _JUDGES and not _names_device(cls, namespace):
            config.device = None
        return config

    config_class.from_cli = classmethod(from_cli_with_default)


def _names_device(config_class: Any, namespace: argparse.Namespace) -> bool:
    """Whether the command line, or the file that it names, says where to compute."""
    if getattr(namespace, "device", None) is not None:
        return True
    path = getattr(namespace, "config", None)
    return bool(path) and "device" in config_class.load_yaml_config(path)


def _wants_default_model(namespace: argparse.Namespace) -> bool:
    if any(getattr(namespace, name, None) for name in ("model", "model_args", "config")):
        return False
    requested = getattr(namespace, "tasks", None) or []
    names = requested.split(",") if isinstance(requested, str) else list(requested)
    names = [name for item in names for name in str(item).split(",") if name]
    if not names:
        return False
    try:
        return _are_all_ours(names, getattr(namespace, "include_path", None))
    except Exception as error:
        # Other people's task files are read, and people without --model run other tasks, too.
        logger.debug("The default model stays the harness's: %s: %s", type(error).__name__, error)
        return False


def _are_all_ours(names: list[str], include_path: str | None) -> bool:
    from lm_eval.tasks import TaskManager

    from ultrarm_eval.lm_eval_plugin.bridge.task_files import are_all_pairwise

    # Names that plugins and --include_path do not have are built-in, so none of ours: this is
    # known without the long look at the built-in tasks, which only patterns can also reach.
    if not are_all_pairwise(TaskManager(include_path=include_path, include_defaults=False), names):
        return False
    if not any(_GLOB_CHARACTERS & set(name) for name in names):
        return True
    return are_all_pairwise(TaskManager(include_path=include_path), names)

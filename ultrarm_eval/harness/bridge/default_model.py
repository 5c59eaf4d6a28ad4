"""`lm_eval --tasks ultrafeedback_pairs` without `--model`: the judge the tasks are made for."""

from __future__ import annotations

import argparse
import functools
import logging
from types import ModuleType
from typing import Any

logger = logging.getLogger("lm_eval.ultrarm_eval")

DEFAULT_MODEL = "ultrarm"
_GLOB_CHARACTERS = frozenset("*?[")


def connect(module: ModuleType) -> None:
    """Fills in the model where the harness turns a command line into its configuration."""
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
        return from_cli(cls, namespace)

    config_class.from_cli = classmethod(from_cli_with_default)


def _wants_default_model(namespace: argparse.Namespace) -> bool:
    if any(getattr(namespace, name, None) for name in ("model", "model_args", "config")):
        return False
    requested = getattr(namespace, "tasks", None) or []
    names = requested.split(",") if isinstance(requested, str) else list(requested)
    names = [name for item in names for name in str(item).split(",") if name]
    if not names:
        return False
    from ultrarm_eval.harness.bridge.task_files import are_all_pairwise, our_names

    patterns = any(_GLOB_CHARACTERS & set(name) for name in names)
    if not patterns and not set(names) <= our_names():
        return False
    from lm_eval.tasks import TaskManager

    # A pattern can reach built-in tasks; plain names of ours are found without scanning those.
    manager = TaskManager(
        include_path=getattr(namespace, "include_path", None), include_defaults=patterns
    )
    return are_all_pairwise(manager, manager.match_tasks(names))

"""How `lm_eval` interprets a command line, and how it ends on one of our errors.

No release makes it unnecessary: the harness has no default model for a task, passes the model's
arguments on as metadata of tasks, requests `cuda:0` wherever it runs, and shows errors as
tracebacks.
"""

from __future__ import annotations

import argparse
import functools
import logging
import os
import sys
from types import ModuleType, TracebackType
from typing import Any

from ultrarm_eval.errors import TRACEBACK_SWITCH, UltrarmEvalError, wants_traceback
from ultrarm_eval.lm_eval_plugin.run_metadata import RunMetadata
from ultrarm_eval.terminal import escape_what_cannot_be_encoded

logger = logging.getLogger("lm_eval.ultrarm_eval")

DEFAULT_MODEL = "ultrarm"
_JUDGES = frozenset({DEFAULT_MODEL, "reward-model"})
_GLOB_CHARACTERS = frozenset("*?[")
_MARK = "_ultrarm_eval_shows_messages"


def connect_config(module: ModuleType) -> None:
    """Fills in defaults of a command line, and keeps metadata apart from model arguments.

    `lm_eval --tasks ultrafeedback_pairs` without `--model` uses a judge. A judge without a given
    device chooses one by itself.
    """
    config_class = module.EvaluatorConfig
    from_cli, process = config_class.from_cli.__func__, config_class._process_arguments

    @functools.wraps(from_cli)
    def from_cli_with_defaults(cls: Any, namespace: argparse.Namespace) -> Any:
        if _wants_default_model(namespace):
            from ultrarm_eval.judges import DEFAULT_CHECKPOINT

            logger.info(
                "No --model given and all tasks are preference tasks: using --model %s (%s).",
                DEFAULT_MODEL,
                DEFAULT_CHECKPOINT,
            )
            namespace = argparse.Namespace(**{**vars(namespace), "model": DEFAULT_MODEL})
        config = from_cli(cls, namespace)
        if getattr(config, "model", None) in _JUDGES and not _names_device(cls, namespace):
            config.device = None
        return config

    @functools.wraps(process)
    def process_arguments(self: Any) -> Any:
        given = self.metadata
        processed = process(self)
        self.metadata = RunMetadata.of_run(self.model_args, given)
        return processed

    config_class.from_cli = classmethod(from_cli_with_defaults)
    config_class._process_arguments = process_arguments


def connect_errors(_: ModuleType) -> None:
    """Makes the command end with an error's message, without a traceback.

    The module that triggers this is imported only by the harness's command line: a program or
    notebook that calls the harness keeps its tracebacks.
    """
    # The table has arrows, and metrics may have any name: a run must not end on one.
    escape_what_cannot_be_encoded(sys.stdout)
    before = sys.excepthook
    if getattr(before, _MARK, False):
        return

    def show(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> Any:
        if not isinstance(error, UltrarmEvalError) or wants_traceback():
            return before(kind, error, traceback)
        # Closed (2>&-), it is None.
        if sys.stderr is not None:
            sys.stderr.write(_message(error))
            sys.stderr.flush()
        return None

    setattr(show, _MARK, True)
    sys.excepthook = show


def _message(error: UltrarmEvalError) -> str:
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    process = f", process {os.environ.get('RANK', '0')}" if several else ""
    notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
    text = str(error) or type(error).__name__
    return f"ultrarm-eval{process}: {text}{notes}\n(Set {TRACEBACK_SWITCH}=1 for the traceback.)\n"


def _names_device(config_class: Any, namespace: argparse.Namespace) -> bool:
    """Whether the command line, or its configuration file, names a device."""
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
    # Names that plugins and --include_path do not have are built-in, so none of ours: this is known
    # without the long look at the built-in tasks, which only patterns can also reach.
    looks = (False, True) if any(_GLOB_CHARACTERS & set(name) for name in names) else (False,)
    include_path = getattr(namespace, "include_path", None)
    return all(_are_all_ours(names, include_path, with_built_in=look) for look in looks)


def _are_all_ours(names: list[str], include_path: str | None, *, with_built_in: bool) -> bool:
    from lm_eval.tasks import TaskManager

    from ultrarm_eval.lm_eval_plugin.bridge.task_index import are_all_pairwise

    try:
        manager = TaskManager(include_path=include_path, include_defaults=with_built_in)
    except Exception as error:
        # Other people's task files are read, and the harness says what is wrong with them.
        logger.debug("Keeping lm-eval's default model: %s: %s", type(error).__name__, error)
        return False
    try:
        return are_all_pairwise(manager, names)
    except Exception as error:
        # The harness has to go on without us; that a judge is left out for our fault is said.
        logger.warning(
            "Could not determine whether %s are tasks for a judge (%s: %s), so lm-eval's "
            "default model is used. To use a judge, give --model %s. Please report this.",
            ", ".join(names),
            type(error).__name__,
            error,
            DEFAULT_MODEL,
        )
        return False

"""Keeps a run's model arguments apart from its tasks' metadata, and names judges without weights.

The harness merges `--model_args` into the metadata of every task, and calls a model whose arguments
name none by eight random characters, its folder of results, too.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any


def connect_config(module: ModuleType) -> None:
    """Has the harness's command line tell its user's metadata from the model's arguments."""
    config_class = module.EvaluatorConfig
    process = config_class._process_arguments

    @functools.wraps(process)
    def _process_arguments(self: Any) -> Any:
        given = self.metadata
        processed = process(self)
        self.metadata = _metadata(self.model_args, given)
        return processed

    config_class._process_arguments = _process_arguments


def connect_evaluator(evaluator: ModuleType) -> None:
    """The same for `simple_evaluate`; and has a judge without weights called by its own name."""
    simple_evaluate = evaluator.simple_evaluate
    signature = inspect.signature(simple_evaluate)

    @functools.wraps(simple_evaluate)
    def evaluate_with_own_metadata(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        given = bound.arguments
        if given.get("task_manager") is None:
            arguments = given.get("model_args")
            if isinstance(arguments, str):
                arguments = evaluator.simple_parse_args_string(arguments)
            metadata = _metadata(arguments, given.get("metadata"))
            given["task_manager"] = evaluator.TaskManager(metadata=metadata)
        results = simple_evaluate(*bound.args, **bound.kwargs)
        tracker = getattr(given.get("evaluation_tracker"), "general_config_tracker", None)
        if isinstance(results, Mapping) and tracker is not None:
            _name_judge(tracker, results.get("config") or {}, given.get("model_args"))
        return results

    evaluator.simple_evaluate = evaluate_with_own_metadata  # type: ignore[attr-defined]


def _metadata(model_args: Any, given: Any) -> dict[str, Any]:
    from ultrarm_eval.lm_eval_plugin.run_metadata import RunMetadata

    return RunMetadata.of_run(
        model_args if isinstance(model_args, Mapping) else {},
        given if isinstance(given, Mapping) else {},
    )


def _name_judge(tracker: Any, config: Mapping[str, Any], model_args: Any) -> None:
    """Has the results and their folder called by the judge where the harness drew a name."""
    from lm_eval.utils import sanitize_model_name

    from ultrarm_eval.runs.run import names_model

    if config.get("judge") is None or names_model(model_args):
        return
    tracker.model_name = str(config.get("pretrained") or config["judge"])
    tracker.model_name_sanitized = sanitize_model_name(tracker.model_name)

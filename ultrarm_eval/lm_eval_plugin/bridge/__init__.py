"""Makes released lm-eval find the plugins of installed packages, as its main branch does.

General: it serves the entry points of every installed package. Where the harness discovers plugins
itself, it stands back. What the harness does in no version (a default model for preference tasks,
refusing tasks and options that cannot be followed before hours of work, counting undefined metrics,
errors without a traceback) is connected here, too.
"""

from __future__ import annotations

from types import ModuleType

from ultrarm_eval.lm_eval_plugin.bridge import (
    added_results,
    default_model,
    early_refusal,
    error_messages,
    judging_filters,
    model_arguments,
    registry_plugins,
    run_options,
    task_plugins,
)

_CONNECTIONS = {
    "lm_eval._cli": (error_messages.connect,),
    "lm_eval.api.metrics": (registry_plugins.connect_metrics,),
    "lm_eval.config.evaluate_config": (default_model.connect, model_arguments.connect_config),
    "lm_eval.evaluator": (
        judging_filters.connect,
        early_refusal.connect,
        added_results.connect,
        model_arguments.connect_evaluator,
        run_options.connect,
    ),
    "lm_eval.filters": (registry_plugins.connect_filters,),
    "lm_eval.models": (registry_plugins.connect_models,),
    "lm_eval.tasks": (task_plugins.connect,),
    "lm_eval.tasks.manager": (task_plugins.connect,),
}


def on_import(module: ModuleType) -> None:
    """Connects to a module of the harness that was just imported."""
    for connect in _CONNECTIONS[module.__name__]:
        connect(module)

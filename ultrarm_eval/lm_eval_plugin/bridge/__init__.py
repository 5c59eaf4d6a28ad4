"""Makes released lm-eval find the plugins of installed packages, and support what ours need.

No release of the harness up to 0.4.13 and 0.5.0.dev1 discovers entry points. Its pull requests 4013
to 4015 do, each for some groups; for those groups a build that has one of them is left alone
(`registries`, most of `task_index`). What no version does (`evaluation`, `run_check`,
`command_line`) is connected here too. Each file says when it becomes unnecessary.
"""

from __future__ import annotations

from types import ModuleType

from ultrarm_eval.lm_eval_plugin.bridge import command_line, evaluation, registries, task_index

_CONNECTIONS = {
    "lm_eval._cli": command_line.connect_errors,
    "lm_eval.api.metrics": registries.connect_metrics,
    "lm_eval.api.metrics.reduce": registries.connect_reductions,
    "lm_eval.config.evaluate_config": command_line.connect_config,
    "lm_eval.evaluator": evaluation.connect,
    "lm_eval.filters": registries.connect_filters,
    "lm_eval.models": registries.connect_models,
    "lm_eval.scorers": registries.connect_scorers,
    "lm_eval.tasks": task_index.connect,
    "lm_eval.tasks.manager": task_index.connect,
}


def on_import(module: ModuleType) -> None:
    """Connects to a module of the harness that was just imported."""
    _CONNECTIONS[module.__name__](module)

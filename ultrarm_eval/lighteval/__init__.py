"""Tasks for lighteval in which a model generates answers and a judge scores them.

name:
Judged tasks of ultrarm-eval

dataset:
openbmb/UltraFeedback, tatsu-lab/alpaca_eval

abstract: A model answers the prompts of UltraFeedback or AlpacaEval; UltraRM or any other reward
model scores each answer and a reference. The environment variable ULTRARM_EVAL_METADATA contains
the settings, as in lm-eval's --metadata; or your own file has a TASKS_TABLE of judged_task(...).

languages:
english

tags:
generation, judge, reward model
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ultrarm_eval.lighteval.task_settings import TASKS, settings_of_environment
from ultrarm_eval.lighteval.tasks import judged_task

if TYPE_CHECKING:
    from ultrarm_eval.lighteval.task_config import JudgedTaskConfig

__all__ = ["TASKS_TABLE", "judged_task"]

#: The tasks of this package with the environment's settings, read whenever lighteval asks.
TASKS_TABLE: list[JudgedTaskConfig]


def __getattr__(name: str) -> Any:
    if name == "TASKS_TABLE":
        settings = settings_of_environment()
        return [judged_task(task, **settings) for task in TASKS]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Tasks for lighteval in which a model writes and a judge scores what it wrote.

    ULTRARM_EVAL_METADATA='{"judge": "DIR", "data": "FILE.jsonl"}' lighteval accelerate \
        "model_name=DIR" ultrafeedback_judge --custom-tasks ultrarm_eval.lighteval

The variable holds what lm-eval's `--metadata` does. A file of one's own tasks takes its place:

    from ultrarm_eval.lighteval import judged_task

    TASKS_TABLE = [judged_task("ultrafeedback_judge", judge="DIR", data="FILE.jsonl")]
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

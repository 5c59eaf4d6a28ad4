"""The task classes of tasks in which a judge scores a model's answers.

Harness releases up to 0.4.11 look for them in a module of the YAML's own folder only.
"""

from ultrarm_eval.lm_eval_plugin.best_of_n_task import BestOfNTask
from ultrarm_eval.lm_eval_plugin.generation_task import (
    AlpacaEvalTask,
    BestOfNJudgingTask,
    JudgingTask,
)

__all__ = ["AlpacaEvalTask", "BestOfNJudgingTask", "BestOfNTask", "JudgingTask"]

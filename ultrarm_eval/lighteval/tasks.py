"""Judged tasks as lighteval's configurations."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ultrarm_eval.errors import ConfigurationError, MissingPackageError, unknown_choice
from ultrarm_eval.lighteval.task_settings import TASKS, checked_settings

if TYPE_CHECKING:
    from ultrarm_eval.lighteval.task_config import JudgedTaskConfig

# lighteval splits what it is given as tasks at these.
_SPLIT_AT = ",|@:"


def judged_task(task: str, *, name: str | None = None, **settings: Any) -> JudgedTaskConfig:
    """A task for lighteval's `TASKS_TABLE`: a model generates answers, and a judge scores them.

    The data is read and the judge is checked when lighteval loads the task; the judge's weights are
    loaded once all answers are generated.

    Args:
        task: `ultrafeedback_judge` or `alpaca_eval_ultrarm`, whose prompts and references are used.
        name: Its name; `task` if None. Two judges in one run need two tasks.
        **settings: See `TaskSettings`.

    Raises:
        ConfigurationError: The task or a setting is unknown, a value is not allowed, or lighteval
            is not installed.
    """
    if task not in TASKS:
        raise unknown_choice("judged task", task, TASKS)
    called = task if name is None else name
    if not called.strip() or any(character in called for character in _SPLIT_AT):
        raise ConfigurationError(
            f"name={called!r}: lighteval splits task names at {' '.join(_SPLIT_AT)}. Leave these "
            "characters out."
        )
    checked = checked_settings(settings)
    if find_spec("lighteval") is None:
        raise MissingPackageError("lighteval", "lighteval")
    # lighteval is imported where a task is made, and not to look at settings.
    from ultrarm_eval.lighteval.task_config import task_config

    return task_config(called, task, checked)

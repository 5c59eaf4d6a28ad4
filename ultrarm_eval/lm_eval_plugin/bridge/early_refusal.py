"""Refuses, before anything is computed, what would give no number or a wrong one."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, MutableMapping
from types import ModuleType
from typing import Any

from ultrarm_eval.lm_eval_plugin.bridge.evaluated_tasks import evaluated_tasks

logger = logging.getLogger("lm_eval.ultrarm_eval")

_REFUSED = {
    "generate_until": "asks it to generate text",
    "loglikelihood_rolling": "asks for the likelihood of whole texts",
    "loglikelihood": "asks for the likelihood of a fixed continuation",
}


def connect(evaluator: ModuleType) -> None:
    """Has the harness's `evaluate` look at the tasks before it builds their requests."""
    evaluate = evaluator.evaluate

    @functools.wraps(evaluate)
    def evaluate_what_judges_can_do(lm: Any, task_dict: Any, *args: Any, **kwargs: Any) -> Any:
        from ultrarm_eval.lm_eval_plugin.abstentions import may_abstain

        is_judge = bool(getattr(lm, "is_reward_judge", False))
        tasks = dict(evaluated_tasks(task_dict))
        for task in tasks.values():
            if getattr(task, "is_pairwise", False):
                task.asks_judge = is_judge
                task.judge_may_abstain = may_abstain(getattr(lm, "judge", None))
        if is_judge:
            _refuse(tasks)
            _remark(lm, tasks)
        elif isinstance(getattr(lm, "__dict__", {}).get("dbdict"), MutableMapping):
            # The harness's cache around a language model; a judge looks at its own by itself.
            from ultrarm_eval.lm_eval_plugin.response_cache import refuse_rewards

            refuse_rewards(lm.dbdict)
        return evaluate(lm, task_dict, *args, **kwargs)

    evaluator.evaluate = evaluate_what_judges_can_do  # type: ignore[attr-defined]


def _refuse(tasks: Mapping[str, Any]) -> None:
    from ultrarm_eval.errors import ConfigurationError

    refused = [
        f"{name} {_REFUSED[task.OUTPUT_TYPE]}"
        for name, task in tasks.items()
        if task.OUTPUT_TYPE in _REFUSED
    ]
    if refused:
        raise ConfigurationError(
            "A reward judge only compares given answers: "
            f"{'; '.join(refused)}. Run these tasks with a language model (--model hf), and the "
            "judge on preference or multiple-choice tasks."
        )


def _remark(lm: Any, tasks: Mapping[str, Any]) -> None:
    for name, task in tasks.items():
        metadata = task.config.metadata if isinstance(task.config.metadata, Mapping) else {}
        if getattr(lm, "pretrained", None) in (metadata.get("in_sample_for") or ()):
            logger.warning(
                "%s was trained on the data of %s: its accuracy there is in-sample and says "
                "nothing about other data.",
                lm.pretrained,
                name,
            )
        if "acc_norm" in (getattr(task, "_metric_fn_list", None) or {}) and not hasattr(
            task, "is_pairwise"
        ):
            logger.warning(
                "%s: acc_norm divides rewards by lengths and means nothing for a judge; use acc.",
                name,
            )

"""Looks at what judges before the model writes anything, and tells filters their place."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from types import ModuleType
from typing import Any

from ultrarm_eval.lm_eval_plugin.bridge.evaluated_tasks import evaluated_tasks

logger = logging.getLogger("lm_eval.ultrarm_eval")


def connect(evaluator: ModuleType) -> None:
    """Has the harness's `evaluate` look at the tasks' filters before it builds their requests.

    The harness makes a filter when all answers are there: what is wrong with it would show hours
    too late. Where judging fails all the same, every task's answers are kept.
    """
    evaluate = evaluator.evaluate

    @functools.wraps(evaluate)
    def evaluate_with_checked_filters(lm: Any, task_dict: Any, *args: Any, **kwargs: Any) -> Any:
        tasks = dict(evaluated_tasks(task_dict))
        limit = kwargs.get("limit")
        most = int(limit) if limit and limit >= 1 else None
        judged = [_prepare(task, most) for task in tasks.values()]
        for task in tasks.values():
            if hasattr(task, "before_writing"):
                task.before_writing(lm, most)
        try:
            return evaluate(lm, task_dict, *args, **kwargs)
        except BaseException as error:
            if any(judged):
                _keep(tasks, error)
            raise

    evaluator.evaluate = evaluate_with_checked_filters  # type: ignore[attr-defined]


def _prepare(task: Any, most: int | None) -> bool:
    """Looks at the filters of a task that judge; whether there are some, or it judges by itself."""
    judges_itself = hasattr(task, "before_writing")
    if judges_itself and task.only_writes():
        return False
    found = judges_itself
    for ensemble in getattr(task, "_filters", None) or ():
        for place, make in enumerate(ensemble.filters):
            if not getattr(getattr(make, "func", make), "is_judging", False):
                continue
            found = True
            repeats = int(getattr(task.config, "repeats", None) or 1)
            make().check(islice(iter(task.eval_docs), most), repeats)
            followed = place < len(ensemble.filters) - 1
            ensemble.filters[place] = functools.partial(make, followed=followed, repeats=repeats)
    return found


def _keep(tasks: Mapping[str, Any], error: BaseException) -> None:
    """Writes what models have written for tasks whose answers are not kept yet."""
    from ultrarm_eval.lm_eval_plugin.kept_answers import write_rows

    for name, task in tasks.items():
        instances = getattr(task, "_instances", None) or ()
        written = [i for i in instances if i.request_type == "generate_until" and i.resps]
        if written and written[0].doc is not getattr(error, "kept", None):
            path = write_rows(f"answers-of-{name}", _rows(written))
            logger.error("%s: what the model wrote is kept in %s.", name, path)


def _rows(instances: Iterable[Any]) -> Iterator[dict[str, Any]]:
    for instance in instances:
        for answer in instance.resps[: instance.repeats]:
            yield {"doc_id": instance.doc_id, "prompt": instance.args[0], "completion": answer}

"""Requests of the harness, as its releases before and from 0.5 on make them."""

from __future__ import annotations

from typing import Any

from ultrarm_eval.lm_eval_plugin.harness_features import tasks_have_scorers


def request_for(
    arguments: tuple[Any, ...],
    *,
    kind: str = "loglikelihood",
    task: str = "t",
    doc: dict[str, Any] | None = None,
) -> Any:
    """A request for one answer, of the first document of a task."""
    from lm_eval.api.instance import Instance

    whose: dict[str, Any] = {"metadata": (task, 0, 1)}
    if tasks_have_scorers():
        whose = {"task_name": task, "doc_id": 0}
    return Instance(
        request_type=kind,
        doc={"q": 1} if doc is None else doc,
        arguments=arguments,
        idx=0,
        **whose,
    )

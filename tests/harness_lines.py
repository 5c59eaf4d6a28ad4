"""Differences between lm-eval before 0.5 and from 0.5 on, for tests that run on both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ultrarm_eval.lm_eval_plugin.harness_features import (
    logs_chosen_documents,
    tasks_have_scorers,
)

#: For tests that look at the samples of documents that `--samples` chooses.
needs_chosen_samples = pytest.mark.skipif(
    not logs_chosen_documents(), reason="lm-eval 0.5.0.dev1 fails where it logs chosen documents"
)


def by_task(section: Mapping[str, Any]) -> dict[str, Any]:
    """A section of the results by the tasks' own names; from 0.5 on they have their group's, too."""
    return {name.rpartition("::")[2]: value for name, value in section.items()}


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

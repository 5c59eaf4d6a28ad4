"""Says in log and results in how many documents a metric was not defined.

Our tasks know it once the metrics are aggregated, when the harness has copied their configs.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from ultrarm_eval.harness.bridge.evaluated_tasks import evaluated_tasks

logger = logging.getLogger("lm_eval.ultrarm_eval")


def connect(evaluator: ModuleType) -> None:
    """Has the harness's `evaluate` add the counts to its results."""
    evaluate = evaluator.evaluate

    @functools.wraps(evaluate)
    def evaluate_and_count(lm: Any, task_dict: Any, *args: Any, **kwargs: Any) -> Any:
        results = evaluate(lm, task_dict, *args, **kwargs)
        if isinstance(results, Mapping):  # None in all processes but the first
            for name, task in evaluated_tasks(task_dict):
                if getattr(task, "is_pairwise", False):
                    _add(results, name, task.undefined)
        return results

    evaluator.evaluate = evaluate_and_count  # type: ignore[attr-defined]


def _add(results: Mapping[str, Any], name: str, undefined: Mapping[str, int]) -> None:
    metadata = results.get("configs", {}).get(name, {}).get("metadata")
    if isinstance(metadata, dict):
        metadata["undefined"] = dict(undefined)
    if undefined:
        logger.info(
            "%s: documents without a pair for a metric, left out of its mean: %s.",
            name,
            ", ".join(f"{metric} {count}" for metric, count in undefined.items()),
        )

"""Reductions of the values of several answers to one value per prompt (lm-eval 0.5)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

# The harness fills its registry of reductions on this import, and only while it is empty.
import lm_eval.api.metrics.reduce  # noqa: F401
from lm_eval.api.registry import register_reduction

from ultrarm_eval.lm_eval_plugin.document_values import uncompensated, uncompensated_value
from ultrarm_eval.metrics.best_of_k import oracle_at_k, sizes


@register_reduction("mean")  # type: ignore[untyped-decorator, unused-ignore]
def mean_of_answers(references: Any, predictions: Sequence[float]) -> float:
    """The mean of the answers' values.

    Args:
        references: Not used.
        predictions: The value of each answer.
    """
    return uncompensated_value(math.fsum(predictions) / len(predictions))  # type: ignore[no-any-return]


@register_reduction("best@k")  # type: ignore[untyped-decorator, unused-ignore]
def best_at_k(references: Any, predictions: Sequence[float]) -> dict[str, float]:
    """The expected highest value among k answers, for k = 1, 2, 4, ... and all.

    For the metric `reward` it is the reward of the answer that the judge picks among k, and for
    `win_rate` how often that answer wins, because a win never decreases with a higher reward. For
    right/wrong values it is pass@k.

    Args:
        references: Not used.
        predictions: The value of each answer.

    Raises:
        ScoringError: A value is not finite.
    """
    return uncompensated(
        {f"best@{k}": oracle_at_k(predictions, k) for k in sizes(len(predictions))}
    )

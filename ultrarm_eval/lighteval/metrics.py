"""The metrics of judged tasks, as lighteval computes them: by sample, then over the task."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lighteval.metrics.metrics_sample import SampleLevelComputation
from lighteval.metrics.utils.metric_utils import SampleLevelMetric
from lighteval.models.model_output import ModelResponse
from lighteval.tasks.requests import Doc, SamplingMethod

from ultrarm_eval.lighteval.task_judging import JudgedAnswer, TaskJudging
from ultrarm_eval.metrics.over_prompts import mean_with_error
from ultrarm_eval.metrics.win_rate import answer_metrics, length_controlled_win_rate

logger = logging.getLogger(__name__)

_CONTROLLED = "win_rate_length_controlled"
#: The metrics, and whether more is better. The length has no better; lighteval wants one named.
NAMES: Mapping[str, bool] = {
    "reward": True,
    "win_rate": True,
    _CONTROLLED: True,
    "response_length": True,
    "empty": False,
}
_COMPARING = ("win_rate", _CONTROLLED)


class JudgedMetric(SampleLevelComputation):  # type: ignore[misc, unused-ignore]
    """One metric of judged answers; all metrics of a task share the judgements."""

    def __init__(self, name: str, answers: TaskJudging) -> None:
        """Names the metric.

        Args:
            name: The metric.
            answers: The judgements of the task.
        """
        self.name, self._answers = name, answers

    def __str__(self) -> str:
        """Only the metric's name: lighteval caches answers by the printed task."""
        return f"{self.name} of judged answers"

    def compute(  # type: ignore[override, unused-ignore]
        self, docs: Sequence[Doc], responses: Sequence[ModelResponse], **_: Any
    ) -> list[Any]:
        """The metric of each sample; None if the judge abstained.

        Raises:
            AnswersNotJudgedError: The judge failed; the answers are kept in a file.
        """
        judged = self._answers.judged(docs, responses)
        for doc, one in zip(docs, judged, strict=True):
            # Into the saved details, as text: whatever a judge says has one type there.
            doc.specific = {**(doc.specific or {}), "judged": _written(one)}
        return [_value(self.name, one) for one in judged]


def judged_metrics(answers: TaskJudging, *, compares: bool) -> list[SampleLevelMetric]:
    """The metrics of a judged task.

    Args:
        answers: The judgements of the task.
        compares: Whether answers are compared with references.
    """
    return [
        SampleLevelMetric(
            metric_name=name,
            higher_is_better=is_better,
            category=SamplingMethod.GENERATIVE,
            sample_level_fn=JudgedMetric(name, answers),
            corpus_level_fn=_aggregation(name),
            batched_compute=True,
        )
        for name, is_better in NAMES.items()
        if compares or name not in _COMPARING
    ]


def _value(name: str, one: JudgedAnswer) -> Any:
    if name == "response_length":
        return len(one.answer)
    if name == "empty":
        return float(not one.answer.strip())
    if one.reference is None or one.reference_judgement is None:
        return None if name in _COMPARING else one.judgement.value
    found = answer_metrics(
        one.answer, one.judgement.value, one.reference, one.reference_judgement.value
    )
    value = found.get(name)
    return list(value) if isinstance(value, tuple) else value


def _aggregation(name: str) -> Callable[[Sequence[Any]], dict[str, float]]:
    """A metric over a task's samples, with its standard error.

    Both are returned in a mapping: lighteval's own standard error of a mean would count samples
    without a score as numbers, and it bootstraps all others.
    """

    def aggregate(values: Sequence[Any]) -> dict[str, float]:
        scored = [value for value in values if value is not None]
        if len(scored) < len(values):
            logger.warning(
                "%s: %d of %d samples are excluded because the judge gave no score.",
                name,
                len(values) - len(scored),
                len(values),
            )
        if not scored:
            return {name: math.nan}
        if name == _CONTROLLED:
            return {name: length_controlled_win_rate(*map(list, zip(*scored, strict=True)))}
        mean, error = mean_with_error(scored)
        return {name: mean} if error is None else {name: mean, f"{name}_stderr": error}

    aggregate.__name__ = f"{name}_of_scored"
    return aggregate


def _written(one: JudgedAnswer) -> str:
    said = {"answer": {"reward": one.judgement.value, **one.judgement.told()}}
    if one.reference_judgement is not None:
        said["reference"] = {
            "reward": one.reference_judgement.value,
            **one.reference_judgement.told(),
        }
    return json.dumps(said, ensure_ascii=False, default=str)

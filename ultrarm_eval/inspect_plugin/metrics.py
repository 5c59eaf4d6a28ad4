"""Metrics that inspect_ai lacks: by category, and length-controlled."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import fmean

from inspect_ai.scorer import Metric, SampleScore, Value, mean, metric, stderr

from ultrarm_eval.metrics.win_rate import length_controlled_win_rate

#: Keys of a sample's metadata: what its prompt is, and what it belongs to.
PROMPT, CATEGORY = "prompt_id", "category"
#: The key of a score's metadata with the answer's length less the reference's, in characters.
LENGTH_DIFFERENCE = "length_difference"


@metric(scores="unreduced")  # type: ignore[untyped-decorator, unused-ignore]
def length_controlled() -> Metric:
    """The length-controlled win rate; see `length_controlled_win_rate`.

    A sample counts once, with the means of its epochs.
    """

    def pooled(scores: list[SampleScore]) -> float:
        samples: dict[str, list[tuple[float, float]]] = {}
        for one in scores:
            length = (one.score.metadata or {})[LENGTH_DIFFERENCE]
            samples.setdefault(str(one.sample_id), []).append((one.score.as_float(), length))
        if not samples:
            return math.nan
        return length_controlled_win_rate(
            [fmean(credit for credit, _ in epochs) for epochs in samples.values()],
            [fmean(length for _, length in epochs) for epochs in samples.values()],
        )

    return pooled


@metric  # type: ignore[untyped-decorator, unused-ignore]
def by_category() -> Metric:
    """The mean of each category in the samples' metadata; empty if there are none."""

    def grouped(scores: list[SampleScore]) -> Value:
        return _by_category(scores, mean())

    return grouped


@metric  # type: ignore[untyped-decorator, unused-ignore]
def stderr_by_category() -> Metric:
    """The standard error of each category's mean, clustered by prompt.

    It is NaN for a category with a single prompt.
    """
    clustered = stderr(cluster=PROMPT)

    def error(scores: list[SampleScore]) -> float:
        prompts = {(one.sample_metadata or {}).get(PROMPT) for one in scores}
        return float(clustered(scores)) if len(prompts) > 1 else math.nan

    def grouped(scores: list[SampleScore]) -> Value:
        return _by_category(scores, error)

    return grouped


def _by_category(scores: list[SampleScore], figure: Callable[[list[SampleScore]], Value]) -> Value:
    members: dict[str, list[SampleScore]] = {}
    for one in scores:
        category = (one.sample_metadata or {}).get(CATEGORY)
        if category is not None:
            members.setdefault(str(category), []).append(one)
    return {category: figure(of_category) for category, of_category in members.items()}

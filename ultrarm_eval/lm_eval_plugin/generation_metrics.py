"""The metrics `reward` and `win_rate` of generation tasks."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

# The harness fills its registry of metrics on this import, and only while it is empty.
import lm_eval.api.metrics  # noqa: F401
from lm_eval.api.registry import register_metric

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.lm_eval_plugin.document_values import uncompensated, uncompensated_value
from ultrarm_eval.lm_eval_plugin.harness_features import tasks_have_scorers
from ultrarm_eval.lm_eval_plugin.harness_values import ScoredText
from ultrarm_eval.metrics.win_rate import win_credit

__all__ = ["process_results", "reward", "win_rate"]

_Metric = TypeVar("_Metric", bound=Callable[..., Any])
_LIST_TARGETS = (
    "The metric 'reward' cannot be used in a task whose target is a list (or is picked from "
    "doc_to_choice): lm-eval would turn every reward into 1.0. Write a file rewards.py beside "
    "the task's YAML with the line 'from ultrarm_eval.lm_eval_plugin.generation_metrics import "
    "process_results', and add to the YAML: process_results: !function rewards.process_results"
)
_NO_REWARD = (
    "The metric 'reward' found an answer without a reward. Make the filter 'reward' or "
    "'best_of_n' the last of its list: a filter after it keeps only the text."
)
_NO_REFERENCE = (
    "The metric 'win_rate' found no scored reference answer. Name the column of the reference "
    "answer in the filter, for example function: reward, reference: answer."
)


def _registered(name: str) -> Callable[[_Metric], _Metric]:
    about: dict[str, Any] = {"metric": name, "higher_is_better": True}
    about |= {"aggregation": "mean", "output_type": "generate_until"}
    if tasks_have_scorers():
        from ultrarm_eval.lm_eval_plugin import reductions  # noqa: F401

        about["reduction"] = "mean"
    found: Callable[[_Metric], _Metric] = register_metric(**about)
    return found


@_registered("reward")
def reward(references: Sequence[Any], predictions: Sequence[Any], **_: Any) -> Any:
    """The reward of an answer that the filter `reward` has scored.

    Args:
        references: The target; before lm-eval 0.5 cast to the type of the answer.
        predictions: The answer; since 0.5 possibly several.

    Returns:
        The reward; since 0.5 a list with the reward of each answer.

    Raises:
        ConfigurationError: The answer has no reward, or, before 0.5, the target is a list.
    """
    return _of_answers(reward_of, references, predictions)


@_registered("win_rate")
def win_rate(references: Sequence[Any], predictions: Sequence[Any], **_: Any) -> Any:
    """Whether an answer beats the reference that its filter has scored: 1, 0.5 for a tie, or 0.

    For a text that represents several answers, the mean.

    Args:
        references: As for `reward`.
        predictions: As for `reward`.

    Returns:
        As `reward`.

    Raises:
        ConfigurationError: The answer or its reference has no reward, or, before 0.5, the target is
            a list.
    """
    return _of_answers(_win_of, references, predictions)


def _of_answers(
    value: Callable[[Any], float], references: Sequence[Any], predictions: Sequence[Any]
) -> float | list[float]:
    if tasks_have_scorers():
        return [uncompensated_value(value(answer)) for answer in predictions]
    found = value(predictions[0])
    if not isinstance(references[0], ScoredText):
        raise ConfigurationError(_LIST_TARGETS)
    return uncompensated_value(found)  # type: ignore[no-any-return]


def process_results(document: Any, results: Sequence[Any]) -> dict[str, float]:
    """Returns the reward, and the win if there is a reference, for tasks with list targets.

    Args:
        document: The document.
        results: What the filters returned.
    """
    found = {"reward": reward_of(results[0])}
    if results[0].reference is not None:
        found["win_rate"] = _win_of(results[0])
    return uncompensated(found)


def _win_of(answer: Any) -> float:
    reward_of(answer)
    reference = answer.reference
    if reference is None or reference.reward is None:
        raise ConfigurationError(_NO_REFERENCE)
    counted = (answer,) if answer.is_pick else answer.answers
    wins = [win_credit(reward_of(one), reference.reward) for one in counted]
    return statistics.fmean(wins)


def reward_of(answer: Any) -> float:
    """The reward of a scored answer.

    Raises:
        ConfigurationError: It has none.
    """
    if not isinstance(answer, ScoredText) or answer.reward is None:
        raise ConfigurationError(_NO_REWARD)
    return answer.reward

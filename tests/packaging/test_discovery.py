"""The harness's own Python API finds installed models and tasks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.packaging.conftest import declared_tasks

MODELS = """
import json, sys
from lm_eval.api.registry import get_model
names = ["hf", "dummy", "ultrarm", "reward-model", "third-party"]
print(json.dumps({name: get_model(name).__module__ for name in names}))
"""

GENERATIONS = """
import json, lm_eval.filters
from lm_eval.api import registry
filters = ["reward", "best_of_n", "third-party-filter", "lowercase", "take_first"]
metrics = ["reward", "win_rate", "third-party-metric", "exact_match"]


def metric(name):
    if not hasattr(registry, "get_metric"):  # from lm-eval 0.5 on an object that has them
        found = registry.metric_registry.get(name)
        return [found.fn.__module__, found.aggregation.__module__, found.higher_is_better]
    return [
        registry.get_metric(name).__module__,
        registry.get_metric_aggregation(name).__module__,
        registry.is_higher_better(name),
    ]


print(json.dumps([
    {name: registry.get_filter(name).__module__ for name in filters},
    {name: metric(name) for name in metrics},
]))
"""

TASKS = """
import json
from lm_eval.tasks import TaskManager
manager = TaskManager(include_defaults=False)
print(json.dumps([manager.all_tasks, manager.include_path]))
"""

EVALUATED = """
import json, lm_eval
from lm_eval.tasks import TaskManager
results = lm_eval.simple_evaluate(
    model="third-party", tasks=["third_party_task"],
    task_manager=TaskManager(include_defaults=False), bootstrap_iters=0,
)
print(json.dumps(results["results"]["third_party_task"]["acc,none"]))
"""


def test_get_model_finds_built_in_ours_and_third_party_models(either_environment: Any) -> None:
    assert either_environment.probe(MODELS).value == {
        "hf": "lm_eval.models.huggingface",
        "dummy": "lm_eval.models.dummy",
        "ultrarm": "ultrarm_eval.lm_eval_plugin.reward_lm",
        "reward-model": "ultrarm_eval.lm_eval_plugin.reward_lm",
        "third-party": "tests_third_party.models",
    }


def test_filters_metrics_and_aggregations_are_found(either_environment: Any) -> None:
    filters, metrics = either_environment.probe(GENERATIONS).value
    assert filters == {
        "reward": "ultrarm_eval.lm_eval_plugin.reward_filters",
        "best_of_n": "ultrarm_eval.lm_eval_plugin.reward_filters",
        "third-party-filter": "tests_third_party.generations",
        # The built-in one wins.
        "lowercase": "lm_eval.filters.transformation",
        "take_first": "lm_eval.filters.selection",
    }
    # A package of several modules from lm-eval 0.5 on.
    made = {name: [*map(_top, of[:2]), of[2]] for name, of in metrics.items()}
    assert made == {
        "reward": ["ultrarm_eval", "lm_eval", True],
        "win_rate": ["ultrarm_eval", "lm_eval", True],
        "third-party-metric": ["tests_third_party", "tests_third_party", False],
        "exact_match": ["lm_eval", "lm_eval", True],
    }


def _top(module: str) -> str:
    return module.partition(".")[0]


def test_task_manager_finds_our_and_third_party_tasks(either_environment: Any) -> None:
    tasks, include_path = either_environment.probe(TASKS).value

    assert tasks == declared_tasks()
    assert {"ultrafeedback_pairs", "rewardbench", "rewardbench_math_prm", "llmbar"} <= set(tasks)
    assert include_path is None


@pytest.mark.slow
def test_simple_evaluate_runs_a_third_party_model_on_its_task(environment: Any) -> None:
    # The model prefers the shorter of two choices, which is right once in two.
    assert environment.probe(EVALUATED).value == 0.5


def test_nothing_is_found_without_our_package(
    make_environment: Any, third_party_wheel: Any
) -> None:
    bare = make_environment(third_party_wheel)

    assert bare.probe(TASKS).value == [[], None]

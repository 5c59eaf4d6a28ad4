"""The harness's fixtures, and judges whose rewards a test can compute by itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.harness_lines import by_task
from tests.lm_eval_plugin.conftest import (
    _restored_registries,
    _task_files_read_once,
    model_of,
    run,
)

__all__ = ["_restored_registries", "_task_files_read_once", "model_of", "run", "evaluate"]

Reward = Callable[[str], float]


def random_reward(seed: int, values: int, bonus: float = 0) -> Reward:
    """Rewards by the completion, of so many values that are no binary fractions.

    Args:
        seed: Says which.
        values: How many different ones there are; few make ties.
        bonus: What answers have that are called right.
    """

    def reward(text: str) -> float:
        digest = hashlib.sha256(f"{seed} {text.strip()}".encode()).digest()
        lucky = bonus if text.strip().startswith("chosen") else 0
        return (int.from_bytes(digest[:8], "big") % values) / 7 - 1.3 + lucky

    return reward


def figures_of(results: Mapping[str, Any], task: str) -> dict[str, Any]:
    """What a task's row of the results says, by the figure's name."""
    row = results["results"][task]
    return {name.removesuffix(",none"): row[name] for name in row if name.endswith(",none")}


def assert_figures(results: Mapping[str, Any], task: str, expected: Mapping[str, Any]) -> None:
    """Every figure is as expected, and there is no other one; errors not named are N/A."""
    found = figures_of(results, task)
    wanted = dict(expected)
    for name in expected:
        if not name.endswith("_stderr"):
            wanted.setdefault(f"{name}_stderr", "N/A")
    assert sorted(found) == sorted(wanted)
    for name, value in wanted.items():
        exact = value if isinstance(value, str) else pytest.approx(value, rel=0, abs=1e-9)
        assert found[name] == exact, (task, name)


@pytest.fixture(autouse=True)
def _without_a_list_of_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness asks pip for it after each run, which takes most of the time here."""
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)


@pytest.fixture
def evaluate(run: Any, model_of: Any) -> Any:
    """Evaluates a judge that gives rewards by the completion alone."""

    def evaluate_tasks(reward: Reward, tasks: Any, data: Path, **metadata: Any) -> dict[str, Any]:
        names = [tasks] if isinstance(tasks, str) else list(tasks)
        judge = model_of(lambda _, completion: reward(completion))
        results: dict[str, Any] = run(judge, names, {"data": str(data), **metadata})
        # Groups hold the same tasks whatever the harness calls them.
        sections = ("results", "configs", "samples")
        return {**results, **{name: by_task(results[name]) for name in sections}}

    return evaluate_tasks

"""A broken entry point of anyone is named, once, and left out."""

from __future__ import annotations

from typing import Any

import pytest

PACKAGE = "tests-third-party 1.2.3"
RUN = """
import json
from lm_eval.api.registry import get_model, model_registry
from lm_eval.tasks import TaskManager
get_model("dummy")
TaskManager(include_defaults=False)
manager = TaskManager(include_defaults=False)
print(json.dumps(["third-party-broken" in model_registry, "third-party" in model_registry,
                  "third_party_task" in manager.all_tasks]))
"""


@pytest.fixture(scope="module")
def outcome(environment: Any) -> Any:
    return environment.probe(RUN)


def test_others_are_loaded(outcome: Any) -> None:
    assert outcome.value == [False, True, True]


@pytest.mark.parametrize(
    "message",
    [
        f"Model 'third-party-broken' of {PACKAGE} is skipped: "
        "there is no module 'tests_third_party.no_such_module'.",
        f"Model 'hf' of {PACKAGE} is skipped: lm-eval already has a model of that name.",
        f"Filter 'lowercase' of {PACKAGE} is skipped: lm-eval already has a filter of that name.",
        f"Tasks 'third-party-tasks-broken' of {PACKAGE} are skipped: "
        "there is no module 'tests_third_party.no_such_tasks'.",
    ],
)
def test_broken_entry_point_is_named_once(outcome: Any, message: str) -> None:
    assert outcome.stderr.count(message) == 1


def test_nothing_else_is_said(outcome: Any) -> None:
    # In particular a folder that two entry points name is scanned once, without duplicates.
    assert len(outcome.stderr.splitlines()) == 4


def test_our_table_shows_all_of_them(environment: Any) -> None:
    listed = environment.run("-m", "ultrarm_eval.cli", "plugins")

    assert listed.returncode == 0, listed.stderr
    rows = {" ".join(line.split()[:2]): line for line in listed.stdout.splitlines() if line}
    assert "skipped: there is no module" in rows["model third-party-broken"]
    assert "name taken by a built-in model" in rows["model hf"]
    assert "through ultrarm-eval" in rows["model third-party"]
    assert "name taken by a built-in filter" in rows["filter lowercase"]
    assert "through ultrarm-eval" in rows["filter third-party-filter"]
    assert "through ultrarm-eval" in rows["metric reward"]
    assert "through ultrarm-eval" in rows["aggregation third-party-aggregation"]
    assert "there is no module" in rows["tasks third-party-tasks-broken"]
    assert PACKAGE in rows["judge length"]
    assert "Plugin 'third-party-raising' of tests-third-party is skipped" in listed.stderr
    # What a plugin registered before it failed is left out with it.
    assert "Plugin 'third-party-halfway' is skipped" in listed.stderr
    assert "judge halfway" not in rows

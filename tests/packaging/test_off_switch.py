"""One variable switches the connection to the harness off."""

from __future__ import annotations

from typing import Any

import pytest

STATE = """
import json, sys
import lm_eval.models
from lm_eval.api.registry import model_registry
print(json.dumps(["ultrarm" in model_registry, "hf" in model_registry,
                  any(name.startswith("ultrarm_eval") for name in sys.modules)]))
"""


@pytest.mark.parametrize("value", ["0", "off", "OFF", " no ", "false"])
def test_harness_is_left_alone(environment: Any, value: str) -> None:
    found = environment.probe(STATE, ULTRARM_EVAL_BRIDGE=value)

    assert found.value == [False, True, False]
    assert found.stderr == ""


@pytest.mark.parametrize("value", ["", "1", "on"])
def test_harness_is_connected_otherwise(environment: Any, value: str) -> None:
    assert environment.probe(STATE, ULTRARM_EVAL_BRIDGE=value).value == [True, True, True]


def test_a_program_can_switch_it_off_before_it_imports_the_harness(environment: Any) -> None:
    found = environment.probe(f"import os; os.environ['ULTRARM_EVAL_BRIDGE'] = '0'\n{STATE}")

    assert found.value == [False, True, False]


def test_tasks_are_not_found_either(environment: Any) -> None:
    found = environment.probe(
        "import json; from lm_eval.tasks import TaskManager;"
        "print(json.dumps(TaskManager(include_defaults=False).all_tasks))",
        ULTRARM_EVAL_BRIDGE="0",
    )

    assert found.value == []

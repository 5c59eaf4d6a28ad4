"""Built-in tasks come first, then plugins', then those of --include_path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

WHERE = """
import json, sys
from lm_eval.tasks import TaskManager
given = json.loads(sys.argv[1])
manager = TaskManager(include_path=given, include_defaults=False)
paths = {}
for name in ("third_party_task", "ultrafeedback_pairs"):
    entry = manager.task_index[name]
    paths[name] = str(entry["yaml_path"] if isinstance(entry, dict) else entry.yaml_path)
print(json.dumps([paths, manager.include_path == given]))
"""
BUILT_IN = """
import json, pathlib, sys
from unittest import mock
import lm_eval.tasks as tasks
module = sys.modules[tasks.TaskManager.__module__]
module.__file__ = sys.argv[1] + "/__init__.py"
entry = tasks.TaskManager().task_index["third_party_task"]
print(json.dumps(str(entry["yaml_path"] if isinstance(entry, dict) else entry.yaml_path)))
"""
YAML = "task: third_party_task\ndataset_path: none\noutput_type: multiple_choice\n"


@pytest.mark.parametrize("form", ["text", "list"])
def test_include_path_wins_over_plugins(environment: Any, tmp_path: Path, form: str) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(YAML)
    given = f'"{tmp_path}"' if form == "text" else f'["{tmp_path}"]'

    paths, unchanged = environment.probe(WHERE, given).value

    assert paths["third_party_task"] == str(own)
    assert Path(paths["ultrafeedback_pairs"]).parent == (
        environment.site_packages / "ultrarm_eval" / "tasks"
    )
    assert unchanged


def test_plugins_win_over_built_in_tasks(environment: Any, tmp_path: Path) -> None:
    (tmp_path / "built_in.yaml").write_text(YAML)

    found = environment.probe(BUILT_IN, tmp_path)

    assert Path(found.value) == (
        environment.site_packages / "tests_third_party" / "tasks" / "third_party_task.yaml"
    )

"""The stock command finds our tasks, judges and third parties' plugins."""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path
from typing import Any

import pytest

STOCK_COMMAND = Path(sysconfig.get_path("scripts")) / "lm_eval"

pytestmark = pytest.mark.slow


def test_ls_tasks_lists_ours_and_the_third_partys(environment: Any) -> None:
    if not STOCK_COMMAND.is_file():
        pytest.skip("lm_eval is installed without its command")

    listed = environment.run(STOCK_COMMAND, "ls", "tasks")

    assert listed.returncode == 0, listed.stderr
    first_columns = {
        line.split("|")[1].strip() for line in listed.stdout.splitlines() if "|" in line
    }
    assert {"ultrafeedback_pairs", "third_party_task", "hellaswag"} <= first_columns


def test_third_party_judge_and_pair_source_serve_the_module_command(
    editable_environment: Any, tmp_path: Path
) -> None:
    finished = editable_environment.run(
        *("-m", "lm_eval", "--model", "reward-model", "--model_args", "judge=length"),
        *("--tasks", "ultrafeedback_pairs", "--metadata", '{"data": "third-party-pairs"}'),
        *("--output_path", tmp_path),
    )

    assert finished.returncode == 0, finished.stderr
    (written,) = tmp_path.rglob("results_*.json")
    results = json.loads(written.read_text())
    # The longer answer is the better one in two of the three pairs.
    assert results["results"]["ultrafeedback_pairs"]["acc,none"] == pytest.approx(2 / 3)
    assert results["config"]["judge"] == "length"
    assert "Plugin 'third-party-raising' of tests-third-party is skipped: RuntimeError" in (
        finished.stderr
    )

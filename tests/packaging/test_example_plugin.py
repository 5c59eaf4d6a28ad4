"""The example of docs/plugins.md: really installed, and used by the stock command."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import write_jsonl

EXAMPLE = Path(__file__).parents[1] / "fixtures" / "example_plugin"
# Written like the example's, in a file of one's own.
ROWS = [
    {"question": "is the sky blue", "answers": ["the sky is blue", "yes"], "votes": [1, 2]},
    {"question": 7, "answers": [], "votes": []},
]


@pytest.fixture(scope="module")
def installed(
    make_environment: Callable[..., Any],
    build: Callable[[str, Path], Path],
    wheel: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    source = tmp_path_factory.mktemp("example") / "source"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__"))
    return make_environment(wheel, build("build_wheel", source))


def evaluated(environment: Any, tmp_path: Path, judge: str, data: str) -> dict[str, Any]:
    finished = environment.run(
        *("-m", "lm_eval", "--model", "reward-model", "--model_args", f"judge={judge}"),
        *("--tasks", "ultrafeedback_pairs", "--metadata", json.dumps({"data": data})),
        *("--output_path", tmp_path / "out"),
    )
    assert finished.returncode == 0, finished.stderr
    (written,) = (tmp_path / "out").rglob("results_*.json")
    results: dict[str, Any] = json.loads(written.read_text())
    return results


@pytest.mark.slow
def test_judge_and_data_work_by_name(installed: Any, tmp_path: Path) -> None:
    results = evaluated(installed, tmp_path, "overlap,penalty=0.01", "answered-questions")
    figures = results["results"]["ultrafeedback_pairs"]
    # Rewards 0.54, -0.02, 0.16 against 12, 0, 3 votes, and -0.01, 0.51 against 5, 9.
    assert figures["acc,none"] == 1.0
    assert results["config"]["judge"] == "overlap"
    assert results["config"]["penalty"] == 0.01
    assert results["configs"]["ultrafeedback_pairs"]["metadata"]["preference"] == "votes"


@pytest.mark.slow
def test_a_file_of_that_form_is_recognised(installed: Any, tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "mine.jsonl", ROWS)
    results = evaluated(installed, tmp_path, "overlap", str(data))
    assert results["results"]["ultrafeedback_pairs"]["acc,none"] == 0.0
    counts = results["configs"]["ultrafeedback_pairs"]["metadata"]["counts"]
    assert counts["rows_left_out_question_not_text"] == 1


def test_the_example_is_listed(installed: Any) -> None:
    listed = installed.run("-m", "ultrarm_eval.cli", "plugins")
    assert listed.returncode == 0, listed.stderr
    for name in (
        "overlap",
        "two-scores",
        "answered-questions",
        "sums",
        "question-and-answer",
        "ultrarm-eval-example",
    ):
        assert name in listed.stdout


def test_a_setting_that_the_judge_lacks_is_named(installed: Any) -> None:
    finished = installed.run(
        *("-m", "lm_eval", "--model", "reward-model", "--model_args", "judge=overlap,penalti=1"),
        *("--tasks", "ultrafeedback_pairs_demo"),
    )
    assert "'penalti'. Did you mean 'penalty'" in finished.stderr

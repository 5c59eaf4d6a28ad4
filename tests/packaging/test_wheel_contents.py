"""The built wheel has everything that an installed package needs."""

from __future__ import annotations

import configparser
import zipfile
from pathlib import Path

import pytest

PTH = "ultrarm_eval_bridge.pth"
DECLARED = {
    "console_scripts": {"ultrarm-eval": "ultrarm_eval.cli:main"},
    "inspect_ai": {"ultrarm_eval": "ultrarm_eval.inspect_plugin"},
    "lm_eval.filters": {
        "best_of_n": "ultrarm_eval.lm_eval_plugin.reward_filters:BestOfNFilter",
        "reward": "ultrarm_eval.lm_eval_plugin.reward_filters:RewardFilter",
    },
    "lm_eval.metrics": {
        "reward": "ultrarm_eval.lm_eval_plugin.generation_metrics:reward",
        "win_rate": "ultrarm_eval.lm_eval_plugin.generation_metrics:win_rate",
    },
    "lm_eval.models": {
        "ultrarm": "ultrarm_eval.lm_eval_plugin.reward_lm:RewardModelLM",
        "reward-model": "ultrarm_eval.lm_eval_plugin.reward_lm:AnyRewardModelLM",
    },
    "lm_eval.reductions": {
        "best@k": "ultrarm_eval.lm_eval_plugin.reductions:best_at_k",
        "mean": "ultrarm_eval.lm_eval_plugin.reductions:mean_of_answers",
    },
    "lm_eval.scorers": {"reward": "ultrarm_eval.lm_eval_plugin.reward_scorer:RewardScorer"},
    "lm_eval.tasks": {"ultrarm_eval": "ultrarm_eval.tasks"},
    "vllm.general_plugins": {"ultrarm_eval": "ultrarm_eval.vllm_plugin:register"},
}


@pytest.fixture(scope="module")
def files(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_pth_file_stands_at_the_root_and_in_the_record(files: dict[str, bytes]) -> None:
    (record,) = [text for name, text in files.items() if name.endswith(".dist-info/RECORD")]

    assert files[PTH].startswith(b"import sys; ")
    # site runs the lines of a .pth file one by one.
    assert files[PTH].count(b"\n") == 1
    assert sum(line.startswith(PTH + ",sha256=") for line in record.decode().splitlines()) == 1


@pytest.mark.parametrize(
    "name",
    [
        "ultrarm_eval/py.typed",
        "ultrarm_eval/_startup.py",
        "ultrarm_eval/lm_eval_plugin/bridge/__init__.py",
        "ultrarm_eval/demo/ultrafeedback_demo.jsonl",
        "ultrarm_eval/tasks/__init__.py",
        "ultrarm_eval/tasks/pairwise.py",
        "ultrarm_eval/tasks/ultrafeedback_pairs.yaml",
        "ultrarm_eval/tasks/ultrafeedback_pairs_demo.yaml",
        "ultrarm_eval/tasks/ultrafeedback_binarized.yaml",
        "ultrarm_eval/tasks/ultrafeedback_by_source.yaml",
        "ultrarm_eval/tasks/ultrafeedback_flan.yaml",
        "ultrarm_eval/tasks/judging.py",
        "ultrarm_eval/tasks/ultrafeedback_judge.yaml",
        "ultrarm_eval/tasks/gsm8k_best_of_n.yaml",
    ],
)
def test_file_is_in_the_wheel(files: dict[str, bytes], name: str) -> None:
    assert name in files


def test_nothing_is_installed_beside_the_package(files: dict[str, bytes]) -> None:
    roots = {name.split("/")[0] for name in files if ".dist-info/" not in name}

    assert roots == {"ultrarm_eval", PTH}


def test_tests_and_what_makes_the_package_stay_out_of_the_wheel(files: dict[str, bytes]) -> None:
    parts = {part for name in files for part in name.split("/")}

    assert not parts & {"tests", "conftest.py", "scripts", "docs", "examples", "results"}
    # The benchmarks of reward models are a part of the package; the measurements are not.
    assert not [name for name in files if name.startswith("benchmarks/")]
    assert not [part for part in parts if part.startswith("test_")]


def test_every_module_is_in_the_wheel(files: dict[str, bytes], snapshot: Path) -> None:
    modules = {
        path.relative_to(snapshot).as_posix() for path in (snapshot / "ultrarm_eval").rglob("*.py")
    }

    assert modules - set(files) == set()


def test_every_task_file_is_in_the_wheel(files: dict[str, bytes], snapshot: Path) -> None:
    tasks = {
        f"ultrarm_eval/tasks/{path.relative_to(snapshot / 'tasks').as_posix()}"
        for path in (snapshot / "tasks").rglob("*")
        if path.is_file()
    }

    assert tasks - set(files) == set()


def test_entry_points_are_declared(files: dict[str, bytes]) -> None:
    (text,) = [text for name, text in files.items() if name.endswith("entry_points.txt")]
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.read_string(text.decode())

    assert {group: dict(parser[group]) for group in parser.sections()} == DECLARED

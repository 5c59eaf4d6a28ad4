"""When `--tasks` without `--model` means the judge."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lm_eval.tasks
import pytest

from ultrarm_eval.lm_eval_plugin.bridge import command_line, task_index
from ultrarm_eval.lm_eval_plugin.bridge.entry_points import package_folder

OURS = package_folder("ultrarm_eval.tasks")
BUILT_IN = {"hellaswag.yaml": "task: hellaswag\ndataset_path: none\n"}


@pytest.fixture(autouse=True)
def _only_our_tasks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A TaskManager that finds our tasks as in an installed package, and few built-in ones."""
    scans = lm_eval.tasks.TaskManager
    built_in = tmp_path / "built_in"
    _write(built_in, BUILT_IN)

    class SmallTaskManager(scans):  # type: ignore[misc, valid-type]
        def __init__(self, include_path: Any = None, include_defaults: bool = True) -> None:
            folders = [str(built_in)] if include_defaults else []
            if not connected:
                folders.append(str(OURS))
            folders += [str(include_path)] if include_path else []
            scans.__init__(self, include_path=folders, include_defaults=False)

    connected = getattr(scans, "_ultrarm_eval_connected", False)
    monkeypatch.setattr(lm_eval.tasks, "TaskManager", SmallTaskManager)
    monkeypatch.setattr(task_index, "plugin_task_folders", lambda: (OURS,))


@pytest.fixture
def model_of() -> Callable[..., str]:
    """The model that a command line ends up with."""

    class Config:
        @classmethod
        def from_cli(cls, namespace: argparse.Namespace) -> str:
            return getattr(namespace, "model", None) or "hf"

        def _process_arguments(self) -> None: ...

    command_line.connect_config(SimpleNamespace(EvaluatorConfig=Config))  # type: ignore[arg-type]

    def parse(tasks: Any, **options: Any) -> str:
        unset = dict.fromkeys(("model", "model_args", "config", "include_path"))
        return Config.from_cli(argparse.Namespace(tasks=tasks, **{**unset, **options}))

    return parse


def _write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.few(3)
@pytest.mark.parametrize(
    "tasks",
    [
        ["ultrafeedback_pairs"],
        "ultrafeedback_pairs",
        ["ultrafeedback_pairs", "ultrafeedback_binarized"],
        ["ultrafeedback_pairs,ultrafeedback_pairs_demo"],
        ["ultrafeedback_*"],
        ["ultrafeedback_pair?"],
        ["rewardbench"],
        ["llmbar", "rm_bench", "preference_pairs"],
    ],
)
def test_our_tasks_mean_the_judge(model_of: Callable[..., str], tasks: Any) -> None:
    assert model_of(tasks) == "ultrarm"


@pytest.mark.few(3)
@pytest.mark.parametrize(
    "tasks",
    [
        None,
        [],
        [""],
        ["hellaswag"],
        ["ultrafeedback_pairs", "hellaswag"],
        "ultrafeedback_pairs,hellaswag",
        ["ultrafeedback_pairs", "no_such_task"],
        ["ultrafeedback_pairs", "no_such_*"],
        ["*"],
        ["*a*"],
        ["ultrafeedback_pairs.yaml"],
    ],
)
def test_other_tasks_leave_the_harness_its_default(
    model_of: Callable[..., str], tasks: Any
) -> None:
    assert model_of(tasks) == "hf"


@pytest.mark.parametrize(
    ("option", "value", "model"),
    [
        ("model", "hf", "hf"),
        ("model", "vllm", "vllm"),
        ("model_args", {"pretrained": "gpt2"}, "hf"),
        ("model_args", "pretrained=gpt2", "hf"),
        ("config", "run.yaml", "hf"),
    ],
)
def test_what_is_given_is_kept(
    model_of: Callable[..., str], option: str, value: Any, model: str
) -> None:
    assert model_of(["ultrafeedback_pairs"], **{option: value}) == model


GROUPS = {
    "group.yaml": "group: own_group\ntask: [ultrafeedback_pairs, own_tag]\n",
    "overrides.yaml": "group: own_overrides\ntask: [{task: ultrafeedback_pairs, num_fewshot: 0}]\n",
    "nested.yaml": (
        "group: own_nested\ntask:\n  - own_group\n  - {group: inner, task: [ultrafeedback_pairs]}\n"
    ),
    "mixed.yaml": "group: own_mixed\ntask: [ultrafeedback_pairs, other_task]\n",
    "deep.yaml": "group: own_deep\ntask: [own_group, own_mixed]\n",
    "cycle.yaml": "group: own_cycle\ntask: [ultrafeedback_pairs, own_cycle]\n",
    "class.yaml": "group: own_class\ntask: [{task: ultrafeedback_pairs, class: x.Y}]\n",
    "empty.yaml": "group: own_empty\ntask: []\n",
    "other.yaml": "task: other_task\ntag: other_tag\ndataset_path: none\n",
}


@pytest.fixture
def include_path(tmp_path: Path) -> Path:
    # A tag on one of our tasks can only be put there by the file that has it.
    return _write(tmp_path / "included", GROUPS)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("own_overrides", "ultrarm"),
        ("own_mixed", "hf"),
        ("own_deep", "hf"),
        ("own_cycle", "hf"),
        ("own_class", "hf"),
        ("own_empty", "hf"),
        ("other_task", "hf"),
        ("other_tag", "hf"),
        ("own_*", "hf"),
    ],
)
def test_groups_of_the_include_path_are_resolved(
    model_of: Callable[..., str], include_path: Path, name: str, model: str
) -> None:
    assert model_of([name], include_path=str(include_path)) == model


@pytest.mark.parametrize("name", ["own_group", "own_nested", "own_tag"])
def test_tags_are_resolved(
    model_of: Callable[..., str],
    include_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    tasks = _write(tmp_path / "tagged", {})
    for file in OURS.glob("*.yaml"):
        (tasks / file.name).write_text(file.read_text() + "tag: [own_tag]\n")
    monkeypatch.setattr(
        "ultrarm_eval.lm_eval_plugin.bridge.task_index.package_folder", lambda _: tasks
    )
    monkeypatch.setattr(task_index, "plugin_task_folders", lambda: (tasks,))
    monkeypatch.setitem(globals(), "OURS", tasks)

    assert model_of([name], include_path=str(include_path)) == "ultrarm"


def test_a_task_of_that_name_in_the_include_path_is_not_ours(
    model_of: Callable[..., str], tmp_path: Path
) -> None:
    folder = _write(
        tmp_path / "own", {"own.yaml": "task: ultrafeedback_pairs\ndataset_path: none\n"}
    )

    assert model_of(["ultrafeedback_pairs"], include_path=str(folder)) == "hf"
    assert model_of(["ultrafeedback_binarized"], include_path=str(folder)) == "ultrarm"
    assert model_of(["ultrafeedback_*"], include_path=str(folder)) == "hf"


def test_unreadable_files_leave_the_harness_its_default(
    model_of: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(**_: Any) -> None:
        raise ValueError("no YAML")

    monkeypatch.setattr(lm_eval.tasks, "TaskManager", broken)

    assert model_of(["ultrafeedback_pairs"]) == "hf"
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_a_harness_whose_index_has_another_form_is_said(
    model_of: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class WithoutIndex:
        def __init__(self, **_: Any) -> None: ...

        def match_tasks(self, names: list[str]) -> list[str]:
            return names

    monkeypatch.setattr(lm_eval.tasks, "TaskManager", WithoutIndex)

    assert model_of(["ultrafeedback_pairs", "rewardbench"]) == "hf"
    (said,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert (
        "Could not determine whether ultrafeedback_pairs, rewardbench are tasks for a judge" in said
    )
    assert "AttributeError: 'WithoutIndex' object has no attribute '_task_index'" in said
    assert "--model ultrarm" in said


def test_the_given_namespace_is_not_changed(model_of: Callable[..., str]) -> None:
    seen: list[argparse.Namespace] = []

    class Config:
        @classmethod
        def from_cli(cls, namespace: argparse.Namespace) -> None:
            seen.append(namespace)

        def _process_arguments(self) -> None: ...

    command_line.connect_config(SimpleNamespace(EvaluatorConfig=Config))  # type: ignore[arg-type]
    given = argparse.Namespace(tasks=["ultrafeedback_pairs"], model=None, limit=5)
    Config.from_cli(given)

    assert (given.model, seen[0].model, seen[0].limit) == (None, "ultrarm", 5)

"""Entry points are judged without running the code they point to."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from ultrarm_eval.lm_eval_plugin.bridge import entry_points, task_index
from ultrarm_eval.lm_eval_plugin.bridge.entry_points import (
    MODELS_GROUP,
    TASKS_GROUP,
    find_entry_points,
    package_folder,
)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that must not be imported."""
    folder = tmp_path / "bridge_test_package"
    (folder / "tasks").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    # No __init__.py: task files need none.
    (folder / "tasks" / "inside.py").write_text("raise RuntimeError('imported')")
    (folder / "models.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def _declare(monkeypatch: pytest.MonkeyPatch, group: str, **values: str) -> None:
    declared = [EntryPoint(name, value, group) for name, value in values.items()]
    monkeypatch.setattr(entry_points.importlib.metadata, "entry_points", lambda *, group: declared)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("bridge_test_package.models:Model", None),
        ("bridge_test_package.models : Model [extra]", None),
        ("bridge_test_package:Model", None),
        ("json:loads", None),
        ("bridge_test_package.tasks:Model", None),
        ("bridge_test_package.tasks.inside:Model", None),
        ("bridge_test_package.models", "is not of the form 'module:object'"),
        ("bridge_test_package.missing:Model", "no module 'bridge_test_package.missing'"),
        ("bridge_test_package.models.deeper:M", "no module 'bridge_test_package.models.deeper'"),
        ("no_such_package:Model", "no module 'no_such_package'"),
        (":Model", "does not name a module"),
        (".models:Model", "does not name a module"),
        ("a-b:Model", "does not name a module"),
    ],
)
def test_model_is_judged_by_its_value(
    package: Path, monkeypatch: pytest.MonkeyPatch, value: str, problem: str | None
) -> None:
    _declare(monkeypatch, MODELS_GROUP, model=value)

    (found,) = find_entry_points(MODELS_GROUP)

    assert (found.problem is None) if problem is None else (problem in str(found.problem))
    assert "bridge_test_package" not in sys.modules


def test_an_import_hook_that_fails_is_a_problem_of_that_entry_point(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Failing:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> None:
            if name == "bridge_test_hooked":
                raise ValueError("no luck")

    monkeypatch.setattr(sys, "meta_path", [Failing, *sys.meta_path])
    _declare(monkeypatch, MODELS_GROUP, one="bridge_test_hooked:M", two="json:loads")

    assert [found.problem for found in find_entry_points(MODELS_GROUP)] == [
        "ValueError: no luck",
        None,
    ]


def test_first_of_two_entry_points_with_one_name_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = [EntryPoint("twice", value, MODELS_GROUP) for value in ("json:loads", "json:dumps")]
    monkeypatch.setattr(entry_points.importlib.metadata, "entry_points", lambda *, group: declared)

    first, second = find_entry_points(MODELS_GROUP)

    assert (first.placeholder, first.problem) == ("json:loads", None)
    assert second.problem == "unknown package already declares this name"


def test_package_folder_of_a_module_is_an_error() -> None:
    with pytest.raises(ImportError, match="'base64' is not an importable package"):
        package_folder("base64")


def test_task_folders_are_found_once_and_broken_ones_named(
    package: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (package / "__init__.py").write_text("")
    _declare(
        monkeypatch,
        TASKS_GROUP,
        good="bridge_test_package.tasks",
        again="bridge_test_package.tasks",
        module="bridge_test_package.models",
        missing="bridge_test_package.missing",
    )
    said: list[str] = []
    monkeypatch.setattr(
        task_index.logger, "warning", lambda text, *values: said.append(text % values)
    )
    find = task_index.plugin_task_folders.__wrapped__

    folders = find()

    assert said == [
        "Tasks 'module' of unknown package are skipped: "
        "ImportError: 'bridge_test_package.models' is not an importable package.",
        "Tasks 'missing' of unknown package are skipped: "
        "there is no module 'bridge_test_package.missing'.",
    ]
    assert folders == (package / "tasks",)
    sys.modules.pop("bridge_test_package", None)

"""Something else that is called lm_eval, and a harness that is too old, are said by name."""

import os
import subprocess
import sys

import pytest

from ultrarm_eval.lm_eval_plugin.bridge import harness_check

ITS = ("api/__init__", "api/registry", "api/task", "evaluator", "tasks/__init__", "models")
OF_OLDEST = ("_cli/__init__", "config/__init__", "config/evaluate_config")


def package(folder, modules):
    """A package lm_eval with empty modules."""
    for name in ("__init__", *modules):
        path = folder / "lm_eval" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return folder


def python(folder, *arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ((), "at {place} is not lm-evaluation-harness: it has no lm_eval.api.registry"),
        (
            ("models", "tasks/__init__", "evaluator"),
            "at {place} is not lm-evaluation-harness: it has no lm_eval.api.registry",
        ),
        (ITS[:2], "at {place} is not lm-evaluation-harness: it has no lm_eval.api.task"),
        (ITS, "at {place} is older than 0.4.10"),
        ((*ITS, *OF_OLDEST), "lm-eval cannot be imported: lm_eval.filters: "),
    ],
)
def test_plugins_says_what_it_is(tmp_path, modules, said):
    folder = package(tmp_path, modules)
    finished = python(folder, "-m", "ultrarm_eval.cli", "plugins")
    assert finished.returncode == 2
    assert said.format(place=folder / "lm_eval" / "__init__.py") in finished.stderr
    assert "Traceback" not in finished.stderr
    assert finished.stdout == ""


def test_a_single_file_of_that_name_is_none(tmp_path):
    (tmp_path / "lm_eval.py").write_text("")
    finished = python(tmp_path, "-m", "ultrarm_eval.cli", "plugins")
    assert finished.returncode == 2
    assert (
        "lm_eval.py is not lm-evaluation-harness: it has no lm_eval.api.registry" in finished.stderr
    )


def test_the_bridge_says_so_once_and_the_program_goes_on(tmp_path):
    folder = package(tmp_path, ("models", "tasks/__init__", "evaluator", "filters"))
    finished = python(
        folder, "-c", "import lm_eval.models, lm_eval.tasks, lm_eval.evaluator, lm_eval.filters"
    )
    assert finished.returncode == 0
    (line,) = finished.stderr.splitlines()
    place = folder / "lm_eval" / "__init__.py"
    assert line.startswith(
        f"ultrarm-eval is disabled: the package lm_eval at {place} is not lm-evaluation-harness: "
    )


@pytest.mark.parametrize(
    ("version", "is_old"),
    [("0.4.9", True), ("0.3", True), ("0.4.9.2", True), ("0.4.10", False), ("0.5.0.dev1", False)],
)
def test_a_version_that_is_too_old_is_named(monkeypatch, version, is_old):
    monkeypatch.setattr(harness_check.importlib.metadata, "version", lambda _: version)
    problem = harness_check.harness_problem()
    assert (problem is not None) is is_old
    if is_old:
        assert f"lm-evaluation-harness {version} at " in problem


def test_a_clone_that_is_not_installed_is_the_harness(monkeypatch):
    def missing(name):
        raise harness_check.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(harness_check.importlib.metadata, "version", missing)
    assert harness_check.harness_problem() is None


def test_none_at_all_is_said(monkeypatch):
    monkeypatch.setattr(harness_check.importlib.util, "find_spec", lambda _: None)
    assert "is not installed" in harness_check.harness_problem()

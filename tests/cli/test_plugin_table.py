"""What `ultrarm-eval plugins` says of judges, without importing those that come along."""

import json
import os
import subprocess
import sys

import pytest

from ultrarm_eval.cli import plugin_table
from ultrarm_eval.plugins import OWN_PLUGIN, Registration, registry

LISTED = """
import json, sys
from ultrarm_eval.cli import main
main(["plugins"])
print(json.dumps(sorted({"torch", "transformers", "scipy"} & sys.modules.keys())))
"""


@pytest.fixture
def problem_of(monkeypatch):
    """The state of a judge, by its factory and its plugin."""

    def state(factory, plugin=OWN_PLUGIN):
        monkeypatch.setitem(registry().judges, "tried", Registration(factory, plugin))
        return plugin_table._factory_problem("tried", plugin_table._missing_library())

    return state


@pytest.mark.slow
def test_plugins_lists_everything_without_torch():
    run = subprocess.run([sys.executable, "-c", LISTED], capture_output=True, text=True, check=True)
    *table, loaded = run.stdout.splitlines()
    assert json.loads(loaded) == []
    shown = [line.split() for line in table if line.startswith("judge ")]
    assert [line[1] for line in shown] == list(registry().judges)
    assert {line[-1] for line in shown} == {"ok"}


@pytest.mark.parametrize("judge", registry().judges)
def test_every_judge_that_comes_along_is_where_it_is_looked_for(judge):
    assert plugin_table._factory_problem(judge, None) is None
    assert callable(registry().judge(judge))


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("ultrarm_eval.judges.nothing:X", "No module named 'ultrarm_eval.judges.nothing'"),
        ("ultrarm_eval.judges.ultrarm:Nothing", "cannot import name 'Nothing'"),
    ],
)
def test_one_that_is_not_there_is_broken(problem_of, factory, said):
    assert problem_of(factory).startswith("broken: ")
    assert said in problem_of(factory)


@pytest.mark.parametrize("library", ["torch", "transformers"])
def test_a_library_that_is_missing_breaks_them(problem_of, monkeypatch, library):
    found = plugin_table.can_be_found
    monkeypatch.setattr(
        plugin_table, "can_be_found", lambda n, **how: n != library and found(n, **how)
    )
    monkeypatch.setitem(sys.modules, library, None)
    said = problem_of("ultrarm_eval.judges.ultrarm:UltraRMJudge")
    assert said.startswith(f"broken: it needs {library}, which cannot be imported: ")
    assert "ModuleNotFoundError" in said


def judges_listed_with(packages):
    """The lines of judges where these packages come first."""
    run = subprocess.run(
        [sys.executable, "-c", LISTED],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(packages)},
    )
    return [line for line in run.stdout.splitlines() if line.startswith("judge ")]


@pytest.mark.slow
@pytest.mark.parametrize("library", ["torch", "transformers"])
def test_a_library_that_cannot_be_imported_is_the_state_of_each_of_our_judges(tmp_path, library):
    (tmp_path / library).mkdir()
    said = "libcudart.so.12 (CUDA): no such file"
    (tmp_path / library / "__init__.py").write_text(f"raise ImportError({said!r})\n")
    shown = judges_listed_with(tmp_path)
    assert [line.split()[1] for line in shown] == list(registry().judges)
    state = f"broken: it needs {library}, which cannot be imported: ImportError: {said}"
    assert all(line.endswith(state) for line in shown)


@pytest.mark.slow
def test_a_library_without_its_binary_is_the_state_of_each_of_our_judges(tmp_path):
    # torch has a folder of this name beside its binary, without code.
    (tmp_path / "torch" / "_C").mkdir(parents=True)
    (tmp_path / "torch" / "__init__.py").write_text("from torch._C import ops\n")
    shown = judges_listed_with(tmp_path)
    assert all("broken: it needs torch, which cannot be imported" in line for line in shown)


def test_a_damaged_file_is_broken(problem_of, tmp_path, monkeypatch):
    (tmp_path / "damaged_judge.py").write_text("def judge(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert problem_of("damaged_judge:judge").startswith("broken: SyntaxError: ")


def test_a_judge_of_another_package_is_imported(problem_of, tmp_path, monkeypatch):
    (tmp_path / "failing_judge.py").write_text(
        "raise RuntimeError('no card')\n\ndef judge(): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert "RuntimeError: no card" in problem_of("failing_judge:judge", "other")

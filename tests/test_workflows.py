"""GitHub's workflows run the steps of .ci/run, all of them, on every Python that is supported."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SCRIPT = ROOT / ".ci" / "run"

pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="no checkout: .ci/run is not there")


def jobs(workflow):
    return yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values()


def filled(stated, row):
    """A text with a row of the matrix put in."""
    return re.sub(r"\$\{\{ matrix\.([\w-]+) \}\}", lambda found: str(row[found[1]]), stated)


def runs(workflow):
    """Every step that a workflow runs with .ci/run, with its Python: as often as its matrix says."""
    for job in jobs(workflow):
        matrix = job.get("strategy", {}).get("matrix", {})
        rows = matrix.get("include") or [{"python": one} for one in matrix.get("python", [None])]
        for row in rows:
            given = [
                filled(stated, row)
                for step in job["steps"]
                for stated in (step.get("run", ""), str(step.get("with", {}).get("python-version")))
            ]
            pythons = [one for one in given if re.fullmatch(r"3\.\d+", one)]
            for command in given:
                for stated in re.findall(r"\.ci/run +(.+)", command):
                    yield from ((step, *pythons) for step in stated.split())


def known_steps():
    (listed,) = re.findall(r"^STEPS=\((.*)\)$", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)
    return listed.split()


def test_every_step_has_a_function_and_every_function_is_a_step():
    functions = re.findall(r"^run_(\w+)\(\)", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)
    assert functions == known_steps()


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda one: one.name)
def test_workflows_name_steps_that_there_are(workflow):
    stated = [step for step, _ in runs(workflow)]
    assert stated
    assert set(stated) <= set(known_steps())


def test_ci_runs_every_step_and_tests_every_python():
    ci = ROOT / ".github" / "workflows" / "ci.yml"
    found = set(runs(ci))
    assert {step for step, _ in found} == set(known_steps())
    description = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    pythons = set(re.findall(r"Programming Language :: Python :: (3\.\d+)", description))
    assert {python for step, python in found if step == "test"} == pythons
    assert {python for step, python in found if step == "slow"} == pythons


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda one: one.name)
def test_actions_are_pinned_by_their_major_version(workflow):
    used = [step["uses"] for job in jobs(workflow) for step in job["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w./-]+@(v\d+|release/v\d+)", one) for one in used), used


FAILED = json.dumps({"tests/test_x.py::test_y": True})
# What `make test` does where the lint passes, and where it does not: then no test is run.
TESTS_FAIL = f"mkdir -p .pytest_cache/v/cache; echo '{FAILED}' >.pytest_cache/v/cache/lastfailed"
MAKE = """#!/bin/sh
for target; do case $target in
    lint) {lint} || exit 2 ;;
    types) {types} || exit 2 ;;
    test) {lint} || exit 2; {tests}; exit 2 ;;
esac; done
"""


@pytest.mark.parametrize(
    ("lint", "types", "alone", "passes"),
    [
        ("true", "true", "true", True),
        ("true", "true", "false", False),
        ("true", "false", "true", False),
        ("false", "true", "true", False),
    ],
    ids=["unsteady", "tests", "types", "lint"],
)
def test_only_tests_that_pass_alone_are_forgiven(tmp_path, lint, types, alone, passes):
    bins = tmp_path / "bin"
    for folder in (".ci", "bin", ".venv/bin", ".pytest_cache/v/cache"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(SCRIPT, tmp_path / ".ci" / "run")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    # Left by an earlier run.
    (tmp_path / ".pytest_cache/v/cache/lastfailed").write_text(FAILED)
    scripts = {
        bins / "make": MAKE.format(lint=lint, types=types, tests=TESTS_FAIL),
        tmp_path / ".venv/bin/python": f"#!/bin/sh\n{alone}\n",
    }
    for path, text in scripts.items():
        path.write_text(text)
        path.chmod(0o755)
    path = f"{bins}:{os.environ['PATH']}"
    done = subprocess.run(
        [tmp_path / ".ci" / "run", "test"],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == passes, done.stderr
    assert ("UNSTEADY" in done.stdout) == passes


def test_failures_of_an_earlier_run_are_forgotten_before_each_that_is_repeated():
    text = SCRIPT.read_text(encoding="utf-8")
    steps = re.split(r"^run_\w+\(\) \{$", text, flags=re.MULTILINE)[1:]
    before = [
        step[: repeated.start()]
        for step in steps
        if (repeated := re.search(r"(\|\||&&)\s+again_alone", step)) is not None
    ]
    assert len(before) == 5
    assert all("forget_failures\n" in part for part in before)

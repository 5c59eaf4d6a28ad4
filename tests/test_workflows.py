"""GitHub's workflows run the steps of .ci/run, all of them, on every Python that is supported."""

from __future__ import annotations

import re
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

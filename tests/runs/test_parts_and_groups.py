"""What a group's figures depend on, and how a run over a part of the data is known."""

import pytest

from tests.board.written_results import OfTask, results_of, write_results
from ultrarm_eval.errors import DataError
from ultrarm_eval.io import json_lines
from ultrarm_eval.runs.evaluation import read_evaluation
from ultrarm_eval.runs.identity import member_tasks, task_settings
from ultrarm_eval.runs.numbers import finite
from ultrarm_eval.runs.run import read_run
from ultrarm_eval.runs.task_result import TaskResult

GROUP = {"all": (0.8, ("x", "y"))}


def run_of(folder, tasks, **changes):
    return read_run(write_results(folder, results_of("m", tasks, **changes)))


def both(**metadata):
    return {name: OfTask(metadata=metadata) for name in ("x", "y")}


def test_a_group_depends_on_what_its_tasks_do(tmp_path):
    tasks = {
        "x": OfTask(metadata={"preference": "overall", "data_used": "a"}),
        "y": OfTask(metadata={"preference": "overall", "data_used": "b"}),
    }
    run = run_of(tmp_path, tasks, groups=GROUP)
    assert task_settings(run, "all") == {
        "version": 1.0,
        "preference": "overall",
        "data_used": {"x": "a", "y": "b"},
    }


def test_members_are_found_through_groups_in_a_group_and_a_ring_ends(tmp_path):
    subtasks = {"outer": ["inner", "x"], "inner": ["y", "outer"], "x": [], "odd": 3}
    run = run_of(tmp_path, both(), group_subtasks=subtasks)
    assert member_tasks(run, "outer") == ("x", "y")
    assert member_tasks(run, "x") == ()
    assert member_tasks(run, "odd") == ()


def test_a_group_with_other_settings_is_another_group(tmp_path):
    for preference in ("overall", "honesty"):
        run_of(tmp_path / preference, both(preference=preference), groups=GROUP)
    assert list(read_evaluation(tmp_path).groups) == [
        "all (preference=honesty)",
        "all (preference=overall)",
    ]


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({}, {}),
        ({"config": {"limit": 8}}, {"limit": 8}),
        # The harness does not write down `--samples`.
        ({"n-samples": {"x": {"original": 9, "effective": 2}}}, {"documents": "2 of 9"}),
        ({"n-samples": {"x": {"original": 2, "effective": 2}}}, {}),
    ],
)
def test_a_part_of_the_data_is_known(tmp_path, changes, parts):
    run = run_of(tmp_path, both(), groups=GROUP, **changes)
    assert TaskResult("x", run, {}).parts == parts
    assert TaskResult("all", run, {}).parts == parts


def test_a_shard_of_a_task_is_one_of_its_group(tmp_path):
    run = run_of(tmp_path, {"x": OfTask(), "y": OfTask(metadata={"shard": "0/2"})}, groups=GROUP)
    assert TaskResult("x", run, {}).parts == {}
    assert TaskResult("all", run, {}).parts == {"shard": "0/2"}


def test_a_number_that_no_float_holds_is_no_figure(tmp_path):
    run = run_of(tmp_path, {"x": OfTask(figures={"acc,big": 10**400})})
    assert TaskResult("x", run, run.results["results"]["x"]).metrics == ("acc,none",)


def test_a_number_of_too_many_digits_is_a_damaged_file(tmp_path):
    digits = "1" * 5000
    path = write_results(tmp_path, '{"results": {"x": {"acc,none": ' + digits + "}}}")
    with pytest.raises(DataError, match="not valid JSON"):
        read_run(path)
    (tmp_path / "samples.jsonl").write_text('{"acc": ' + digits + "}\n")
    (line,) = json_lines(tmp_path / "samples.jsonl")
    with pytest.raises(DataError, match="not valid JSON"):
        line.parsed()


@pytest.mark.parametrize(
    ("value", "number"),
    [(1, 1.0), ("2.5", 2.5), (True, None), ("x", None), ("nan", None), (10**400, None), ([], None)],
)
def test_finite_numbers_alone_are_numbers(value, number):
    assert finite(value) == number


@pytest.mark.parametrize(("written", "shown"), [(60.0, "60"), (60, "60"), (0.5, "0.5")])
def test_a_limit_reads_as_it_was_given(tmp_path, written, shown):
    run = run_of(tmp_path, both(), config={"limit": written})
    assert str(TaskResult("x", run, {}).parts["limit"]) == shown

"""Tasks are called by their own names, whatever the harness writes in front of them."""

import json

import pytest

from tests.board.written_results import OfTask, results_of, write_results
from tests.compare.written_runs import STAMP, rated, write_run
from tests.runs.group_task_keys import as_next
from ultrarm_eval.board.board import make_board
from ultrarm_eval.board.data import as_json
from ultrarm_eval.compare.compute import compare_runs
from ultrarm_eval.compare.text import as_text
from ultrarm_eval.exports.figures import exported_figures
from ultrarm_eval.report.report import make_report
from ultrarm_eval.runs.evaluation import read_evaluation, read_evaluations
from ultrarm_eval.runs.identity import member_tasks, task_settings
from ultrarm_eval.runs.json_values import as_plain
from ultrarm_eval.runs.run import find_runs, read_run
from ultrarm_eval.runs.task_name import task_names

GROUP, MEMBERS = "suite", ("suite_one", "suite_two")
RIGHT = {"suite_one": [1, 0, 1, 1], "suite_two": [0, 1], "alone": [1, 1, 0]}


def write_old(folder, groups=None, shift=0.0, **changes):
    """A run of lm-eval 0.4 with a group of two tasks, and one task alone."""
    groups = {GROUP: list(MEMBERS)} if groups is None else groups
    samples = {
        task: [
            rated(i, [float(one) + shift, 0.5 + shift], prompt=f"{task} {i}")
            for i, one in enumerate(of)
        ]
        for task, of in RIGHT.items()
    }
    write_run(folder, samples, **{"metadata": {"version": 1.0}, **changes})
    (path,) = folder.glob("results_*.json")
    content = json.loads(path.read_text())
    for group, members in groups.items():
        means = [sum(RIGHT[one]) / len(RIGHT[one]) for one in members]
        content["results"][group] = {"acc,none": sum(means) / len(means), "alias": group}
        content["higher_is_better"][group] = {"acc": True}
    content["group_subtasks"] = {**groups, "alone": []}
    content["configs"]["suite_two"]["metadata"]["preference"] = "honesty"
    path.write_text(json.dumps(content))
    return folder


@pytest.fixture
def old(tmp_path):
    return write_old(tmp_path / "old" / "org")


@pytest.fixture
def new(old, tmp_path):
    return as_next(old, tmp_path / "new" / "org")


@pytest.mark.parametrize(
    ("key", "config", "own"),
    [
        ("x", {"task": "x"}, "x"),
        ("group::x", {"task": "x"}, "x"),
        # Without a configuration, as of a run of which the samples alone are left.
        ("group::x", None, "x"),
        ("group::x", {}, "x"),
        ("group::x", 7, "x"),
        ("x", None, "x"),
        ("::", None, "::"),
        # A task inside its group's file is called so by 0.4.13 as well.
        ("group::x", {"task": "group::x"}, "group::x"),
        # What an edited file says of another task is not believed.
        ("group::x", {"task": "y"}, "group::x"),
        ("xy", {"task": "y"}, "xy"),
        ("group::x@mcqa", {"task": "x@mcqa"}, "x@mcqa"),
    ],
)
def test_own_name(key, config, own):
    configs = {} if config is None else {"configs": {key: config}}
    (name,) = task_names({"results": {key: {}}, **configs}).values()
    assert (name.key, name.own, name.task) == (key, own, own)


def test_a_task_of_two_groups_stays_two():
    content = {"results": {key: {} for key in ("a::x", "b::x", "x", "a::y", "a")}}
    assert {key: name.task for key, name in task_names(content).items()} == {
        "a::x": "a::x",
        "b::x": "b::x",
        "x": "x",
        "a::y": "y",
        "a": "a",
    }


def test_both_lines_say_the_same_of_every_task(old, new):
    before, after = read_evaluation(old), read_evaluation(new)
    assert list(after.tasks) == list(before.tasks) == ["alone", *MEMBERS]
    assert list(after.groups) == list(before.groups) == [GROUP]
    for title, one in {**before.tasks, **before.groups}.items():
        other = {**after.tasks, **after.groups}[title]
        assert other.main_figure == one.main_figure
        assert (other.documents, other.all_documents) == (one.documents, one.all_documents)
        assert other.data_digest == one.data_digest is not None
        assert other.higher_is_better("acc") is one.higher_is_better("acc") is True
        assert (other.parts, other.metadata) == (one.parts, one.metadata)
        assert task_settings(other.run, other.key) == task_settings(one.run, one.key)
        assert [member.task for member in other.members] == [member.task for member in one.members]
    assert task_settings(after.newest, GROUP)["preference"] == {
        "suite_one": None,
        "suite_two": "honesty",
    }
    assert member_tasks(after.newest, GROUP) == ("suite::suite_one", "suite::suite_two")


def test_samples_are_found_behind_the_groups_name(new):
    (run,) = find_runs(str(new), "suite_two")
    assert run.key_of("suite_two") == "suite::suite_two"
    assert len(list(run.samples("suite::suite_two"))) == len(RIGHT["suite_two"])
    assert run.samples_path("suite::suite_two").name == f"samples_suite::suite_two_{STAMP}.jsonl"


def test_a_run_of_each_line_is_compared_member_against_member(old, new, tmp_path):
    other = as_next(write_old(tmp_path / "b", model="org/b"), tmp_path / "b_new")
    comparison = compare_runs([old, other])
    rows = {row.task: row.part.difference.documents for row in comparison.rows}
    assert rows == {GROUP: 6, "alone": 3, "suite_one": 4, "suite_two": 2}
    assert comparison.not_shared == ()
    assert "::" not in as_text(comparison)


def board_of(folder):
    return as_json(make_board(read_evaluations(folder), folder))


def _plain(text):
    return json.loads(text.replace("0.5.0.dev1", "V").replace("0.4.13", "V"))


@pytest.mark.slow
def test_report_and_board_are_those_of_the_older_line(old, new):
    for folder in (old, new):
        for path in folder.glob("results_*.json"):
            content = json.loads(path.read_text())
            path.write_text(json.dumps({**content, "lm_eval_version": "0.4.13"}))
    reports = [as_plain(make_report([read_evaluation(one)], pairs=3)) for one in (old, new)]
    assert reports[0] == reports[1]
    assert {one["title"] for one in reports[0]["judges"][0]["tasks"]} == {"alone", *MEMBERS}
    assert _plain(board_of(new)) == _plain(board_of(old))


def test_exports_name_tasks_as_before(old, new):
    def named(folder):
        found = exported_figures(read_evaluation(folder), metrics="all")
        return [(f.task, f.key, f.value, [one.task for one in f.members]) for f in found]

    assert named(new) == named(old)
    assert {task for task, *_ in named(new)} == {GROUP, "alone", *MEMBERS}


def test_samples_without_results_belong_to_the_task_of_that_name(old, new, tmp_path):
    (samples,) = new.glob("samples_suite::suite_one_*.jsonl")
    lost = samples.name.replace("2026-03-04", "2026-03-05")
    (new / lost).write_bytes(samples.read_bytes())
    evaluation = read_evaluation(new)
    assert list(evaluation.tasks) == ["alone", *MEMBERS]
    assert evaluation.remarks == (
        "suite_one: skipped samples without results, because there is a complete run.",
    )


TWO_GROUPS = {"one": ["suite_one", "suite_two"], "two": ["suite_two"]}


class TestTwice:
    """A task in two groups, which lm-eval 0.5 evaluates in each of them."""

    @pytest.fixture
    def twice(self, tmp_path):
        return as_next(write_old(tmp_path / "old2", TWO_GROUPS), tmp_path / "twice")

    def test_both_are_there(self, twice):
        evaluation = read_evaluation(twice)
        assert list(evaluation.tasks) == ["alone", "one::suite_two", "suite_one", "two::suite_two"]
        assert evaluation.superseded == 0
        board = json.loads(board_of(twice))
        assert {one["title"] for one in board["tasks"]} == {*evaluation.tasks, "one", "two"}
        figures = exported_figures(evaluation)
        assert {one.task for one in figures} == {*evaluation.tasks, "one", "two"}

    def test_a_later_run_of_one_group_takes_the_place_of_that_one_alone(self, twice, tmp_path):
        later = write_old(tmp_path / "later", {"two": ["suite_two"]}, stamp="2026-03-05T05-06-07")
        as_next(later, twice)
        evaluation = read_evaluation(twice)
        found = {title: one.run.stamp[:10] for title, one in evaluation.tasks.items()}
        assert found["one::suite_two"] == "2026-03-04"
        assert found["two::suite_two"] == "2026-03-05"
        assert "suite_two" not in found

    def test_groups_are_compared_with_those_of_a_run_that_has_it_once(self, twice, tmp_path):
        once = write_old(tmp_path / "once", TWO_GROUPS, model="org/b")
        comparison = compare_runs([once, twice])
        rows = {row.task: row.part.difference.documents for row in comparison.rows}
        assert rows == {"one": 6, "two": 2, "alone": 3, "suite_one": 4}
        assert {one.task for one in comparison.not_shared} == {
            "suite_two",
            "one::suite_two",
            "two::suite_two",
        }


def test_a_board_of_both_lines_has_one_column_for_a_task(tmp_path):
    tasks = {name: OfTask(acc=0.5, digest=f"d {name}") for name in MEMBERS}
    groups = {GROUP: (0.5, MEMBERS)}
    for model, lines in (("a", ""), ("b", "next")):
        folder = tmp_path / "written" / model
        write_results(folder, results_of(f"org/{model}", tasks, groups=groups))
        if lines:
            as_next(folder, tmp_path / "board" / model)
        else:
            (tmp_path / "board").mkdir(exist_ok=True)
            folder.rename(tmp_path / "board" / model)
    board = json.loads(board_of(tmp_path / "board"))
    assert [one["title"] for one in board["tasks"]] == [GROUP, *MEMBERS]
    assert all(len(row["results"]) == 3 for row in board["rows"])
    assert read_run(next((tmp_path / "board" / "b").glob("*.json"))).names.keys() == {
        GROUP,
        "suite::suite_one",
        "suite::suite_two",
    }

"""What makes results of several runs one task, as report, comparison and board have it."""

import pytest

from tests.board.written_results import OfTask, results_of, write_results
from tests.compare.compared import right
from tests.compare.written_runs import in_order
from tests.compare.written_runs import write_run as write_judged
from tests.report.written_runs import rated, rated_sample, samples_of, write_run
from ultrarm_eval.report.report import make_report
from ultrarm_eval.runs.digest import samples_digest
from ultrarm_eval.runs.evaluation import labelled, read_evaluations
from ultrarm_eval.runs.shared_tasks import shared_tasks


@pytest.fixture
def shared(tmp_path):
    """The tasks of runs: (place, task) each; titles with the places of their results."""

    def of(*runs, by_name=False):
        results = []
        for number, (place, task) in enumerate(runs):
            folder = tmp_path / f"run{number}"
            stamp = f"2026-03-04T05-06-{number:02d}.000000"
            write_results(folder, results_of("org/judge", {"x": task}), stamp=stamp)
            (evaluation,) = read_evaluations(folder)
            results += [(place, result) for result in evaluation.tasks.values()]
        return shared_tasks(results, by_name=by_name)

    return of


def places(tasks):
    return {task.title: sorted(task.results) for task in tasks}


def data(name, digest=None, **settings):
    return OfTask(0.5, digest=digest, metadata={"data_used": name, **settings})


def test_name_settings_and_data_make_one_task(shared):
    found = shared((0, data("a")), (1, data("a")), (2, data("a", preference="honesty")))
    assert places(found) == {"x (preference=honesty)": [2], "x (preference=none)": [0, 1]}


def test_data_are_the_same_by_their_documents_also_through_others(shared):
    found = shared((0, data("a", "d1")), (1, data("b", "d2")), (2, data("b", "d1")))
    assert places(found) == {"x": [0, 1, 2]}
    assert len(shared((0, data("a", "d1")), (1, data("b", "d2")))) == 2


def test_data_of_another_name_and_in_another_order_are_the_same(tmp_path):
    samples = right([1, 0, 1])
    results = []
    for name, of_run in (("one", samples), ("two", in_order(samples, [1, 2, 0]))):
        metadata = {"data_used": name, "data_digest": samples_digest(of_run)}
        (evaluation,) = read_evaluations(write_judged(tmp_path / name, of_run, metadata=metadata))
        results += [(len(results), result) for result in evaluation.tasks.values()]
    (found,) = shared_tasks(results)
    assert sorted(found.results) == [0, 1]


def test_the_name_alone_decides_where_nobody_has_it_twice(shared):
    honest = data("a", preference="honesty")
    assert places(shared((0, data("a")), (1, honest), by_name=True)) == {"x": [0, 1]}
    twice = shared((0, data("a")), (1, honest), (1, data("a")), by_name=True)
    assert places(twice) == {"x (preference=honesty)": [1], "x (preference=none)": [0, 1]}


def test_of_several_results_of_one_run_the_best_counts(shared):
    part = data("copy", "d1", shard="1/2")
    (found,) = shared((0, data("a", "d1")), (0, part))
    assert found.results[0].metadata["data_used"] == "a"
    ((place, result),) = found.set_aside
    assert (place, result.metadata["data_used"]) == (0, "copy")


def test_a_report_against_another_judge_matches_tasks_and_not_titles(tmp_path):
    doc = rated(0, ["good", "bad"], ["2", "1"])
    for judge, rewards in (("a", [1.0, 0.0]), ("b", [0.0, 1.0])):
        samples = samples_of(rated_sample, [(doc, rewards)])
        write_run(tmp_path / judge / "one", samples, {"min_gap": 0.5})
    # The second judge has the task with other settings, too: its titles tell them apart.
    other = samples_of(rated_sample, [(rated(1, ["c", "d"], ["2", "1"]), [1.0, 0.0])])
    write_run(tmp_path / "b" / "two", other, {"min_gap": 1.0}, stamp="2026-05-05T00-00-00")
    evaluations = labelled([*read_evaluations(tmp_path / "a"), *read_evaluations(tmp_path / "b")])
    assert [len(one.tasks) for one in evaluations] == [1, 2]
    (pair,) = [p for p in make_report(evaluations, pairs=3).pairs if p.reason == "judges disagree"]
    assert sorted(pair.rewards.values()) == [(0.0, 1.0), (1.0, 0.0)]

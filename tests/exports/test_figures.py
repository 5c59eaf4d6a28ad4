import math

import pytest

from tests.exports.runs import group_results, results_of, written_run
from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.exports.figures import exported_figures
from ultrarm_eval.runs.evaluation import read_evaluation


def figures(folder, results=None, samples=None, **options):
    return exported_figures(read_evaluation(written_run(folder, results, samples)), **options)


def test_the_main_metric_is_acc_wherever_it_stands(tmp_path):
    (only,) = figures(tmp_path)
    assert (only.task, only.key, only.value, only.error) == ("pairs", "acc,none", 0.75, 0.25)
    assert (only.metric, only.filter_name, only.is_main, only.is_group) == (
        "acc",
        "none",
        True,
        False,
    )


def test_all_metrics_come_after_it(tmp_path):
    keys = [f.key for f in figures(tmp_path, metrics="all")]
    assert keys == ["acc,none", "tie_rate,none", "margin,none", "acc_longest,none"]
    with pytest.raises(ConfigurationError, match="Unknown metrics 'some'"):
        figures(tmp_path, metrics="some")


def test_a_task_without_acc_has_its_first_metric(tmp_path):
    results = results_of(results={"pairs": {"reward,best": 1.5, "win_rate,best": 0.5}})
    (only,) = figures(tmp_path, results)
    assert (only.key, only.filter_name, only.error) == ("reward,best", "best", None)


def test_groups_come_with_their_tasks(tmp_path):
    both, one, two = figures(tmp_path, group_results(), {})
    assert (both.task, both.value, both.is_group) == ("both", 0.75, True)
    assert [member.task for member in both.members] == ["one", "two"]
    assert [one.value, two.value] == [1.0, 0.5]


def test_a_group_without_a_figure_is_a_heading(tmp_path, caplog):
    results = group_results()
    results["results"]["both"] = {" ": " ", "alias": "both"}
    assert [f.task for f in figures(tmp_path, results, {})] == ["one", "two"]
    assert not caplog.records
    with pytest.raises(DataError, match="a group without a score of its own"):
        figures(tmp_path, results, {}, tasks=["both"])


def test_the_samples_are_read_once_for_the_digest(tmp_path, monkeypatch):
    from ultrarm_eval.runs import task_result

    real, read = task_result.samples_digest, []
    monkeypatch.setattr(task_result, "samples_digest", lambda s: read.append(1) or real(s))
    found = figures(tmp_path, metrics="all")
    assert len({f.data_digest for f in found}) == len(read) == 1


def test_tasks_can_be_chosen_and_unknown_ones_are_named(tmp_path):
    results = group_results()
    assert [f.task for f in figures(tmp_path, results, {}, tasks=["two", "both"])] == [
        "both",
        "two",
    ]
    with pytest.raises(ConfigurationError, match="Unknown task 'tow'. Did you mean 'two'"):
        figures(tmp_path, results, {}, tasks=["tow"])


@pytest.mark.parametrize(
    ("where", "part", "told"),
    [
        ("config", {"limit": 1}, "limit 1"),
        ("config", {"samples": {"pairs": list(range(500))}}, r"samples \{'pairs': \[0,.* \[...\]"),
        ("metadata", {"shard": "1/4"}, "shard 1/4"),
    ],
)
def test_a_part_of_the_data_is_exported_on_demand_alone(tmp_path, where, part, told):
    results = results_of()
    target = results["configs"]["pairs"]["metadata"] if where == "metadata" else results["config"]
    target.update(part)
    with pytest.raises(DataError, match=rf"subset of its data \({told}\).*--allow-partial"):
        figures(tmp_path, results)
    (only,) = figures(tmp_path, results, allow_partial=True)
    assert only.parts


def test_a_group_is_partial_where_a_task_of_it_is(tmp_path):
    results = group_results()
    metadata = {**results["configs"]["two"]["metadata"], "shard": "1/4"}
    results["configs"]["two"]["metadata"] = metadata
    with pytest.raises(DataError, match="both was evaluated on a subset"):
        figures(tmp_path, results, {}, tasks=["both"])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_number_is_no_figure(tmp_path, value):
    results = results_of()
    results["results"]["pairs"]["acc,none"] = value
    with pytest.raises(DataError, match="pairs has the score acc,none"):
        figures(tmp_path, results)


def test_an_error_that_is_no_number_is_none(tmp_path):
    results = results_of()
    results["results"]["pairs"]["acc_stderr,none"] = math.nan
    assert figures(tmp_path, results)[0].error is None


def test_an_interrupted_run_has_no_figure(tmp_path, caplog):
    written_run(tmp_path)
    next(tmp_path.glob("results_*")).unlink()
    with pytest.raises(DataError, match="there is no score to export"):
        exported_figures(read_evaluation(tmp_path))
    assert "Skipped pairs: its run was interrupted" in caplog.text


def test_results_of_one_task_with_two_settings_are_not_mixed(tmp_path):
    written_run(tmp_path / "a")
    other = results_of()
    other["configs"]["pairs"]["metadata"]["ties"] = "wrong"
    written_run(tmp_path / "b", other)
    with pytest.raises(ConfigurationError, match="several results of pairs"):
        exported_figures(read_evaluation(tmp_path))
    (only,) = exported_figures(read_evaluation(tmp_path / "b"))
    assert only.value == 0.75

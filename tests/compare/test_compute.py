import math

import numpy as np
import pytest
from scipy import stats

from tests.compare.compared import OTHER, only_row, pair_of_runs, right
from tests.compare.written_runs import TASK, foreign, judged, write_run
from ultrarm_eval.compare.compute import compare, compare_runs
from ultrarm_eval.errors import DataError
from ultrarm_eval.runs.evaluation import read_evaluations


def test_what_does_not_match_is_listed(tmp_path):
    a, b = right([1] * 12), right([1] * 9)
    comparison = pair_of_runs(tmp_path, {TASK: a, "mine": a}, {TASK: b[3:], "yours": b})
    (one,) = comparison.unmatched
    assert (one.matched, one.only_a, one.only_b) == (6, 6, 0)
    assert (one.first_a, one.first_b) == (("0", "1", "2", "9", "10"), ())
    assert [(task.task, task.runs) for task in comparison.not_shared] == [
        ("mine", ("A",)),
        ("yours", ("B",)),
    ]


def test_documents_of_which_none_matches_are_not_compared(tmp_path):
    comparison = pair_of_runs(tmp_path, right([1, 0]), right([1, 0], ratings=(4, 1)))
    assert comparison.rows == ()
    assert any("A and B have no documents in common" in said for said in comparison.cautions)
    assert comparison.unmatched[0].only_a == 2


def test_a_judge_that_abstains_is_compared_where_it_does_not(tmp_path):
    a = right([1, math.nan, 0])
    comparison = pair_of_runs(tmp_path, a, right([1, 1, 1]))
    assert only_row(comparison).part.difference.documents == 2
    assert any("A has 1 document without a score" in said for said in comparison.cautions)


def test_no_shared_task_is_an_error_that_names_them(tmp_path):
    a = write_run(tmp_path / "a", {"mine": right([1])})
    b = write_run(tmp_path / "b", {"yours": right([1])}, **OTHER)
    with pytest.raises(DataError, match="org/judge has mine; org/other has yours"):
        compare_runs([a, b])


def test_one_run_is_no_comparison(tmp_path):
    run = write_run(tmp_path / "a", right([1]))
    with pytest.raises(DataError, match="only one run, org/judge; a comparison needs at least two"):
        compare_runs([run])
    with pytest.raises(DataError, match="one run"):
        compare(read_evaluations(run))


def test_a_folder_with_several_judges_is_as_many_runs(tmp_path):
    write_run(tmp_path / "runs" / "a", right([1, 0, 1]))
    write_run(tmp_path / "runs" / "b", right([1, 1, 1]), **OTHER)
    comparison = compare_runs([tmp_path / "runs"])
    assert [run.label for run in comparison.runs] == ["org/judge", "org/other"]
    assert any(
        "runs contains results of 2 models or settings" in said for said in comparison.cautions
    )


def test_runs_stand_in_the_order_given(tmp_path):
    paths = [write_run(tmp_path / name, right([1]), model=f"org/{name}") for name in ("z", "a")]
    assert [run.label for run in compare_runs(paths).runs] == ["org/z", "org/a"]


def test_a_task_with_several_settings_is_matched_by_them(tmp_path):
    for number, gap in enumerate((0.0, 1.0)):
        options = {"metadata": {"min_gap": gap}, "stamp": f"2026-03-04T05-06-0{number}"}
        write_run(tmp_path / "a", right([1, gap]), **options)
        write_run(tmp_path / "b", right([1, 1]), **OTHER, **options)
    comparison = compare_runs([tmp_path / "a", tmp_path / "b"])
    values = {row.task: row.part.difference.value for row in comparison.rows}
    assert values == {"pairs (min_gap=0.0)": 0.5, "pairs (min_gap=1.0)": 0.0}
    assert not any("settings" in said for said in comparison.cautions)


def test_without_samples_figures_are_compared_unpaired(tmp_path):
    a = write_run(tmp_path / "a", [], figures={"acc,none": 0.70, "acc_stderr,none": 0.01})
    b = write_run(
        tmp_path / "b", right([1]), figures={"acc,none": 0.80, "acc_stderr,none": 0.02}, **OTHER
    )
    for path in a.glob("samples_*"):
        path.unlink()
    comparison = compare_runs([a, b])
    row = only_row(comparison)
    found = row.part.difference
    error = math.hypot(0.01, 0.02)
    assert not found.is_paired
    assert found.interval.low == pytest.approx(0.1 - 1.959964 * error)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(0.1 / error))
    assert "treated as independent" in row.conclusion
    assert any("A has no samples" in said for said in comparison.cautions)
    assert comparison.agreements == ()


def test_figures_without_standard_errors_have_no_test(tmp_path):
    options = {"figures": {"acc,none": 0.7, "acc_stderr,none": "N/A"}}
    comparison = pair_of_runs(tmp_path, [], [], options, options)
    row = only_row(comparison)
    assert (row.part.difference.interval, row.adjusted_p, comparison.tests) == (None, None, 0)
    assert any("No sample of A is usable (samples_pairs_" in said for said in comparison.cautions)


def test_damaged_lines_are_left_out_and_said(tmp_path):
    run = write_run(tmp_path / "a", right([1, 0, 1]))
    (path,) = run.glob("samples_*")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][: len(lines[1]) // 2], lines[2]]) + "\n")
    comparison = compare_runs([run, write_run(tmp_path / "b", right([1, 1, 1]), **OTHER)])
    assert only_row(comparison).part.difference.documents == 2
    assert any("1 line of the samples was skipped" in said for said in comparison.cautions)
    assert comparison.unmatched[0].first_b == ("1",)


def test_damaged_results_leave_what_the_samples_say(tmp_path):
    run = write_run(tmp_path / "a", right([1, 0, 1]))
    (path,) = run.glob("results_*")
    path.write_text(path.read_text()[:40])
    comparison = compare_runs([run, write_run(tmp_path / "b", right([1, 1, 1]), **OTHER)])
    assert only_row(comparison).part.difference.value == pytest.approx(1 / 3)
    assert any("not valid JSON" in said for said in comparison.cautions)


def test_results_of_older_versions(tmp_path):
    old = {
        "config": {"model": "ultrarm", "model_args": "pretrained=org/old,template=raw"},
        "higher_is_better": {},
        "configs": {},
        "n-samples": None,
        "model_name": "org/old",
    }
    b = {"config": {**old["config"], "model_args": "pretrained=org/old,template=ultrarm"}}
    comparison = pair_of_runs(tmp_path, right([1, 0]), right([1, 1]), old, {**old, **b})
    assert [run.label for run in comparison.runs] == [
        "org/old (template=raw)",
        "org/old (template=ultrarm)",
    ]
    row = only_row(comparison)
    assert (row.part.metric, row.part.higher_is_better) == ("acc", True)
    assert row.part.difference.value == 0.5


def test_models_that_write_are_compared_by_how_often_they_win(tmp_path):
    a = [judged(i, f"from a {i}", 1.0 + i % 2, 1.0) for i in range(8)]
    b = [judged(i, f"from b {i}", 0.5, 1.0) for i in range(8)]
    comparison = pair_of_runs(tmp_path, a, b, {"metric": "reward"}, {"metric": "reward"})
    row = only_row(comparison)
    found = row.part.difference
    assert (row.part.metric, found.figure_a, found.figure_b) == ("win_rate", 0.75, 0.0)
    assert comparison.agreements == ()


def test_a_metric_that_is_lower_for_the_better(tmp_path):
    options = {"metric": "loss", "better": {"loss": False}}
    random_ = np.random.default_rng(0)
    losses = 3 + random_.normal(size=40)
    a = [foreign(i, "loss", loss) for i, loss in enumerate(losses)]
    b = [foreign(i, "loss", loss - 0.5 - random_.random() / 9) for i, loss in enumerate(losses)]
    row = only_row(pair_of_runs(tmp_path, a, b, options, options))
    assert row.part.difference.value < -0.5
    assert not row.part.are_shares
    assert row.conclusion.startswith("org/other is significantly better than org/judge on pairs")
    assert "(loss, lower is better)" in row.conclusion


def test_runs_with_different_metrics_are_not_paired(tmp_path):
    a = [foreign(i, "acc", 1.0) for i in range(3)]
    b = [foreign(i, "f1", 1.0) for i in range(3)]
    comparison = pair_of_runs(tmp_path, a, b, {"metric": "acc"}, {"metric": "f1"})
    assert comparison.rows == ()
    said = comparison.cautions
    assert any("no common document with values of the same metric" in one for one in said)
    assert any("no metric in common" in one for one in said)

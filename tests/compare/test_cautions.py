import math

from tests.compare.compared import OTHER, only_row, pair_of_runs, random_outcomes, right
from tests.compare.written_runs import in_order, rated, write_run
from ultrarm_eval.compare.compute import compare_runs
from ultrarm_eval.runs.digest import samples_digest


def test_a_run_against_itself(tmp_path):
    run = write_run(tmp_path / "a", right(random_outcomes(3)))
    comparison = compare_runs([run, run])
    found = only_row(comparison).part.difference
    assert (found.value, found.p_value, found.a_higher, found.b_higher) == (0.0, 1.0, 0, 0)
    assert [run.label for run in comparison.runs] == ["org/judge [1]", "org/judge [2]"]
    assert any("A and B are the same run" in said for said in comparison.cautions)


def test_different_pairs_of_the_same_documents_are_pointed_out(tmp_path):
    a = [rated(0, [3, 2, 1], (5, 3, 1))]
    b = [rated(0, [3, math.nan, 1], (5, 3, 1))]
    said = pair_of_runs(tmp_path, a, b).cautions
    assert any("2 pairs are only in A and 0 only in B" in one for one in said)


def test_settings_in_which_judges_differ_are_listed(tmp_path):
    def config(template):
        judge = {"judge": "ultrarm", "pretrained": "org/judge", "template": template}
        return {"model": "org/judge", "config": judge}

    comparison = pair_of_runs(
        tmp_path, right([1, 0]), right([1, 1]), config("raw"), config("ultrarm")
    )
    (setting,) = comparison.settings
    assert (setting.task, setting.name) == (None, "template")
    assert setting.values == {"A": "raw", "B": "ultrarm"}
    assert only_row(comparison).conclusion.count("org/judge (template=ultrarm)") == 2


def test_settings_of_the_task_that_differ_are_a_caution(tmp_path):
    comparison = pair_of_runs(
        tmp_path,
        right([1, 0]),
        right([1, 1]),
        {"metadata": {"min_gap": 0.0, "ties": "half", "data_used": "here"}},
        {"metadata": {"min_gap": 1.0, "ties": "half", "data_used": "there"}},
    )
    (said,) = [one for one in comparison.cautions if "settings" in one]
    assert said == (
        "pairs: The runs differ in the task's settings, which may explain a difference: min_gap is "
        "0.0 in A, 1.0 in B."
    )
    assert {one.name for one in comparison.settings} == {"min_gap", "data_used"}


def test_a_partial_run_and_data_it_was_trained_on_are_cautions(tmp_path):
    partial = {"judge": "ultrarm", "pretrained": "org/judge", "limit": 2}
    comparison = pair_of_runs(
        tmp_path,
        {"one": right([1, 0]), "two": right([1, 0])},
        {"one": right([1, 0, 1]), "two": right([1, 0])},
        {"config": partial, "metadata": {"in_sample_for": ["org/judge"]}},
        {"metadata": {"in_sample_for": ["org/judge"]}},
    )
    said = comparison.cautions
    assert "one, two: A is a partial run over a subset of the data (limit 2)." in said
    assert sum(one.startswith("one, two: In-sample: the judge of A") for one in said) == 1
    assert not any("In-sample: the judge of B" in one for one in said)


def test_what_is_true_of_many_tasks_is_said_once(tmp_path):
    tasks = {f"task_{i}": right([1, 0]) for i in range(6)}
    config = {"judge": "ultrarm", "pretrained": "org/judge", "limit": 2}
    said = pair_of_runs(tmp_path, tasks, tasks, {"config": config}).cautions
    assert said == (
        "task_0, task_1, task_2 and 3 others: A is a partial run over a subset of the data (limit 2).",
    )


def test_figures_over_different_documents_are_pointed_out(tmp_path):
    options = [
        {"figures": {"acc,none": 0.7, "acc_stderr,none": 0.1}, "metadata": {"data_digest": digest}}
        for digest in ("1", "2")
    ]
    said = pair_of_runs(tmp_path, [], [], *options).cautions
    assert any("A and B cover different documents" in one for one in said)


def test_documents_in_another_order_are_not_pointed_out(tmp_path):
    samples = right([1, 0, 0])
    resorted = in_order(samples, [2, 0, 1])
    # Without a metric that both have first, their values alone are compared.
    figures = [{f"{name},none": 0.5 for name in names} for names in (("a", "b"), ("b", "a"))]
    options = [
        {"figures": of_run, "metadata": {"data_digest": samples_digest(of)}}
        for of_run, of in zip(figures, (samples, resorted), strict=True)
    ]
    comparison = pair_of_runs(tmp_path, samples, resorted, *options)
    assert not only_row(comparison).part.difference.is_paired
    assert not any("cover different documents" in one for one in comparison.cautions)


def test_a_run_in_which_no_document_has_a_score_is_not_called_damaged_alone(tmp_path):
    unscored = [rated(i, [math.nan, math.nan]) for i in range(3)]
    said = pair_of_runs(tmp_path, unscored, right([1, 0, 1])).cautions
    (of_a,) = [one for one in said if "No sample of A is usable" in one]
    assert of_a.endswith("no document has a score, or the file is empty or damaged.")


def test_a_figure_that_weighs_documents_otherwise_is_pointed_out(tmp_path):
    said = pair_of_runs(
        tmp_path, right([1, 0, 0, 1]), right([1, 1, 1, 1]), {"figures": {"acc,none": 0.6}}
    ).cautions
    assert any("gives 0.5000 for A; the value in its results, 0.6000" in one for one in said)
    assert not any("gives B" in one for one in said)


def test_samples_without_hashes_are_pointed_out(tmp_path):
    samples = right([1, 0])
    bare = [{k: v for k, v in sample.items() if k != "doc_hash"} for sample in samples]
    comparison = pair_of_runs(tmp_path, bare, bare)
    assert only_row(comparison).part.difference.documents == 2
    assert any("have no document hashes" in said for said in comparison.cautions)


def test_a_judges_arguments_are_no_settings_of_the_task_that_differ(tmp_path):
    def changes(**given):
        metadata = {"counts": {}, "preference": "helpfulness", **given}
        judge = {"judge": "dpo", "pretrained": "org/judge", "model_args": given}
        return {"metadata": metadata, "config": judge}

    a, b = changes(judge="dpo", reference="org/sft"), changes(judge="dpo", reference="org/base")
    comparison = pair_of_runs(tmp_path, right([1, 0]), right([1, 1]), a, b)
    assert not any("settings" in said for said in comparison.cautions)
    assert [(one.task, one.name) for one in comparison.settings] == [(None, "reference")]


def test_a_task_that_a_run_has_twice_over_the_same_documents_counts_once(tmp_path):
    for number, name in enumerate(("here", "there")):
        metadata = {"data_used": name, "data_digest": "d"}
        stamp = f"2026-03-04T05-06-0{number}"
        write_run(tmp_path / "a", right([1, number]), metadata=metadata, stamp=stamp)
    write_run(tmp_path / "b", right([1, 1]), metadata=metadata, **OTHER)
    comparison = compare_runs([tmp_path / "a", tmp_path / "b"])
    assert only_row(comparison).part.difference.value == 0.0
    assert (
        "pairs: A: results_2026-03-04T05-06-00.json is not used, because a newer or complete run "
        "covers the same documents."
    ) in comparison.cautions

import math
import random

import numpy as np
import pytest
from scipy import stats

from tests.analysis.written_runs import TASK, choice, foreign, judged, rated, write_run
from ultrarm_eval.analysis.comparing import compare, compare_runs
from ultrarm_eval.analysis.conclusions import is_shown
from ultrarm_eval.errors import DataError
from ultrarm_eval.results.evaluation import read_evaluations

OTHER = {"model": "org/other"}


def right(outcomes, form=rated, **options):
    """Documents of one pair each, which a judge orders rightly or not."""
    return [form(i, [float(outcome), 0.5], **options) for i, outcome in enumerate(outcomes)]


def pair_of_runs(tmp_path, a, b, options_a=None, options_b=None, **options):
    runs = (
        write_run(tmp_path / "a", a, **(options_a or {})),
        write_run(tmp_path / "b", b, **{**OTHER, **(options_b or {})}),
    )
    return compare_runs(runs, **options)


def only_row(comparison):
    (row,) = comparison.rows
    return row


def random_outcomes(seed, count=60, share=0.7):
    return (np.random.default_rng(seed).random(count) < share).astype(float)


def test_single_pairs_end_in_mcnemars_test(tmp_path):
    a, b = random_outcomes(1), random_outcomes(2, share=0.9)
    row = only_row(pair_of_runs(tmp_path, right(a), right(b)))
    found = row.part.difference
    only_a, only_b = int((a > b).sum()), int((b > a).sum())
    assert found.test == "mcnemar"
    assert found.p_value == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue)
    assert row.adjusted_p == found.p_value
    assert found.value == pytest.approx(b.mean() - a.mean())
    assert row.conclusion.startswith("org/other is better than org/judge by ")


def test_benchmarks_of_single_pairs_too_and_of_more_answers_not(tmp_path):
    a = [choice(i, [1, i % 2 * 2]) for i in range(8)]
    b = [choice(i, [1, 0]) for i in range(8)]
    assert only_row(pair_of_runs(tmp_path, a, b)).part.difference.test == "mcnemar"
    best = [choice(i, [1, 0, 0, 0]) for i in range(8)]
    found = only_row(pair_of_runs(tmp_path / "4", best, best)).part.difference
    assert found.test == "sign-flip"


def test_several_pairs_of_a_prompt_end_in_the_sign_flip_test(tmp_path):
    random_ = np.random.default_rng(0)
    a, b = ([rated(i, random_.normal(size=3), (5, 3, 1)) for i in range(9)] for _ in range(2))
    found = only_row(pair_of_runs(tmp_path, a, b)).part.difference
    differences = [y["acc"] - x["acc"] for x, y in zip(a, b, strict=True)]
    expected = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=np.inf
    ).pvalue
    assert (found.test, found.p_value) == ("sign-flip", pytest.approx(expected))
    interval = stats.t.interval(0.95, 8, np.mean(differences), stats.sem(differences))
    assert (found.interval.low, found.interval.high) == pytest.approx(interval)


def test_the_order_of_the_samples_changes_nothing(tmp_path):
    random_ = np.random.default_rng(5)
    a, b = ([rated(i, random_.normal(size=4), (5, 3, 2, 1)) for i in range(30)] for _ in range(2))
    a, b = a + a[:3], b + b[:3]
    first = pair_of_runs(tmp_path / "1", a, b, by=["source"])
    shuffled = pair_of_runs(
        tmp_path / "2",
        random.Random(1).sample(a, 33),
        random.Random(2).sample(b, 33),
        by=["source"],
    )
    assert shuffled == first


def test_a_run_against_itself(tmp_path):
    run = write_run(tmp_path / "a", right(random_outcomes(3)))
    comparison = compare_runs([run, run])
    found = only_row(comparison).part.difference
    assert (found.value, found.p_value, found.a_higher, found.b_higher) == (0.0, 1.0, 0, 0)
    assert [run.label for run in comparison.runs] == ["org/judge [1]", "org/judge [2]"]
    assert any("A and B are the same run" in said for said in comparison.cautions)


def test_swapping_the_runs_turns_the_signs_over(tmp_path):
    random_ = np.random.default_rng(7)
    a, b = ([rated(i, random_.normal(size=3), (5, 3, 1)) for i in range(25)] for _ in range(2))
    paths = [write_run(tmp_path / "a", a), write_run(tmp_path / "b", b, **OTHER)]
    forth, back = only_row(compare_runs(paths)), only_row(compare_runs(paths[::-1]))
    one, other = forth.part.difference, back.part.difference
    assert (other.value, other.p_value) == (-one.value, one.p_value)
    assert (other.interval.low, other.interval.high) == (-one.interval.high, -one.interval.low)
    assert (other.figure_a, other.figure_b) == (one.figure_b, one.figure_a)
    assert other.a_higher == one.b_higher


def test_documents_that_share_a_prompt_are_one_observation(tmp_path):
    a = [rated(i, [0, 1], prompt="one for all") for i in range(6)]
    b = [rated(i, [1, 0], prompt="one for all") for i in range(6)]
    found = only_row(pair_of_runs(tmp_path, a, b)).part.difference
    assert (found.documents, found.prompts, found.p_value) == (6, 1, 1.0)
    assert found.interval.low < 0


def test_three_runs_are_corrected_over_all_pairs(tmp_path):
    outcomes = {
        "a": random_outcomes(1, 80, 0.5),
        "b": random_outcomes(2, 80, 0.75),
        "c": random_outcomes(4, 80, 0.9),
    }
    paths = [
        write_run(tmp_path / name, right(of_run), model=f"org/{name}")
        for name, of_run in outcomes.items()
    ]
    comparison = compare_runs(paths)
    assert [(row.a, row.b) for row in comparison.rows] == [("A", "B"), ("A", "C"), ("B", "C")]
    raw = [row.part.difference.p_value for row in comparison.rows]
    order = np.argsort(raw)
    adjusted = np.maximum.accumulate(np.array(raw)[order] * [3, 2, 1]).clip(max=1)
    assert [comparison.rows[i].adjusted_p for i in order] == pytest.approx(adjusted.tolist())
    assert comparison.tests == 3
    assert len(comparison.agreements) == 3


def test_parts_are_rows_of_their_own_and_count_in_the_correction(tmp_path):
    def samples(shift):
        return [
            rated(i, [1, (i + shift) % 3], source=("flan", "sharegpt", None)[i % 3])
            for i in range(30)
        ]

    comparison = pair_of_runs(tmp_path, samples(0), samples(1), by=["source", "category"])
    rows = {row.part.name: row for row in comparison.rows}
    assert list(rows) == [None, "not given", "flan", "sharegpt"]
    assert comparison.tests == 4
    assert [rows[name].part.difference.documents for name in rows] == [30, 10, 10, 10]
    flan = rows["flan"].part.difference
    # The rewards are 1 against 0, 1 or 2: of run A's prompts 0, 3, ... all are right.
    assert (flan.figure_a, flan.figure_b) == (1.0, 0.5)
    assert ", source flan" in rows["flan"].conclusion
    assert "No task has parts by category." in comparison.cautions


def test_benchmarks_have_categories(tmp_path):
    a = [choice(i, [1, 0], "math" if i % 2 else "code") for i in range(10)]
    b = [choice(i, [1, 2 * (i % 2)], "math" if i % 2 else "code") for i in range(10)]
    comparison = pair_of_runs(tmp_path, a, b, by=["category"])
    values = {row.part.name: row.part.difference.value for row in comparison.rows}
    assert values == {None: -0.5, "code": 0.0, "math": -1.0}


def test_aspects_are_over_the_documents_that_have_a_pair_for_them(tmp_path):
    def samples(values):
        return [rated(i, [1, 0], aspects={"honesty": value}) for i, value in enumerate(values)]

    # The documents are single pairs by the preference; by an aspect they may be any.
    a, b = samples([1.0, 0.0, None, 1.0]), samples([0.0, 0.0, 1.0, 1.0])
    comparison = pair_of_runs(tmp_path, a, b[::-1], by=["aspect"])
    whole, honesty = comparison.rows
    found = honesty.part.difference
    assert (honesty.part.dimension, honesty.part.name, found.documents) == ("aspect", "honesty", 3)
    assert found.value == pytest.approx(-1 / 3)
    assert (whole.part.difference.test, found.test) == ("mcnemar", "sign-flip")
    assert whole.part.difference.value == 0.0


def test_one_document(tmp_path):
    row = only_row(pair_of_runs(tmp_path, right([0]), right([1])))
    found = row.part.difference
    assert (found.value, found.p_value, found.documents) == (1.0, 1.0, 1)
    assert row.conclusion.startswith("No difference is shown between")


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
    assert any("No document of A is one of B" in said for said in comparison.cautions)
    assert comparison.unmatched[0].only_a == 2


def test_a_judge_that_abstains_is_compared_where_it_does_not(tmp_path):
    a = right([1, math.nan, 0])
    comparison = pair_of_runs(tmp_path, a, right([1, 1, 1]))
    assert only_row(comparison).part.difference.documents == 2
    assert any(
        "A left documents without a score, 1 of them" in said for said in comparison.cautions
    )


def test_different_pairs_of_the_same_documents_are_pointed_out(tmp_path):
    a = [rated(0, [3, 2, 1], (5, 3, 1))]
    b = [rated(0, [3, math.nan, 1], (5, 3, 1))]
    said = pair_of_runs(tmp_path, a, b).cautions
    assert any("A has 2 pairs that B does not have, and B 0" in one for one in said)


def test_no_shared_task_is_an_error_that_names_them(tmp_path):
    a = write_run(tmp_path / "a", {"mine": right([1])})
    b = write_run(tmp_path / "b", {"yours": right([1])}, **OTHER)
    with pytest.raises(DataError, match="org/judge has mine; org/other has yours"):
        compare_runs([a, b])


def test_one_run_is_no_comparison(tmp_path):
    run = write_run(tmp_path / "a", right([1]))
    with pytest.raises(DataError, match="one run here, org/judge; a comparison needs two"):
        compare_runs([run])
    with pytest.raises(DataError, match="one run"):
        compare(read_evaluations(run))


def test_a_folder_with_several_judges_is_as_many_runs(tmp_path):
    write_run(tmp_path / "runs" / "a", right([1, 0, 1]))
    write_run(tmp_path / "runs" / "b", right([1, 1, 1]), **OTHER)
    comparison = compare_runs([tmp_path / "runs"])
    assert [run.label for run in comparison.runs] == ["org/judge", "org/other"]
    assert any("runs holds 2 models or settings" in said for said in comparison.cautions)


def test_runs_stand_in_the_order_given(tmp_path):
    paths = [write_run(tmp_path / name, right([1]), model=f"org/{name}") for name in ("z", "a")]
    assert [run.label for run in compare_runs(paths).runs] == ["org/z", "org/a"]


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
        "pairs: The runs differ in the task's settings, and a difference may be theirs: min_gap is "
        "0.0 in A, 1.0 in B."
    )
    assert {one.name for one in comparison.settings} == {"min_gap", "data_used"}


def test_a_task_with_several_settings_is_matched_by_them(tmp_path):
    for number, gap in enumerate((0.0, 1.0)):
        options = {"metadata": {"min_gap": gap}, "stamp": f"2026-03-04T05-06-0{number}"}
        write_run(tmp_path / "a", right([1, gap]), **options)
        write_run(tmp_path / "b", right([1, 1]), **OTHER, **options)
    comparison = compare_runs([tmp_path / "a", tmp_path / "b"])
    values = {row.task: row.part.difference.value for row in comparison.rows}
    assert values == {"pairs (min_gap=0.0)": 0.5, "pairs (min_gap=1.0)": 0.0}
    assert not any("settings" in said for said in comparison.cautions)


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
    assert "one, two: A saw a part of the data alone (limit 2)." in said
    assert sum(one.startswith("one, two: In-sample: the judge of A") for one in said) == 1
    assert not any("In-sample: the judge of B" in one for one in said)


def test_what_is_true_of_many_tasks_is_said_once(tmp_path):
    tasks = {f"task_{i}": right([1, 0]) for i in range(6)}
    config = {"judge": "ultrarm", "pretrained": "org/judge", "limit": 2}
    said = pair_of_runs(tmp_path, tasks, tasks, {"config": config}).cautions
    assert said == (
        "task_0, task_1, task_2 and 3 others: A saw a part of the data alone (limit 2).",
    )


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
    assert "taken for independent" in row.conclusion
    assert any("There are no samples of A" in said for said in comparison.cautions)
    assert comparison.agreements == ()


def test_figures_without_standard_errors_have_no_test(tmp_path):
    options = {"figures": {"acc,none": 0.7, "acc_stderr,none": "N/A"}}
    comparison = pair_of_runs(tmp_path, [], [], options, options)
    row = only_row(comparison)
    assert (row.part.difference.interval, row.adjusted_p, comparison.tests) == (None, None, 0)
    assert any("There is nothing in the samples of A" in said for said in comparison.cautions)


def test_figures_over_different_documents_are_pointed_out(tmp_path):
    options = [
        {"figures": {"acc,none": 0.7, "acc_stderr,none": 0.1}, "metadata": {"data_digest": digest}}
        for digest in ("1", "2")
    ]
    said = pair_of_runs(tmp_path, [], [], *options).cautions
    assert any("A and B are over different documents" in one for one in said)


def test_damaged_lines_are_left_out_and_said(tmp_path):
    run = write_run(tmp_path / "a", right([1, 0, 1]))
    (path,) = run.glob("samples_*")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][: len(lines[1]) // 2], lines[2]]) + "\n")
    comparison = compare_runs([run, write_run(tmp_path / "b", right([1, 1, 1]), **OTHER)])
    assert only_row(comparison).part.difference.documents == 2
    assert any("1 lines of the samples are left out" in said for said in comparison.cautions)
    assert comparison.unmatched[0].first_b == ("1",)


def test_damaged_results_leave_what_the_samples_say(tmp_path):
    run = write_run(tmp_path / "a", right([1, 0, 1]))
    (path,) = run.glob("results_*")
    path.write_text(path.read_text()[:40])
    comparison = compare_runs([run, write_run(tmp_path / "b", right([1, 1, 1]), **OTHER)])
    assert only_row(comparison).part.difference.value == pytest.approx(1 / 3)
    assert any("no readable JSON" in said for said in comparison.cautions)


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
    assert row.conclusion.startswith("org/other is better than org/judge by 0.5")
    assert "(loss, lower is better)" in row.conclusion


def test_runs_with_different_metrics_are_not_paired(tmp_path):
    a = [foreign(i, "acc", 1.0) for i in range(3)]
    b = [foreign(i, "f1", 1.0) for i in range(3)]
    comparison = pair_of_runs(tmp_path, a, b, {"metric": "acc"}, {"metric": "f1"})
    assert comparison.rows == ()
    said = comparison.cautions
    assert any("no document with a value of the same metric" in one for one in said)
    assert any("no figure in common" in one for one in said)


def test_a_figure_that_weighs_documents_otherwise_is_pointed_out(tmp_path):
    said = pair_of_runs(
        tmp_path, right([1, 0, 0, 1]), right([1, 1, 1, 1]), {"figures": {"acc,none": 0.6}}
    ).cautions
    assert any("gives A 0.5000; the figure in its results, 0.6000" in one for one in said)
    assert not any("gives B" in one for one in said)


def test_samples_without_hashes_are_pointed_out(tmp_path):
    samples = right([1, 0])
    bare = [{k: v for k, v in sample.items() if k != "doc_hash"} for sample in samples]
    comparison = pair_of_runs(tmp_path, bare, bare)
    assert only_row(comparison).part.difference.documents == 2
    assert any("have no hashes of documents" in said for said in comparison.cautions)


def test_without_a_difference_one_test_in_twenty_shows_one(tmp_path):
    random_ = np.random.default_rng(2026)
    prompts, runs = 40, 250
    shown = covered = 0
    for number in range(runs):
        # Two judges of the same quality, with six pairs of each prompt that share its answers, and
        # noise of which both have a part in common.
        quality = np.array([3, 2, 1, 0]) * 0.4 + random_.normal(size=(prompts, 4))
        rewards = quality + random_.normal(size=(2, prompts, 4))
        paths = [
            write_run(
                tmp_path / f"{number} {judge}",
                [rated(i, rewards[judge, i], (5, 4, 3, 2)) for i in range(prompts)],
                model=f"org/{judge}",
            )
            for judge in (0, 1)
        ]
        row = only_row(compare_runs(paths))
        assert row.part.difference.test == "sign-flip"
        shown += is_shown(row.adjusted_p)
        covered += row.part.difference.interval.low <= 0 <= row.part.difference.interval.high
    # The test is exact and the sums are few distinct numbers: its level is a little below 5 %.
    assert stats.binom.ppf(0.001, runs, 0.03) <= shown <= stats.binom.ppf(0.999, runs, 0.05)
    assert covered >= stats.binom.ppf(0.001, runs, 0.95)

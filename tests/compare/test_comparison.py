import random

import numpy as np
import pytest
from scipy import stats

from tests.compare.compared import OTHER, only_row, pair_of_runs, random_outcomes, right
from tests.compare.written_runs import choice, rated, write_run
from ultrarm_eval.compare.compute import compare_runs
from ultrarm_eval.compare.statements import is_shown


def test_single_pairs_end_in_mcnemars_test(tmp_path):
    a, b = random_outcomes(1), random_outcomes(2, share=0.9)
    row = only_row(pair_of_runs(tmp_path, right(a), right(b)))
    found = row.part.difference
    only_a, only_b = int((a > b).sum()), int((b > a).sum())
    assert found.test == "mcnemar"
    assert found.p_value == pytest.approx(stats.binomtest(only_a, only_a + only_b).pvalue)
    assert row.adjusted_p == found.p_value
    assert found.value == pytest.approx(b.mean() - a.mean())
    assert row.conclusion.startswith(
        "org/other is significantly better than org/judge on pairs, by "
    )


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
    assert "No task has subsets by category." in comparison.cautions


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
    assert row.conclusion.startswith("There is no significant difference between")


@pytest.mark.slow
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

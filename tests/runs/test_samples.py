import functools
import json
import math

import numpy as np
import pytest

from tests.report.written_runs import (
    TASK,
    choice,
    choice_sample,
    judged_sample,
    prompted,
    rated,
    rated_sample,
    samples_of,
    write_run,
)
from tests.runs.observed import keys
from tests.runs.observed import observed as observed_run
from ultrarm_eval.runs.digest import content_digest, documents_digest
from ultrarm_eval.runs.evaluation import read_evaluation
from ultrarm_eval.runs.sample_values import sample_value
from ultrarm_eval.runs.samples_file import read_samples

NAN = math.nan


@pytest.fixture
def observed(tmp_path):
    """Writes a run with samples, and observes its only task."""

    return functools.partial(observed_run, tmp_path)


FIRST = rated(
    3,
    ["a", "bbbb", "cc"],
    ["1", "5", None],
    prompt=("two", "turns"),
    source="flan",
    aspects={"honesty": ["1", "1", "2"], "helpfulness": [None, None, "4"]},
)
SECOND = rated(7, ["", "dd"], ["4", "13/3"], prompt=("two", "turns"))


def test_the_columns_of_a_run(observed):
    found = observed(samples_of(rated_sample, [(FIRST, [0.5, -1.0, 2.0]), (SECOND, [1.0, 1.0])]))
    documents, pairs, completions = found.documents, found.pairs, found.completions
    assert found.kind == "preference"
    assert documents.number.tolist() == [0, 1]
    assert documents.value.tolist() == [0.0, 0.5]
    assert documents.prompt.tolist() == [0, 0]
    assert documents.prompt_length.tolist() == [8, 8]
    assert found.parts.to_dict("list") == {"source": ["flan", ""]}
    # Honesty orders the third completion above both others, and only the first of them by reward.
    np.testing.assert_array_equal(found.aspects["honesty"], [1.0, NAN])
    np.testing.assert_array_equal(found.aspects["helpfulness"], [NAN, NAN])
    assert pairs.document.tolist() == [0, 1]
    assert pairs.chosen.tolist() == [1, 1]
    assert pairs.rejected.tolist() == [0, 0]
    assert pairs.chosen_reward.tolist() == [-1.0, 1.0]
    assert pairs.rejected_reward.tolist() == [0.5, 1.0]
    assert pairs.margin.tolist() == [-1.5, 0.0]
    assert pairs.credit.tolist() == [0.0, 0.5]
    assert pairs.gap.tolist() == pytest.approx([4, 1 / 3])
    assert pairs.chosen_length.tolist() == [4, 2]
    assert pairs.rejected_length.tolist() == [1, 0]
    assert completions.document.tolist() == [0, 0, 0, 1, 1]
    assert completions.reward.tolist() == [0.5, -1.0, 2.0, 1.0, 1.0]
    np.testing.assert_array_equal(completions.rating, [1, 5, NAN, 4, 13 / 3])
    assert completions.length.tolist() == [1, 4, 2, 0, 2]
    assert (found.counts, found.remarks) == ({}, ())


def test_a_document_starts_where_its_line_does(observed, tmp_path):
    texts = ["ä", "\u2028"]
    judged = [(rated(row, texts, ["1", "2"]), [0.0, 1.0]) for row in range(3)]
    found = observed(samples_of(rated_sample, judged))
    content = next(tmp_path.glob("samples_*")).read_bytes()
    rows = [json.loads(content[start:].split(b"\n")[0]) for start in found.documents.start]
    assert [row["doc"]["row"] for row in rows] == [0, 1, 2]


def test_equal_documents_are_numbered(observed):
    judged = [(FIRST, [0.0, 1.0, 0.0]), (SECOND, [0.0, 1.0]), (FIRST, [1.0, 0.0, 0.0])]
    samples = samples_of(rated_sample, judged)
    first, second = samples[0]["doc_hash"], samples[1]["doc_hash"]
    found = observed(samples)
    of_first, of_second = (content_digest(one["doc"]) for one in samples[:2])
    assert keys(found) == [(of_first, 0), (of_second, 0), (of_first, 1)]
    assert found.documents.value.tolist() == [1.0, 1.0, 0.0]
    assert found.digest == documents_digest([(first, 1), (second, 0), (first, 0)])


def test_documents_without_a_prompt_share_none(observed):
    judged = [(rated(row, ["a", "b"], ["1", "2"], prompt=()), [0.0, 1.0]) for row in (1, 1, 2)]
    found = observed(samples_of(rated_sample, judged))
    assert found.documents.prompt.nunique() == 3


def test_a_prompt_is_told_by_its_roles_too(observed):
    said = rated(1, ["a", "b"], ["1", "2"], prompt="x")
    told = {**said, "prompt": [{"role": "system", "content": "x"}]}
    found = observed(samples_of(rated_sample, [(said, [0.0, 1.0]), (told, [0.0, 1.0])]))
    assert found.documents.prompt.nunique() == 2


def test_a_prompt_has_one_number_in_every_order_of_the_lines(observed, tmp_path):
    judged = [(rated(row, ["a", "b"], ["1", "2"]), [0.0, 1.0]) for row in range(9)]
    samples = samples_of(rated_sample, judged)
    found = observed(samples)
    (path,) = tmp_path.glob("samples_*")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[5:], *lines[:5]]))
    other = read_samples(found.result)
    of = [
        dict(zip(one.documents.hash, one.documents.prompt, strict=True)) for one in (found, other)
    ]
    assert of[0] == of[1]
    assert found.prompt_keys == other.prompt_keys == sorted(found.prompt_keys)


@pytest.mark.parametrize(("ties", "credit"), [("half", 0.5), ("wrong", 0.0)])
def test_a_tie_is_worth_what_the_task_says(observed, ties, credit):
    doc = rated(0, ["a", "b", "c"], ["1", "2", "3"])
    metadata = {"ties": ties}
    found = observed(samples_of(rated_sample, [(doc, [1.0, 1.0, 2.0])], metadata), metadata)
    assert found.pairs.credit.tolist() == [credit, 1.0, 1.0]
    assert found.documents.value.tolist() == [pytest.approx((2 + credit) / 3)]


def test_pairs_closer_than_the_least_gap_are_none(observed):
    doc = rated(0, ["a", "b", "c"], ["1", "11/10", "12/10"])
    # A tenth is no float: ratings a tenth apart are still as far apart as asked for.
    metadata = {"min_gap": 0.1}
    found = observed(samples_of(rated_sample, [(doc, [1.0, 2.0, 3.0])], metadata), metadata)
    assert len(found.pairs) == 3
    metadata = {"min_gap": 0.2}
    found = observed(samples_of(rated_sample, [(doc, [1.0, 2.0, 3.0])], metadata), metadata)
    assert list(zip(found.pairs.chosen, found.pairs.rejected, strict=True)) == [(2, 0)]


@pytest.mark.parametrize(("right", "credit"), [("A", 0.0), ("B", 1.0)])
def test_a_benchmarks_own_rule_for_equal_rewards_is_kept_for_its_pairs(observed, right, credit):
    doc = choice(0, ["a"], ["b"], labels={"right": right, "split": "gpt"})
    metadata = {"suite": "judgebench", "ties": "the benchmark's own rule"}
    found = observed(samples_of(choice_sample, [(doc, [2.0, 2.0])], metadata), metadata)
    assert found.pairs.credit.tolist() == [credit]
    assert found.pairs.margin.tolist() == [0.0]


def test_every_right_answer_is_compared_with_every_wrong_one(observed):
    doc = choice(0, ["a", "bb"], ["c", "dd", "eee"], subset="math")
    metadata = {"suite": "rewardbench2", "ties": "the benchmark's own rule"}
    sample = choice_sample(0, doc, [3.0, 1.0, 2.0, 0.0, 1.0], metadata)
    found = observed([sample], metadata)
    pairs = list(zip(found.pairs.chosen, found.pairs.rejected, strict=True))
    assert pairs == [(0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (1, 4)]
    assert found.pairs.credit.tolist() == [1, 1, 1, 0, 1, 0.5]
    assert found.parts.to_dict("list") == {"category": ["math"]}
    assert found.completions.rating.tolist() == [1, 1, 0, 0, 0]


@pytest.mark.parametrize("written", [lambda value: value, sample_value], ids=["list", "text"])
def test_a_task_whose_accuracy_is_no_mean_has_pairs_and_no_values(observed, written):
    doc = choice(0, ["a"], ["b"], subset="Ties")
    metadata = {"suite": "rewardbench2", "ties": "the benchmark's own rule"}
    sample = choice_sample(0, doc, [2.0, 1.0], metadata)
    found = observed(
        [{**sample, "acc": written(["Ties", 1.0, "ref:0", [2.0], [1.0]])}],
        metadata,
        figures={"acc,none": 0.61},
    )
    assert np.isnan(found.documents.value).tolist() == [True]
    assert found.pairs.credit.tolist() == [1.0]


class TestAnswersBesideReferences:
    def test_values_are_wins_and_not_rewards(self, observed):
        samples = [
            judged_sample(0, prompted(0, "reference"), ["an answer"], [5.0], 4.0),
            judged_sample(1, prompted(1, "x"), ["y"], [-3.0], -3.0),
        ]
        found = observed(samples)
        assert found.kind == "reference"
        assert found.documents.value.tolist() == [1.0, 0.5]
        assert found.pairs.margin.tolist() == [1.0, 0.0]
        assert np.isnan(found.pairs.gap).all()
        assert found.pairs.chosen_length.tolist() == [9, 1]
        assert found.pairs.rejected_length.tolist() == [9, 1]
        assert np.isnan(found.completions.rating).all()

    def test_of_several_answers_the_value_is_the_mean(self, observed):
        doc = prompted(0, "reference")
        found = observed([judged_sample(0, doc, ["a", "b", "c"], [1.0, 2.0, 3.0], 2.0)])
        assert found.documents.value.tolist() == [0.5]
        assert found.pairs.chosen.tolist() == [0, 1, 2]
        assert found.pairs.rejected.tolist() == [3, 3, 3]

    @pytest.mark.parametrize(
        ("rewards", "reference"), [([9.0], None), ([None], 1.0), ([None, 2.0], 1.0)]
    )
    def test_without_a_score_there_is_no_win(self, observed, rewards, reference):
        answers = ["a", "b"][: len(rewards)]
        samples = [
            judged_sample(0, prompted(0, "r"), answers, rewards, reference),
            judged_sample(
                1, prompted(1, "r"), ["a", "b"][: len(rewards)], [0.0] * len(rewards), 1.0
            ),
        ]
        found = observed(samples)
        # The first one's reward, which it may have, is no win rate.
        assert found.documents.value.tolist() == [0.0]
        assert found.counts == {"documents_without_score": 1}


class TestOtherTasks:
    def test_their_values_are_those_of_the_main_metric(self, observed):
        samples = [
            {"doc_id": i, "doc": {"q": i}, "doc_hash": str(i), "filter": "none"} for i in range(3)
        ]
        for sample, value in zip(samples, (True, 0.25, "no"), strict=True):
            sample |= {"metrics": ["exact_match"], "exact_match": value}
        found = observed(samples)
        assert found.kind is None
        np.testing.assert_array_equal(found.documents.value, [1.0, 0.25, NAN])
        assert len(found.pairs) == len(found.completions) == 0

    def test_the_main_metrics_filter_alone_is_read(self, observed):
        of_filters = [
            {"doc_id": 0, "doc": {}, "doc_hash": "x", "filter": name, "metrics": ["m"], "m": value}
            for name, value in (("loose", 1.0), ("none", 0.0))
        ]
        assert observed(of_filters, figures={"m,none": 0.0}).documents.value.tolist() == [0.0]

    def test_of_a_run_without_figures_one_filter_is_read(self, tmp_path):
        (sample,) = samples_of(rated_sample, [(FIRST, [0.0, 1.0, 0.0])])
        write_run(tmp_path, [sample, {**sample, "filter": "other"}]).unlink()
        (result,) = read_evaluation(tmp_path).tasks.values()
        found = read_samples(result)
        assert found.documents.value.tolist() == [1.0]


def test_the_task_of_the_run_is_the_one_that_was_written(observed):
    assert observed(samples_of(rated_sample, [(FIRST, [0.0, 1.0, 0.0])])).result.task == TASK


def test_a_tie_of_rm_bench_is_as_wrong_among_the_pairs_as_in_its_accuracy(observed):
    metadata = {"suite": "rm_bench", "ties": "the benchmark's own rule"}
    doc = choice(0, ["a", "b", "c"], ["d", "e", "f"])
    found = observed([choice_sample(0, doc, [1.0] * 6, metadata)], metadata)
    assert found.documents.value.tolist() == [0.0]
    assert found.pairs.credit.tolist() == [0.0] * 9


@pytest.mark.parametrize(("subset", "credit"), [("Ties", 0.0), ("Math", 0.5)])
def test_a_tie_of_rewardbench_2_earns_what_the_subset_gives_it(observed, subset, credit):
    doc = {**choice(0, ["a"], ["b", "c"], subset=subset), "id": "ref:0"}
    metadata = {"suite": "rewardbench2", "ties": "the benchmark's own rule"}
    found = observed([choice_sample(0, doc, [1.0, 1.0, 0.0], metadata)], metadata)
    assert found.pairs.credit.tolist() == [credit, 1.0]


def test_another_rule_for_ties_wins_over_the_benchmarks(observed):
    doc = choice(0, ["a"], ["b"], subset="alpacaeval-easy")
    for ties, credit in (("half", 0.5), ("wrong", 0.0)):
        metadata = {"suite": "rewardbench", "ties": ties}
        found = observed([choice_sample(0, doc, [1.0, 1.0], metadata)], metadata)
        assert found.pairs.credit.tolist() == [credit]
        assert found.evidence == [["alpacaeval-easy", credit]]

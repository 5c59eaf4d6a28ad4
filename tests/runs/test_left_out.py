"""What of the samples is left out, and what is said of it."""

import functools
import math

import pytest

from tests.report.written_runs import (
    choice,
    choice_sample,
    rated,
    rated_sample,
    samples_of,
)
from tests.runs.observed import keys
from tests.runs.observed import observed as observed_run
from ultrarm_eval.runs.digest import content_digest
from ultrarm_eval.runs.evaluation import read_evaluation
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


class TestAbstentions:
    def test_what_has_no_score_is_in_no_pair(self, observed):
        doc = rated(0, ["a", "b", "c"], ["1", "2", "3"])
        found = observed(samples_of(rated_sample, [(doc, [1.0, NAN, 2.0])]))
        assert (found.pairs.chosen.tolist(), found.pairs.rejected.tolist()) == ([2], [0])
        assert found.completions.reward.tolist() == [1.0, 2.0]
        assert found.counts == {}

    def test_documents_without_a_pair_are_left_out_and_counted(self, observed):
        judged = [(FIRST, [NAN, 1.0, 0.0]), (FIRST, [0.0, 1.0, 0.0]), (SECOND, [NAN, NAN])]
        samples = samples_of(rated_sample, judged)
        found = observed(samples)
        assert found.counts == {"documents_without_score": 2}
        assert found.completions.document.tolist() == [0, 0, 0]
        # It is the second of its hash: of another judge, too, which scored the first as well.
        assert keys(found) == [(content_digest(samples[0]["doc"]), 1)]

    def test_the_digest_is_that_of_a_judge_that_scored_everything(self, observed):
        scored = observed(
            samples_of(rated_sample, [(FIRST, [0.0, 1.0, 0.0]), (SECOND, [0.0, 1.0])])
        )
        some = observed(samples_of(rated_sample, [(FIRST, [0.0, NAN, 0.0]), (SECOND, [0.0, 1.0])]))
        assert some.digest == scored.digest

    def test_an_item_of_a_benchmark_counts_wholly_or_not_at_all(self, observed):
        metadata = {"suite": "rewardbench2", "ties": "the benchmark's own rule"}
        judged = [
            (choice(0, ["a"], ["b", "c", "d"]), [3.0, NAN, 1.0, 2.0]),
            (choice(1, ["a"], ["b", "c", "d"]), [3.0, 1.0, 1.0, 2.0]),
        ]
        found = observed(samples_of(choice_sample, judged, metadata), metadata)
        assert found.pairs.document.tolist() == [0, 0, 0]
        assert found.documents.number.tolist() == [1]
        assert found.counts == {"documents_without_score": 1}


class TestDamage:
    def test_damaged_lines_are_counted_and_the_first_is_named(self, observed, tmp_path):
        samples = samples_of(rated_sample, [(FIRST, [0.0, 1.0, 0.0]), (SECOND, [0.0, 1.0])])
        del samples[0]["filtered_resps"]
        assert observed(samples).counts == {"lines_damaged": 1}
        (path,) = tmp_path.glob("samples_*")
        path.write_bytes(path.read_bytes()[:-20])
        (result,) = read_evaluation(tmp_path).tasks.values()
        assert read_samples(result) is None
        path.write_bytes(b"\xff\n" + path.read_bytes().split(b"\n")[1] + b"}}}\n[]\n")
        assert read_samples(result) is None

    def test_the_rest_is_read(self, observed, tmp_path):
        samples = samples_of(rated_sample, [(FIRST, [0.0, 1.0, 0.0]), (SECOND, [0.0, 1.0])])
        observed(samples)
        (path,) = tmp_path.glob("samples_*")
        path.write_bytes(b"{\n" + path.read_bytes()[:-30])
        (result,) = read_evaluation(tmp_path).tasks.values()
        found = read_samples(result)
        assert found.documents.number.tolist() == [0]
        assert found.counts == {"lines_damaged": 2}
        (remark,) = found.remarks
        assert remark.startswith("2 lines of the samples were skipped, the first of them: ")
        assert f"{path}, line 1: this is not valid JSON" in remark

    def test_samples_without_hashes_have_no_digest(self, observed):
        (sample,) = samples_of(rated_sample, [(FIRST, [0.0, 1.0, 0.0])])
        del sample["doc_hash"]
        found = observed([sample])
        assert found.digest is None
        assert keys(found) == [("0", 0)]

    def test_without_samples_there_is_nothing(self, observed):
        assert observed(None) is None
        assert observed([]) is None

import math

import pytest

from tests.report.written_runs import (
    judged_sample,
    prompted,
    rated,
    rated_sample,
    samples_of,
    write_run,
)
from tests.runs.observed import observed
from ultrarm_eval.report.task_report import report_task
from ultrarm_eval.runs.evaluation import read_evaluation
from ultrarm_eval.runs.samples_file import read_samples
from ultrarm_eval.stats import bootstrap

DOC = rated(0, ["a", "b"], ["2", "1"])
JUDGED = [(DOC, [1.0, 0.0]), (DOC, [math.nan, 0.0])]


def report_on(folder, metadata=None, judged=JUDGED, **options):
    write_run(folder, samples_of(rated_sample, judged), metadata, **options)
    ((title, result),) = read_evaluation(folder).tasks.items()
    return report_task(title, result, read_samples(result))


def test_figures_settings_and_counts_are_the_runs(tmp_path):
    metadata = {
        "ties": "half",
        "min_gap": 0.0,
        "data_used": "pairs.jsonl",
        "counts": {"rows": 3},
        "documents_without_score": 1,
        "answers_without_score": 0,
    }
    found = report_on(tmp_path, metadata, higher_is_better={"pairs": {"acc": True}})
    assert (found.main.metric, found.main.value) == ("acc", 1.0)
    assert found.main.higher_is_better
    assert found.settings == {"ties": "half", "min_gap": 0.0, "version": 1.0}
    assert found.counts == {"rows": 3, "documents_without_score": 1}
    assert found.data["data"] == "pairs.jsonl"
    # One of two documents has no score: nothing is missing in the file.
    assert (found.data["documents"], found.remarks) == (1, ())


@pytest.mark.parametrize("counts", [None, 3, [1], "rows", True])
def test_counts_that_are_none_are_left_out(tmp_path, counts):
    found = report_on(tmp_path, {"counts": counts}, judged=JUDGED[:1])
    assert found.counts == {}


def test_a_part_of_the_data_is_said(tmp_path):
    found = report_on(tmp_path, {"shard": "1/4"}, config={"limit": 0.5})
    assert found.partial == {"limit": 0.5, "shard": "1/4"}
    assert found.remarks == (
        "Partial run: only a subset of the data was evaluated (limit 0.5, shard 1/4).",
    )


def test_the_margins_of_answers_beside_references_are_no_probabilities(tmp_path):
    write_run(tmp_path, [judged_sample(0, prompted(0, "r"), ["a"], [1.0], 0.0)])
    ((title, result),) = read_evaluation(tmp_path).tasks.items()
    found = report_task(title, result, read_samples(result))
    assert found.kind == "reference"
    assert found.calibration is None
    assert found.margins.right == 1


def test_the_prompts_are_drawn_once_for_all_figures_of_a_task(tmp_path, monkeypatch):
    drawn = []
    draw = bootstrap._replicates
    monkeypatch.setattr(
        bootstrap, "_replicates", lambda *of, **how: drawn.append(of) or draw(*of, **how)
    )
    judged = [
        (rated(row, ["x" * (1 + row), "yy", "zzz"], ["1", "2", "4"]), [float(row), 1.0, 2.0])
        for row in range(8)
    ]
    found = observed(tmp_path, samples_of(rated_sample, judged))
    report = report_task("t", found.result, found)
    assert len(drawn) == 1
    assert report.pooled.interval.method == "bootstrap"
    assert {one.dimension for one in report.slices if one.pooled} == {"rating gap", "length"}
    assert report.lengths.pick_longest_interval is not None
    assert report.lengths.length_controlled_interval is not None

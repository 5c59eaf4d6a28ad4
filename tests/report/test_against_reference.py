"""The figures of `ultrarm-eval report` against a second implementation, on real and drawn runs."""

import json
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.exports.runs import harness_run
from tests.report.checked_figures import check, close, report_of, sliced
from tests.report.drawn_runs import answered, choices, known_or_none, rated_documents
from tests.report.written_runs import (
    TASK,
    choice_sample,
    rated,
    rated_sample,
    samples_of,
    write_run,
)
from ultrarm_eval.cli.main import main

DEMO = "ultrafeedback_pairs_demo"


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory):
    """The bundled pairs and judge, by the harness."""
    folder = tmp_path_factory.mktemp("demo")
    harness_run(folder, [DEMO], {})
    return folder / "demo"


def test_the_figures_of_a_run_of_the_harness(demo_run, tmp_path, capsys):
    check(demo_run, DEMO)
    # The command writes what the library gives.
    assert main(["report", str(demo_run), "--format", "json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["judges"][0]["tasks"][0] == report_of(demo_run)[0]


def test_the_reports_accuracies_are_the_harnesss_own(demo_run):
    (results,) = demo_run.glob("results_*.json")
    figures = json.loads(results.read_text())["results"][DEMO]
    metadata = json.loads(results.read_text())["configs"][DEMO]["metadata"]
    task, _ = report_of(demo_run)
    assert task["overall"]["accuracy"] == close(figures["acc,none"])
    assert task["pooled"]["accuracy"] == close(figures["acc_pairs,none"])
    assert task["lengths"]["pick_longest"] == close(figures["acc_longest,none"])
    assert task["lengths"]["length_controlled"] == close(figures["acc_length_controlled,none"])
    for one in sliced(task, "aspect"):
        assert one["accuracy"] == close(figures[f"acc_{one['name']},none"])
    assert task["data"]["digest"] == metadata["data_digest"]


def test_written_runs_are_what_the_harness_writes(demo_run):
    (samples,) = demo_run.glob("samples_*.jsonl")
    for number, line in enumerate(samples.read_text("utf-8").splitlines()):
        sample = json.loads(line)
        rewards = [float(answer[0]) for answer in sample["filtered_resps"]]
        written = json.loads(json.dumps(rated_sample(number, sample["doc"], rewards, {})))
        assert {**sample, **written, "target": sample["target"]} == sample


@pytest.fixture
def emptied(tmp_path):
    """Gives a folder that is empty again for each example."""

    def empty():
        for path in tmp_path.iterdir():
            path.unlink()
        return tmp_path

    return empty


in_a_folder = settings(
    max_examples=examples(50),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


def written_and_checked(folder, samples, metadata=None):
    write_run(folder, samples, metadata)
    check(folder, TASK)


@in_a_folder
@given(
    judged=rated_documents(),
    ties=st.sampled_from(["half", "wrong"]),
    min_gap=st.sampled_from([0.0, 0.1, 0.5, 1.0, 4.0]),
)
def test_drawn_runs_of_rated_completions(emptied, judged, ties, min_gap):
    metadata = {"ties": ties, "min_gap": min_gap}
    written_and_checked(emptied(), samples_of(rated_sample, judged, metadata), metadata)


@in_a_folder
@given(judged=rated_documents(known_or_none))
def test_drawn_runs_of_a_judge_that_abstains(emptied, judged):
    written_and_checked(emptied(), samples_of(rated_sample, judged))


@in_a_folder
@given(
    judged=choices(1, 1, known_or_none), suite=st.sampled_from(["rewardbench", "llmbar"]), tie=...
)
def test_drawn_runs_of_benchmarks_with_pairs(emptied, judged, suite, tie: bool):
    metadata = {"suite": suite, "ties": "half" if tie else "wrong"}
    written_and_checked(emptied(), samples_of(choice_sample, judged, metadata), metadata)


@in_a_folder
@given(judged=choices(1, 3, known_or_none))
def test_drawn_runs_of_a_benchmark_with_the_best_of_four(emptied, judged):
    metadata = {"suite": "rewardbench2", "ties": "the benchmark's own rule"}
    written_and_checked(emptied(), samples_of(choice_sample, judged, metadata), metadata)


@in_a_folder
@given(samples=st.one_of(answered(1, known_or_none), answered(2, known_or_none)))
def test_drawn_runs_of_a_model_that_writes(emptied, samples):
    written_and_checked(emptied(), samples)


JUDGES = {
    "constant": lambda rating, text: 0.25,
    "random": lambda rating, text: random.Random(f"{rating}{text}").gauss(0, 1),
    "longest": lambda rating, text: float(len(text)),
    "oracle": lambda rating, text: float(rating),
    "anti-oracle": lambda rating, text: -float(rating),
}


@pytest.mark.few(3)
@pytest.mark.parametrize("name", JUDGES)
def test_judges_whose_figures_are_known(tmp_path, name):
    drawn = random.Random(1)
    judged = []
    for row in range(60):
        ratings = [str(rating) for rating in drawn.sample(range(1, 9), 4)]
        answers = [f"{i}" + "x" * drawn.randrange(30) for i in range(4)]
        rewards = [JUDGES[name](*one) for one in zip(ratings, answers, strict=True)]
        judged.append((rated(row, answers, ratings), rewards))
    written_and_checked(tmp_path, samples_of(rated_sample, judged))
    task, _ = report_of(tmp_path)
    accuracy, lengths = task["overall"]["accuracy"], task["lengths"]
    expected = {"constant": 0.5, "oracle": 1.0, "anti-oracle": 0.0}
    if name in expected:
        assert accuracy == expected[name]
        assert lengths["length_controlled"] == expected[name]
    if name == "longest":
        assert accuracy == task["pooled"]["accuracy"] == close(lengths["pick_longest"])
        assert (lengths["follows_length"], lengths["correlation"]) == (1.0, close(1.0))
        assert lengths["length_controlled"] == 0.5
    if name == "oracle":
        assert task["ranks"]["shares"] == np.eye(4).tolist()
    if name == "constant":
        assert np.ravel(task["ranks"]["shares"]).tolist() == [0.25] * 16
        assert task["calibration"]["error"] == 0.0
    if name == "random":
        assert 0.4 < accuracy < 0.6

"""The figures of `ultrarm-eval report` against a second implementation, on real and drawn runs."""

import json
import math
import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.report import reference
from tests.report.reference_documents import read
from tests.report.reference_statistics import spearman
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
from tests.results.exports.runs import harness_run
from ultrarm_eval.cli.main import main
from ultrarm_eval.report.contents import make_report
from ultrarm_eval.results.evaluation import read_evaluations
from ultrarm_eval.results.plain import as_plain

CLOSE = 1e-9
DEMO = "ultrafeedback_pairs_demo"
ASPECTS = ("helpfulness", "honesty")
RATINGS = (None, "1", "2", "5/2", "8/3", "13/4", "10/3", "4", "5")


def close(value):
    return None if value is None else pytest.approx(value, abs=CLOSE, rel=CLOSE)


def report_of(folder, pairs=1000):
    """The only task of the report, and the pairs worth reading."""
    report = as_plain(make_report(read_evaluations(folder), pairs=pairs))
    (judge,) = report["judges"]
    (task,) = judge["tasks"]
    return json.loads(json.dumps(task)), report["pairs"]


def sliced(task, dimension):
    return [one for one in task["slices"] if one["dimension"] == dimension]


def check(folder, task_name):
    """Every figure of a report against the reference."""
    documents = read(folder, task_name)
    task, shown = report_of(folder)
    pairs = reference.all_pairs(documents)
    used = [document for document in documents if document.accuracy is not None or document.pairs]
    if not used:
        assert task["kind"] is None
        assert "no sample that can be read and has a score" in task["remarks"][-1]
        return
    assert task["data"]["documents"] == len(used)
    assert task["data"]["digest"] == reference.digest(documents)
    if len(used) < len(documents):
        assert task["counts"]["documents_without_score"] == len(documents) - len(used)
    overall = reference.accuracy(documents)
    if overall is None:
        assert task["overall"] is None
    else:
        assert task["overall"]["accuracy"] == close(overall)
        assert task["overall"]["documents"] == sum(d.accuracy is not None for d in documents)
        assert task["overall"]["pairs"] == sum(
            len(d.pairs) for d in documents if d.accuracy is not None
        )
    check_parts(task, documents)
    if not pairs:
        nothing = ("pooled", "margins", "calibration", "lengths", "ranks")
        assert [task[name] for name in nothing] == [None] * 5
        return
    assert task["pooled"]["accuracy"] == close(reference.pooled_accuracy(pairs))
    assert task["pooled"]["pairs"] == len(pairs)
    assert task["pooled"]["documents"] == sum(bool(d.pairs) for d in documents)
    check_margins(task["margins"], pairs)
    check_lengths(task, documents)
    check_gaps(task, documents)
    if task["kind"] == "preference":
        check_calibration(task["calibration"], pairs)
    check_ranks(task["ranks"], documents)
    check_shown(shown, documents, task["kind"])


def check_parts(task, documents):
    dimension = "category" if documents[0].is_choice else "source"
    groups = reference.accuracy_by_group(documents)
    found = {
        one["name"]: (close(one["accuracy"]), one["documents"]) for one in sliced(task, dimension)
    }
    # Documents of no source have a row of their own where others have one.
    found.pop("not given", None)
    assert found == groups
    aspects = reference.accuracy_by_aspect(documents)
    assert {
        one["name"]: (close(one["accuracy"]), one["documents"]) for one in sliced(task, "aspect")
    } == {name: (accuracy, count) for name, (accuracy, count, _) in aspects.items()}
    lengths = reference.accuracy_by_prompt_length(documents)
    assert [
        (one["name"], close(one["accuracy"]), one["documents"])
        for one in sliced(task, "prompt length")
    ] == [
        (f"{low} characters" if low == high else f"{low} to {high} characters", accuracy, count)
        for (low, high), accuracy, count in lengths
    ]


def check_margins(margins, pairs):
    counted = reference.counts(pairs)
    assert [margins[name] for name in ("right", "ties", "wrong")] == [
        counted[name] for name in ("right", "ties", "wrong")
    ]
    for name, value in reference.margins(pairs).items():
        assert margins[name] == close(value), name
    assert sum(margins["counts"]) == counted["right"] + counted["wrong"]
    assert 0.0 in margins["edges"]
    # Of bars that end at 0 those below hold the wrong pairs.
    zero = margins["edges"].index(0.0)
    assert sum(margins["counts"][:zero]) == counted["wrong"]


def check_calibration(calibration, pairs):
    assert calibration["error"] == close(reference.calibration_error(pairs))
    assert calibration["nll"] == close(reference.negative_log_likelihood(pairs))
    assert sum(one["count"] for one in calibration["bins"]) == len(pairs)
    temperature = reference.best_temperature(pairs)
    if temperature is None:
        assert calibration["temperature"] is None
        assert calibration["nll_at_temperature"] is None
    else:
        # The loss is flat around its minimum: half the digits are lost in the search.
        assert calibration["temperature"] == pytest.approx(temperature, rel=1e-5)
        best = reference.negative_log_likelihood(pairs, temperature)
        assert calibration["nll_at_temperature"] == pytest.approx(best, abs=1e-9)


def check_lengths(task, documents):
    pairs = reference.all_pairs(documents)
    lengths = task["lengths"]
    assert lengths["pick_longest"] == close(reference.pick_longest(pairs))
    assert lengths["length_controlled"] == close(reference.length_controlled(pairs))
    assert lengths["follows_length"] == close(reference.longer_preferred(pairs))
    points = [point for document in documents for point in document.rewards]
    assert lengths["correlation"] == close(spearman(points))
    assert sum(one["count"] for one in lengths["by_length"]) == len(points)
    sides = reference.split_by_length(pairs)
    answer = "better answer" if task["kind"] == "preference" else "answer"
    names = {side: f"{answer} is {side}" for side in ("longer", "shorter")}
    names["equal"] = "equally long"
    assert {
        one["name"]: (close(one["accuracy"]), one["pairs"]) for one in sliced(task, "length")
    } == {
        names[side]: (reference.pooled_accuracy(inside), len(inside))
        for side, inside in sides.items()
        if inside
    }


def check_gaps(task, documents):
    found = sliced(task, "rating gap")
    expected = reference.accuracy_by_gap(reference.all_pairs(documents))
    if len(expected) < 2:
        assert found == []
        return
    assert [(close(one["accuracy"]), one["pairs"]) for one in found] == [
        (accuracy, count) for _, accuracy, count in expected
    ]
    for one, ((low, high), _, _) in zip(found, expected, strict=True):
        ends = [float(end) for end in one["name"].split(" to ")]
        assert (ends[0], ends[-1]) == pytest.approx((float(low), float(high)), rel=5e-3)


def check_ranks(ranks, documents):
    expected = reference.rank_confusion(documents)
    if expected is None:
        assert ranks is None
        return
    size, shares, count = expected
    assert (ranks["completions"], ranks["prompts"]) == (size, count)
    np.testing.assert_allclose(ranks["shares"], shares, atol=CLOSE)
    np.testing.assert_allclose(np.sum(ranks["shares"], axis=0), 1)
    np.testing.assert_allclose(np.sum(ranks["shares"], axis=1), 1)


def check_shown(shown, documents, kind):
    """The pairs with their texts: one of a document for each reason, the worst first."""
    by_reason = {}
    for one in shown:
        (rewards,) = one["rewards"].values()
        by_reason.setdefault(one["reason"], []).append((one["document"], rewards[0] - rewards[1]))
    mistakes = by_reason.get("confident mistake" if kind == "preference" else "clear loss", [])
    assert mistakes == [(n, close(margin)) for n, margin in reference.confident_mistakes(documents)]
    close_calls = by_reason.get("small margin", [])
    assert len({number for number, _ in close_calls}) == len(close_calls)
    sizes = [abs(margin) for _, margin in close_calls]
    assert sizes == sorted(sizes)
    # A pair is shown once, so the smallest margins without the mistakes.
    taken = {(number, round(margin, 9)) for number, margin in mistakes}
    smallest = [
        (number, margin)
        for number, margin in reference.smallest_margins(documents)
        if (number, round(margin, 9)) not in taken
    ]
    assert {number for number, _ in smallest} <= {number for number, _ in close_calls}
    if smallest and close_calls:
        assert abs(smallest[0][1]) == pytest.approx(sizes[0], abs=CLOSE)


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


texts = st.text("ab ", max_size=4)
# Several documents may have one prompt, or none; or each its own.
prompts = st.sampled_from(["a", "bb", ("a", "b", "cc"), "", (), None])
known = st.sampled_from([-2.5, -0.25, 0.0, 0.1, 0.30000000000000004, 1.5, 7.0, 40.0])
known_or_none = st.one_of(known, st.just(math.nan))


@st.composite
def rated_documents(draw, rewards=known):
    """Documents and rewards with ties, missing ratings, empty answers and repeated prompts."""
    judged = []
    for row in range(draw(st.integers(1, 12))):
        count = draw(st.sampled_from([2, 3, 4, 4, 4]))
        ratings = draw(st.lists(st.sampled_from(RATINGS), min_size=count, max_size=count))
        # The harness makes documents of prompts with a pair alone.
        ratings[:2] = draw(st.sampled_from([["1", "5"], ["5", "1"]]))
        doc = rated(
            row,
            draw(st.lists(texts, min_size=count, max_size=count)),
            draw(st.permutations(ratings)),
            prompt=draw(prompts),
            source=draw(st.sampled_from([None, "flan", "sharegpt"])),
            aspects={
                name: draw(st.lists(st.sampled_from(RATINGS), min_size=count, max_size=count))
                for name in ASPECTS
            },
        )
        judged.append((doc, draw(st.lists(rewards, min_size=count, max_size=count))))
    # A document may stand in the data several times.
    return judged + draw(st.lists(st.sampled_from(judged), max_size=2))


@st.composite
def choices(draw, right, wrong, rewards=known):
    """Items of a benchmark with so many right and wrong answers, and rewards."""
    judged = []
    for row in range(draw(st.integers(1, 10))):
        doc = choice(
            row,
            draw(st.lists(texts, min_size=right, max_size=right)),
            draw(st.lists(texts, min_size=wrong, max_size=wrong)),
            subset=draw(st.sampled_from(["chat", "math", "code"])),
            prompt=draw(prompts),
        )
        judged.append(
            (doc, draw(st.lists(rewards, min_size=right + wrong, max_size=right + wrong)))
        )
    return judged


@st.composite
def answered(draw, answers, rewards=known):
    """Prompts with references, so many answers, and the rewards of both."""
    found = []
    for row in range(draw(st.integers(1, 10))):
        doc = prompted(row, draw(texts), prompt=draw(prompts))
        written = draw(st.lists(texts, min_size=answers, max_size=answers))
        given = draw(st.lists(rewards, min_size=answers + 1, max_size=answers + 1))
        given = [None if math.isnan(reward) else reward for reward in given]
        found.append(judged_sample(row, doc, written, given[:-1], given[-1]))
    return found


@pytest.fixture
def emptied(tmp_path):
    """Gives a folder that is empty again for each example."""

    def empty():
        for path in tmp_path.iterdir():
            path.unlink()
        return tmp_path

    return empty


in_a_folder = settings(
    max_examples=50,
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

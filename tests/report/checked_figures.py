"""Every figure of a report, held against the reference."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.report import reference
from tests.report.reference_documents import read
from tests.report.reference_statistics import spearman
from ultrarm_eval.report.report import make_report
from ultrarm_eval.runs.evaluation import read_evaluations
from ultrarm_eval.runs.json_values import as_plain

CLOSE = 1e-9


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
        assert "contains no readable sample with a score" in task["remarks"][-1]
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
    answer = "chosen" if task["kind"] == "preference" else "answer"
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
    assert close_calls == [
        (n, close(margin)) for n, margin in reference.smallest_margins(documents)
    ]

"""`ultrarm_eval/preference`: the figures of lm-eval's tasks on the same data, and what logs hold."""

import math
import statistics

import pytest

pytest.importorskip("inspect_ai")

from tests.conftest import LengthJudge, write_jsonl
from tests.inspect_plugin.conftest import CountingJudge, Critic, figures

ROWS = [
    {"prompt": "a", "chosen": "longer", "rejected": "short", "kind": "math"},
    {"prompt": "b", "chosen": "short", "rejected": "longer", "kind": "code"},
    {"prompt": "a", "chosen": "longest of", "rejected": "short", "kind": "math"},
    {"prompt": "d", "chosen": "same", "rejected": "size", "kind": None},
    {"prompt": "e", "chosen": "x", "rejected": "longer", "kind": "math"},
    {"prompt": "f", "chosen": "equal", "rejected": "equal", "kind": "math"},
    {"prompt": "g", "chosen": 7, "rejected": "text", "kind": "math"},
]


def of_lm_eval(task, judge, metadata):
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    results = simple_evaluate(
        model="reward-model",
        model_args=judge,
        tasks=[task],
        task_manager=TaskManager(include_defaults=False, metadata=metadata),
        bootstrap_iters=100,
        device="cpu",
    )
    return results["results"][task], results["configs"][task]["metadata"]


def preference(**arguments):
    from ultrarm_eval.inspect_plugin import preference

    return preference(**arguments)


def test_figures_of_four_rated_answers_a_prompt_are_those_of_lm_eval(evaluate, demo_rows, tmp_path):
    data = str(write_jsonl(tmp_path / "demo.jsonl", demo_rows[:40]))
    log = evaluate(preference(judge="demo", data=data, device="cpu"))
    theirs, metadata = of_lm_eval("ultrafeedback_pairs", "pretrained=demo", {"data": data})
    ours = figures(log)
    for name, metric in (("acc", "acc"), ("margin", "margin"), ("tie", "tie_rate")):
        assert ours[name]["mean"] == pytest.approx(theirs[f"{metric},none"], abs=1e-9)
        # No prompt comes twice, so that each is a cluster of its own.
        error = theirs[f"{metric}_stderr,none"]
        assert ours[name]["stderr"] == pytest.approx(error, abs=1e-9)
    assert 0.5 < ours["acc"]["mean"] < 1
    for row, sample in zip(demo_rows, log.samples, strict=False):
        rated = [one["fine-grained_score"] for one in row["completions"]]
        best = [letter for letter, one in zip("ABCD", rated, strict=True) if one == max(rated)]
        assert sample.target == best
    assert log.eval.metadata["counts"] == metadata["counts"]
    assert log.eval.metadata["preference"] == "fine_grained"


@pytest.mark.parametrize("ties", ["half", "wrong"])
def test_pairs_with_categories_ties_and_rows_that_are_left_out(
    evaluate, third_party, tmp_path, ties
):
    third_party(LengthJudge)
    data = str(write_jsonl(tmp_path / "pairs.jsonl", ROWS))
    log = evaluate(preference(judge="length", data=data, category="kind", ties=ties))
    options = {"data": data, "category": "kind", "ties": ties}
    theirs, metadata = of_lm_eval("preference_pairs", "judge=length", options)
    ours = figures(log)
    assert ours["acc"]["mean"] == pytest.approx(theirs["acc,none"], abs=1e-9)
    assert ours["tie"]["mean"] == pytest.approx(theirs["tie_rate,none"], abs=1e-9)
    for category in ("math", "code", "none"):
        found = ours["acc"][f"by_category_{category}"]
        assert found == pytest.approx(theirs[f"acc_{category},none"], abs=1e-9)
    assert ours["tie"]["by_category_none"] == 1.0
    counts = log.eval.metadata["counts"]
    assert counts == metadata["counts"]
    assert counts["pairs_left_out_identical_answers"] == 1
    assert [sample.id for sample in log.samples] == [0, 1, 2, 3, 4]


def test_errors_are_clustered_by_prompt(evaluate, third_party, tmp_path):
    third_party(LengthJudge)
    data = str(write_jsonl(tmp_path / "pairs.jsonl", ROWS))
    log = evaluate(preference(judge="length", data=data, category="kind"))
    # acc of the prompts a, b, a, d, e is 1, 0, 1, 0.5, 0: four clusters, one of two values.
    sums = [2 * (1 - 0.5), 0 - 0.5, 0.5 - 0.5, 0 - 0.5]
    error = math.sqrt(4 / 3 * sum(one * one for one in sums)) / 5
    assert figures(log)["acc"]["stderr"] == pytest.approx(error, abs=1e-12)
    # Of `math`: 1 and 1 of one prompt, 0 of another, with the mean 2/3.
    error = math.sqrt(2 * ((2 / 3) ** 2 + (2 / 3) ** 2)) / 3
    assert figures(log)["acc"]["stderr_by_category_math"] == pytest.approx(error, abs=1e-12)
    assert math.isnan(figures(log)["acc"]["stderr_by_category_code"])


def test_a_category_of_one_prompt_has_no_error(evaluate, third_party, tmp_path):
    third_party(LengthJudge)
    data = str(write_jsonl(tmp_path / "pairs.jsonl", [ROWS[0], ROWS[1], ROWS[2]]))
    log = evaluate(preference(judge="length", data=data, category="kind"))
    found = figures(log)["margin"]
    assert found["by_category_math"] == 3
    # Two samples, of one prompt.
    assert math.isnan(found["stderr_by_category_math"])


def test_200_pairs_meet_in_few_calls(evaluate, counting, tmp_path):
    from ultrarm_eval.inspect_plugin.scoring_queue import queue_of
    from ultrarm_eval.judges.shared_judges import shared_judge

    judge = counting(CountingJudge)
    rows = [{"prompt": f"p{n}", "chosen": "a" * n, "rejected": "b"} for n in range(2, 202)]
    task = preference(judge="length", data=str(write_jsonl(tmp_path / "pairs.jsonl", rows)))
    # On a busy machine samples come slowly.
    queue_of(shared_judge("length"))._silence_s = 2.0
    assert figures(evaluate(task))["acc"]["mean"] == 1
    assert sum(map(len, judge.calls)) == 400
    assert len(judge.calls) <= 4


@pytest.mark.parametrize("min_gap", [0, 0.5, "0.25", 2])
def test_pairs_of_too_small_a_gap_are_left_out_as_in_lm_eval(
    evaluate, third_party, demo_rows, tmp_path, min_gap
):
    third_party(LengthJudge)
    data = str(write_jsonl(tmp_path / "demo.jsonl", demo_rows[:30]))
    ours = figures(evaluate(preference(judge="length", data=data, min_gap=min_gap)))
    options = {"data": data, "min_gap": min_gap}
    theirs, _ = of_lm_eval("ultrafeedback_pairs", "judge=length", options)
    for name in ("acc", "margin"):
        assert ours[name]["mean"] == pytest.approx(theirs[f"{name},none"], abs=1e-9)


def test_nothing_is_generated(evaluate, third_party, tmp_path, monkeypatch):
    from inspect_ai.model._providers.mockllm import MockLLM

    monkeypatch.setattr(MockLLM, "generate", lambda *_, **__: pytest.fail("it was called"))
    third_party(LengthJudge)
    log = evaluate(preference(judge="length", data=str(write_jsonl(tmp_path / "p.jsonl", ROWS))))
    assert log.status == "success"
    assert not log.stats.model_usage


CONVERSATIONS = [
    [],
    [{"role": "user", "content": "One turn."}],
    [{"role": "user", "content": ""}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
    [
        {"role": "user", "content": "A"},
        {"role": "assistant", "content": "B"},
        {"role": "developer", "content": "C"},
        {"role": "user", "content": "D"},
    ],
]


def test_the_judge_reads_the_conversation_of_the_data(evaluate, counting, tmp_path):
    judge = counting(CountingJudge)
    rows = [{"prompt": turns, "chosen": "yes", "rejected": "no."} for turns in CONVERSATIONS]
    log = evaluate(
        preference(judge="length", data=str(write_jsonl(tmp_path / "pairs.jsonl", rows)))
    )
    assert log.status == "success"
    asked = {json_of(prompt) for call in judge.calls for prompt, _ in call}
    assert asked == {json_of(turns) for turns in CONVERSATIONS}


def json_of(prompt):
    return repr([(turn["role"], turn["content"]) for turn in prompt])


def test_a_prompt_without_a_pair_left_is_unscored_and_critiques_explain(
    evaluate, counting, tmp_path
):
    counting(Critic)
    rows = [
        {"prompt": "a", "chosen": "long enough", "rejected": "short"},
        {"prompt": "b", "chosen": "who knows?", "rejected": "short"},
    ]
    log = evaluate(
        preference(judge="length", data=str(write_jsonl(tmp_path / "pairs.jsonl", rows)))
    )
    for score in log.results.scores:
        assert (score.scored_samples, score.unscored_samples) == (1, 1)
    scored, unscored = (sample.scores["preference"] for sample in log.samples)
    assert scored.value == {"acc": 1.0, "margin": 6.0, "tie": 0.0}
    assert scored.answer == "A"
    assert scored.explanation == "A:\nIt has 11 characters.\n\nB:\nIt has 5 characters."
    assert scored.metadata["judged"] == {"A": {"scores": [11.0]}, "B": {"scores": [5.0]}}
    assert math.isnan(unscored.value)
    assert unscored.reason == "grader_failed"
    assert "no pair is left" in unscored.explanation
    assert "It has 10 characters." in unscored.explanation
    assert unscored.metadata["rewards"] == {"A": None, "B": 5.0}


def test_another_judge_can_judge_the_log_again(evaluate, third_party, demo_rows, tmp_path):
    from inspect_ai import score

    from ultrarm_eval.inspect_plugin import preference_scorer

    third_party(LengthJudge)
    data = str(write_jsonl(tmp_path / "demo.jsonl", demo_rows[:10]))
    log = evaluate(preference(judge="length", data=data, ties="wrong", min_gap="0.5"))
    again = score(
        log, preference_scorer(judge="length", factor=-2.0), action="append", display="none"
    )
    first, second = again.results.scores[0], again.results.scores[3]
    assert second.name == "acc"
    # The same pairs, each the other way round.
    for sample in again.samples:
        one, other = sample.scores["preference"].value, sample.scores["preference1"].value
        assert other["margin"] == pytest.approx(-2 * one["margin"])
        assert one["acc"] + other["acc"] + one["tie"] == pytest.approx(1)
    values = [sample.scores["preference1"].value["acc"] for sample in again.samples]
    assert second.metrics["mean"].value == pytest.approx(statistics.fmean(values))
    assert first.metrics["mean"].value != second.metrics["mean"].value


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": "missing.jsonl"}, "no such file"),
        ({"ties": "maybe"}, "rule for ties"),
        ({"min_gap": -1}, "min_gap=-1"),
        ({"category": "colour"}, "no column 'colour'"),
        ({"factor": 1.0, "dtyp": "x"}, "Unknown setting of judge 'length': 'dtyp'"),
        ({"judge": True}, "judge=True is not a string"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_scored(
    third_party, tmp_path, arguments, message
):
    from ultrarm_eval.inspect_plugin.errors import RunRefusedError

    third_party(LengthJudge)
    data = str(write_jsonl(tmp_path / "pairs.jsonl", ROWS))
    with pytest.raises(RunRefusedError, match=message):
        preference(**{"judge": "length", "data": data, **arguments})
    assert LengthJudge.asked == []

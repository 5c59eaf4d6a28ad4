"""Every metric through the whole harness."""

import json
import random

import pytest
from lm_eval import evaluator
from lm_eval.tasks import TaskManager
from lm_eval.utils import make_table

from tests.conftest import write_jsonl
from tests.metrics.reference import ASPECTS, WITH_STDERR, WITHOUT_STDERR, reference_metrics
from tests.metrics.rows import completion, row, seeded_rows, texts_row

TASK = "ultrafeedback_pairs"


@pytest.fixture
def evaluate(run, model_of, tmp_path):
    def evaluate_rows(rows, reward, *, tasks=(TASK,), options=None, **settings):
        path = write_jsonl(tmp_path / "data.jsonl", rows)
        model = model_of(lambda prompt, text: reward(prompt[0]["content"], text))
        return run(model, list(tasks), {"data": str(path), **(options or {})}, **settings)

    return evaluate_rows


def length_of(_prompt, text):
    return len(text)


def figures(results, task=TASK):
    return {
        name.removesuffix(",none"): value
        for name, value in results["results"][task].items()
        if name.endswith(",none")
    }


def shown(value):
    return "N/A" if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("seed", "options"),
    [
        (1, {}),
        (2, {"preference": "overall", "ties": "wrong"}),
        (3, {"preference": "honesty", "min_gap": 2}),
        (4, {"preference": "fine_grained", "min_gap": "0.5", "ties": "wrong"}),
        (5, {"preference": "overall", "min_gap": 0.2}),
    ],
)
def test_results_are_those_of_plain_loops(evaluate, seed, options):
    rows = seeded_rows(seed, prompts=60)

    def reward(prompt, text):
        return random.Random(f"{seed}{prompt}{text}").choice([-3.0, -0.1, 0.3, 0.3, 1.7, 40.0])

    results = evaluate(rows, reward, options=options)
    expected = reference_metrics(rows, reward, **options)
    stderrs = {f"{name}_stderr": expected[f"{name}_stderr"] for name in WITH_STDERR}
    stderrs.update({f"{name}_stderr": None for name in WITHOUT_STDERR})
    wanted = {name: expected[name] for name in (*WITH_STDERR, *WITHOUT_STDERR)} | stderrs
    measured = figures(results)
    assert sorted(measured) == sorted(wanted)
    for name, value in wanted.items():
        assert measured[name] == shown(value), name
    metadata = results["configs"][TASK]["metadata"]
    assert metadata["undefined"] == expected["undefined"]
    assert metadata["counts"]["pairs"] == expected["pairs"]
    assert metadata["counts"].get("completions_left_out_false_ten", 0) == expected["false_tens"]
    assert results["n-samples"][TASK]["effective"] == expected["documents"] > 20


def test_samples_hold_each_prompts_own_values(evaluate):
    rows = [
        texts_row(("aaa", 5), ("bb", 3), ("cc", 1)),
        row(completion("a", ["5", "3", "3", "N/A"]), completion("bbb", ["1", "3", "N/A", "4"])),
    ]
    first, second = evaluate(rows, length_of)["samples"][TASK]
    assert (first["acc"], first["tie_rate"], first["best_of_n"]) == (2.5 / 3, 1 / 3, 1.0)
    assert (first["acc_honesty"], second["acc_honesty"]) == (2.5 / 3, None)
    assert (second["acc"], second["margin"], second["kendall_tau"]) == (0.0, -2.0, -1.0)


class TestWhatIsNotDefined:
    # Honesty never orders a pair, helpfulness in one prompt of two.
    ROWS = (
        row(completion("aaaa", ["5", "2", "4", "4"]), completion("aa", ["1", "2", "3", "4"])),
        row(completion("aaaa", ["5", "2", "4", "4"]), completion("aa", ["1", "N/A", "3", "1"])),
    )

    def test_an_aspect_without_pairs_is_not_available_and_counted(self, evaluate):
        results = evaluate(self.ROWS, length_of)
        measured = figures(results)
        assert measured["acc_honesty"] == measured["acc_honesty_stderr"] == "N/A"
        assert measured["acc_helpfulness"] == 1.0
        undefined = results["configs"][TASK]["metadata"]["undefined"]
        assert undefined == {"acc_honesty": 2, "acc_helpfulness": 1}

    def test_only_evaluated_documents_are_counted(self, evaluate):
        results = evaluate(self.ROWS, length_of, samples={TASK: [1]}, log_samples=False)
        assert results["configs"][TASK]["metadata"]["undefined"] == {"acc_honesty": 1}

    def test_a_task_that_is_evaluated_again_counts_anew(self, model_of, tmp_path):
        path = write_jsonl(tmp_path / "data.jsonl", self.ROWS)
        manager = TaskManager(include_defaults=False, metadata={"data": str(path)})
        load = getattr(manager, "load", manager.load_task_or_group)
        tasks = load([TASK])
        counted = []
        for chosen in ([0, 1], [1]):
            model = model_of(lambda _, text: len(text))
            options = {"samples": {TASK: chosen}, "log_samples": False}
            results = evaluator.evaluate(lm=model, task_dict=tasks, **options)
            counted.append(results["configs"][TASK]["metadata"]["undefined"])
        assert counted == [{"acc_honesty": 2, "acc_helpfulness": 1}, {"acc_honesty": 1}]

    def test_accuracy_by_length_needs_pairs_on_both_sides(self, evaluate):
        measured = figures(evaluate(self.ROWS, length_of))
        assert measured["acc_length_controlled"] == "N/A"
        assert measured["acc_longest"] == 1.0

    def test_the_harness_shows_and_writes_them(self, evaluate):
        results = evaluate(self.ROWS, length_of)
        assert json.loads(json.dumps(results["results"])) == results["results"]
        lines = [line for line in make_table(results).splitlines() if "acc_honesty" in line]
        assert len(lines) == 1
        assert "N/A" in lines[0]

    def test_a_constant_judge_has_a_kendalls_tau_of_zero(self, evaluate):
        results = evaluate(self.ROWS, lambda *_: 1)
        assert figures(results)["kendall_tau"] == 0.0
        assert "kendall_tau" not in results["configs"][TASK]["metadata"]["undefined"]


def test_with_one_document_no_metric_has_a_standard_error(evaluate):
    measured = figures(evaluate([texts_row(("a", 5), ("b", 1))], length_of))
    assert {value for name, value in measured.items() if name.endswith("_stderr")} == {"N/A"}


def test_which_way_is_better_is_said_of_every_metric_of_the_judge(evaluate):
    results = evaluate([texts_row(("a", 5), ("b", 1))], length_of)
    better = results["higher_is_better"][TASK]
    higher = ["acc", "margin", "best_of_n", "acc_pairs", "kendall_tau", "acc_length_controlled"]
    expected = dict.fromkeys([*higher, *(f"acc_{aspect}" for aspect in ASPECTS)], True)
    assert better == {**expected, "tie_rate": False, "nll": False}


def test_chosen_and_rejected_have_every_metric_but_the_aspects(run, model_of, tmp_path):
    rows = [
        {"prompt": "p", "chosen": "good", "rejected": "bad"},
        {"prompt": "q", "chosen": "ok", "rejected": "worse"},
    ]
    path = write_jsonl(tmp_path / "pairs.jsonl", rows)
    model = model_of(lambda _, text: len(text))
    results = run(model, ["ultrafeedback_binarized"], {"data": str(path)})
    measured = figures(results, "ultrafeedback_binarized")
    names = {name for name in measured if not name.endswith("_stderr")}
    assert names == {*WITH_STDERR, *WITHOUT_STDERR} - {f"acc_{aspect}" for aspect in ASPECTS}
    assert measured["acc"] == measured["best_of_n"] == measured["acc_length_controlled"] == 0.5
    assert measured["kendall_tau"] == 0.0
    assert measured["margin"] == (1 - 3) / 2

import json
import random
from fractions import Fraction
from pathlib import Path

import pytest

from tests.conftest import raw_row, write_jsonl
from ultrarm_eval.errors import ConfigurationError, DataError

ASPECTS = ("instruction_following", "honesty", "truthfulness", "helpfulness")


def random_rows(seed, prompts=40):
    """Prompts with one to four completions and ratings of every kind, from a plain generator."""
    draw = random.Random(seed)
    rows = []
    for number in range(prompts):
        answers = tuple((f"answer {number}-{i}", 3) for i in range(draw.choice([1, 2, 3, 4, 4, 4])))
        row = raw_row(instruction=f"prompt {number}", answers=answers)
        for completion in row["completions"]:
            for aspect in ASPECTS:
                completion["annotations"][aspect]["Rating"] = draw.choice(
                    ["1", "2", "3", "4", "5", "N/A"]
                )
        rows.append(row)
    return rows


def mean_ratings(row):
    means = []
    for completion in row["completions"]:
        given = [completion["annotations"][a]["Rating"] for a in ASPECTS]
        numbers = [Fraction(r) for r in given if r != "N/A"]
        means.append(sum(numbers) / len(numbers) if numbers else None)
    return means


def reference(rows, reward):
    """The metrics by plain loops, with no code of the package."""
    shares, credited, ties, margins, n_pairs = [], 0.0, [], [], 0
    for row in rows:
        means = mean_ratings(row)
        texts = [c["response"] for c in row["completions"]]
        credit = tie = count = 0
        margin = 0.0
        for i in range(len(texts)):
            for j in range(len(texts)):
                if means[i] is None or means[j] is None or not means[i] > means[j]:
                    continue
                count += 1
                a, b = reward(row["instruction"], texts[i]), reward(row["instruction"], texts[j])
                margin += a - b
                credit += 1 if a > b else 0.5 if a == b else 0
                tie += a == b
        if count:
            shares.append(credit / count)
            ties.append(tie / count)
            margins.append(margin / count)
            credited += credit
            n_pairs += count
    n = len(shares)
    mean = sum(shares) / n
    variance = sum((s - mean) ** 2 for s in shares) / (n - 1)
    return {
        "acc": mean,
        "acc_stderr": (variance / n) ** 0.5,
        "acc_pairs": credited / n_pairs,
        "tie_rate": sum(ties) / n,
        "margin": sum(margins) / n,
    }, n


@pytest.fixture
def evaluate(run, model_of, tmp_path):
    def evaluate_rows(rows, reward, **options):
        path = write_jsonl(tmp_path / "data.jsonl", rows)
        model = model_of(lambda prompt, text: reward(prompt[0]["content"], text))
        results = run(model, ["ultrafeedback_pairs"], {"data": str(path)}, **options)
        return results, model

    return evaluate_rows


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_metrics_are_those_of_plain_loops(evaluate, seed):
    rows = random_rows(seed)

    def reward(prompt, text):
        # Coarse, so that ties occur.
        return round(random.Random(f"{seed}{prompt}{text}").uniform(-1, 1), 1)

    results, _ = evaluate(rows, reward)
    expected, documents = reference(rows, reward)
    measured = results["results"]["ultrafeedback_pairs"]
    for name, value in expected.items():
        assert measured[f"{name},none"] == pytest.approx(value, abs=1e-12), name
    assert measured["acc_pairs_stderr,none"] == "N/A"
    assert results["n-samples"]["ultrafeedback_pairs"]["effective"] == documents


RATING_OF = {"worst": 1, "bad": 2, "good": 4, "best": 5}
FOUR = tuple(RATING_OF.items())


@pytest.mark.parametrize(
    ("reward", "acc", "tie_rate"),
    [
        (lambda _, text: 0.25, 0.5, 1.0),
        (lambda _, text: RATING_OF[text], 1.0, 0.0),
        (lambda _, text: -RATING_OF[text], 0.0, 0.0),
        # Of the six pairs two have a longer chosen answer and one has equal lengths.
        (lambda _, text: len(text), 2.5 / 6, 1 / 6),
    ],
    ids=["constant", "oracle", "anti-oracle", "pick-longest"],
)
def test_judges_that_try_to_fool_the_metric(evaluate, reward, acc, tie_rate):
    rows = [raw_row(instruction=f"p{i}", answers=FOUR) for i in range(3)]
    measured = evaluate(rows, reward)[0]["results"]["ultrafeedback_pairs"]
    assert measured["acc,none"] == pytest.approx(acc)
    assert measured["acc_pairs,none"] == pytest.approx(acc)
    assert measured["tie_rate,none"] == pytest.approx(tie_rate)


def test_a_random_judge_gets_one_half(evaluate):
    rows = random_rows(7, prompts=400)
    draw = random.Random(0)
    measured = evaluate(rows, lambda *_: draw.random())[0]["results"]["ultrafeedback_pairs"]
    assert abs(measured["acc,none"] - 0.5) < 4 * measured["acc_stderr,none"]
    assert measured["acc_stderr,none"] < 0.03


def test_each_compared_completion_is_asked_for_once(evaluate):
    rows = [raw_row(answers=(("a", 5), ("b", 1), ("c", 3), ("d", "N/A")))]
    _, model = evaluate(rows, lambda *_: 0.0)
    assert sorted(model.judge.calls) == ["a", "b", "c"]


def test_one_prompt_is_enough_and_has_no_stderr(evaluate):
    measured = evaluate([raw_row()], lambda _, text: len(text))[0]["results"]["ultrafeedback_pairs"]
    assert measured["acc_stderr,none"] == "N/A"


def test_a_reward_judge_shows_no_acc_norm(evaluate):
    measured = evaluate([raw_row()] * 2, lambda *_: 0.0)[0]["results"]["ultrafeedback_pairs"]
    assert not [name for name in measured if name.startswith("acc_norm")]


def test_counts_stand_in_the_results(evaluate):
    rows = [raw_row(), raw_row(answers=(("a", 3), ("b", 3)))]
    config = evaluate(rows, lambda *_: 0.0)[0]["configs"]["ultrafeedback_pairs"]
    assert config["metadata"]["counts"]["documents"] == 1
    assert config["metadata"]["counts"]["rows_left_out_without_pairs"] == 1
    assert json.loads(json.dumps(config["metadata"]["counts"])) == config["metadata"]["counts"]


def test_samples_hold_what_the_metrics_can_be_computed_from(evaluate):
    rows = [raw_row(answers=(("aa", 5), ("b", 1)))]
    (sample,) = evaluate(rows, lambda _, text: len(text))[0]["samples"]["ultrafeedback_pairs"]
    assert sample["doc"]["ratings"] == ["5", "1"]
    assert [tuple(r) for r in sample["filtered_resps"]] == [(2.0, False), (1.0, False)]
    assert (sample["acc"], sample["margin"]) == (1.0, 1.0)


def test_an_empty_completion_is_scored_as_any_other(evaluate):
    rows = [raw_row(answers=(("", 1), ("b", 5)))]
    measured = evaluate(rows, lambda _, text: len(text))[0]["results"]["ultrafeedback_pairs"]
    assert measured["acc,none"] == 1.0


def test_limit_and_samples_choose_documents(run, model_of, tmp_path):
    path = write_jsonl(tmp_path / "d.jsonl", [raw_row(instruction=f"p{i}") for i in range(5)])
    task, asked = "ultrafeedback_pairs", []
    model = model_of(lambda prompt, _: asked.append(prompt[0]["content"]) or 0)
    limited = run(model, [task], {"data": str(path)}, limit=2)
    assert [sample["doc"]["row"] for sample in limited["samples"][task]] == [0, 1]
    asked.clear()
    # What the harness counts as used differs: 0.4.10 counts all.
    run(model, [task], {"data": str(path)}, samples={task: [1, 4]}, log_samples=False)
    assert set(asked) == {"p1", "p4"}


def test_predict_only_keeps_the_rewards(run, model_of, tmp_path):
    path = write_jsonl(tmp_path / "d.jsonl", [raw_row()])
    results = run(
        model_of(lambda _, text: len(text)),
        ["ultrafeedback_pairs"],
        {"data": str(path)},
        predict_only=True,
    )
    (sample,) = results["samples"]["ultrafeedback_pairs"]
    assert [tuple(r) for r in sample["filtered_resps"]] == [(7.0, False), (5.0, False)]
    assert "acc,none" not in results["results"]["ultrafeedback_pairs"]


def test_a_request_cache_is_not_used(run, model_of, tmp_path, caplog):
    for text in ("old", "new text"):
        path = write_jsonl(tmp_path / f"{text}.jsonl", [raw_row(answers=((text, 5), ("x", 1)))])
        model = model_of(lambda *_: 0)
        run(model, ["ultrafeedback_pairs"], {"data": str(path)}, cache_requests=True)
        assert sorted(model.judge.calls) == sorted([text, "x"])


def test_applying_a_chat_template_changes_no_reward(run, model_of, tmp_path):
    turns = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    rows = [{"prompt": turns, "chosen": "yes", "rejected": "no"}]
    path = write_jsonl(tmp_path / "d.jsonl", rows)
    seen = []

    def reward(prompt, text):
        seen.append([m["content"] for m in prompt])
        return len(text)

    for chat in (False, True):
        run(
            model_of(reward),
            ["ultrafeedback_binarized"],
            {"data": str(path)},
            apply_chat_template=chat,
        )
    assert seen == [["a", "b", "c"]] * 4


def test_a_text_of_several_tasks_is_scored_once(run, checkpoint, tmp_path):
    path = write_jsonl(tmp_path / "d.jsonl", [raw_row(answers=(("a", 5), ("b", 1)))])
    import lm_eval.models  # noqa: F401
    from lm_eval.api.registry import get_model

    from ultrarm_eval.lm_eval_plugin.reward_lm import RewardModelLM

    assert get_model("ultrarm") is RewardModelLM
    (tmp_path / "again.yaml").write_text(
        "task: again\n"
        "class: !function pairwise.PairwiseTask\n"
        "test_split: test\noutput_type: multiple_choice\nnum_fewshot: 0\n"
    )
    import tasks

    (tmp_path / "pairwise.py").write_text((Path(tasks.__path__[0]) / "pairwise.py").read_text())
    results = run(
        "ultrarm",
        ["ultrafeedback_pairs", "again"],
        {"data": str(path)},
        model_args={"pretrained": str(checkpoint)},
        include_path=str(tmp_path),
    )
    counts = results["config"]["judge_counts"]
    assert (counts["texts"], counts["distinct_texts"]) == (4, 2)


class TestData:
    def test_a_near_miss_of_a_key_is_an_error(self, run, model_of):
        with pytest.raises(ConfigurationError, match="'dta'; did you mean 'data'"):
            run(model_of(lambda *_: 0), ["ultrafeedback_pairs"], {"dta": "x"})

    def test_without_data_and_hub_the_error_names_both_ways(self, run, model_of):
        with pytest.raises(DataError, match="cannot be downloaded from the hub"):
            run(model_of(lambda *_: 0), ["ultrafeedback_pairs"])

    def test_the_demo_task_reads_the_demo_whatever_the_others_read(self, run, model_of, tmp_path):
        path = write_jsonl(tmp_path / "d.jsonl", [raw_row()])
        results = run(
            model_of(lambda *_: 0),
            ["ultrafeedback_pairs_demo", "ultrafeedback_pairs"],
            {"data": str(path)},
        )
        used = {name: c["metadata"]["data_used"] for name, c in results["configs"].items()}
        assert used == {"ultrafeedback_pairs_demo": "demo", "ultrafeedback_pairs": str(path)}

    @pytest.mark.parametrize("task", ["ultrafeedback_pairs", "ultrafeedback_binarized"])
    def test_the_word_demo_works_for_every_task(self, run, model_of, task):
        results = run(model_of(lambda *_: 0), [task], {"data": "demo"})
        assert results["results"][task]["acc,none"] == 0.5


@pytest.mark.parametrize(
    "task",
    [
        "ultrafeedback_pairs",
        "ultrafeedback_binarized",
        "ultrafeedback_pairs_demo",
        "ultrafeedback_evol_instruct",
        "ultrafeedback_false_qa",
        "ultrafeedback_flan",
        "ultrafeedback_sharegpt",
        "ultrafeedback_truthful_qa",
        "ultrafeedback_ultrachat",
    ],
)
def test_every_task_loads_by_name_with_a_version(task):
    # A task file that does not parse is skipped by the harness without a word.
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_defaults=False, metadata={"data": "demo"})
    assert task in manager.all_subtasks
    load = getattr(manager, "load", None)
    loaded = load([task])["tasks"] if load else manager.load_task_or_group([task])
    assert loaded[task].VERSION == 1.0

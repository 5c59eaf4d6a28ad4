"""Judged tasks in lighteval's own pipeline: a model writes, a judge scores what it wrote."""

import json
import logging
import math
import statistics

import pytest

from tests.conftest import raw_row, write_jsonl
from ultrarm_eval import load_judge
from ultrarm_eval.errors import AnswersNotJudgedError, ConfigurationError, DataError, ScoringError
from ultrarm_eval.lighteval import judged_task
from ultrarm_eval.metrics.win_rate import length_controlled_win_rate

pytest.importorskip("lighteval")

TASK, ALPACA = "ultrafeedback_judge", "alpaca_eval_ultrarm"
PROMPTS = [f"question {i}" for i in range(5)]
REFERENCES = ["short", "a much longer reference", "mid length one", "x", "the sky"]
ANSWERS = ["", "words of an answer", "question 2", "x", "the sea"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    rows = []
    for prompt, reference in zip(PROMPTS, REFERENCES, strict=True):
        row = raw_row(prompt, answers=((f"{prompt} worst", 1), (reference, 3), ("best of all", 5)))
        row["completions"][1]["model"] = "gpt-4"
        rows.append(row)
    path = tmp_path_factory.mktemp("data") / "data.jsonl"
    # The one before the last has no answer of gpt-4, so that rows and documents are not numbered alike.
    return str(write_jsonl(path, [*rows[:4], raw_row("nobody's question"), rows[4]]))


def answer(prompt):
    return ANSWERS[int(prompt[-1])]


def longest(_, completion):
    return float(len(completion))


def results_of(pipeline, task=TASK):
    return pipeline.evaluation_tracker.results["results"][f"{task}|0"]


def facts_of(pipeline, task=TASK):
    return pipeline.evaluation_tracker.results["config_tasks"][f"{task}|0"].judging


def details_of(pipeline, task=TASK):
    found = pipeline.get_details()[f"{task}|0"]
    return sorted(found, key=lambda detail: int(detail.doc.id))


def test_the_metrics_are_those_of_a_plain_loop(run, writer, data):
    done = run(writer(answer), [judged_task(TASK, judge="demo", data=data)])
    judge = load_judge("demo", device="cpu")
    rewards = [judge.score([p], [a])[0] for p, a in zip(PROMPTS, ANSWERS, strict=True)]
    others = [judge.score([p], [r])[0] for p, r in zip(PROMPTS, REFERENCES, strict=True)]
    wins = [0.5 if a == b else float(a > b) for a, b in zip(rewards, others, strict=True)]
    assert wins[3] == 0.5  # "x" is the reference's own answer.
    lengths = [len(a) - len(r) for a, r in zip(ANSWERS, REFERENCES, strict=True)]
    found = results_of(done)
    assert found["reward"] == pytest.approx(statistics.fmean(rewards), abs=1e-5)
    assert found["reward_stderr"] == pytest.approx(statistics.stdev(rewards) / 5**0.5, abs=1e-5)
    assert found["win_rate"] == statistics.fmean(wins)
    assert found["win_rate_stderr"] == pytest.approx(statistics.stdev(wins) / 5**0.5, abs=1e-12)
    controlled = length_controlled_win_rate(wins, lengths)
    assert found["win_rate_length_controlled"] == pytest.approx(controlled, abs=1e-12)
    assert found["response_length"] == statistics.fmean(map(len, ANSWERS))
    assert found["empty"] == 1 / 5
    judged = [json.loads(detail.doc.specific["judged"]) for detail in details_of(done)]
    assert [one["answer"]["reward"] for one in judged] == pytest.approx(rewards, abs=1e-5)
    assert [one["reference"]["reward"] for one in judged] == pytest.approx(others, abs=1e-5)


def test_results_say_who_judged_what(run, writer, data, tmp_path):
    run(writer(answer), [judged_task(TASK, judge="demo", data=data)])
    (path,) = (tmp_path / "out").rglob("results_*.json")
    found = json.loads(path.read_text())["config_tasks"][f"{TASK}|0"]["judging"]
    assert found["settings"]["data"] == data
    assert (found["data_used"], found["reference"]) == (data, "gpt-4")
    assert found["counts"]["prompts_left_out_without_reference"] == 1
    assert found["counts"]["documents"] == found["documents_used"] == 5
    assert found["judge_used"]["name"] == "ultrarm"
    assert found["judge_used"]["fingerprint"] == load_judge("demo", device="cpu").fingerprint()
    assert (found["answers_without_score"], found["references_without_score"]) == (0, 0)


def test_another_models_answers_are_judged_anew(run, writer, data, scripted):
    judge, task = scripted(longest), judged_task(TASK, data=data)
    first = run(writer(answer), [task])
    second = run(writer(lambda _: "a longer answer", "another"), [task])
    assert judge.calls == 2
    assert results_of(first)["reward"] == statistics.fmean(map(len, ANSWERS))
    assert results_of(second)["reward"] == len("a longer answer")


def test_all_metrics_ask_the_judge_once_and_in_the_order_of_the_data(run, writer, data, scripted):
    judge = scripted(longest)
    done = run(writer(answer), [judged_task(TASK, data=data)])
    assert judge.calls == 1
    texts = [text for _, text in judge.asked]
    assert texts == [text for both in zip(ANSWERS, REFERENCES, strict=True) for text in both]
    assert judge.asked[2][0] == ({"role": "user", "content": PROMPTS[1]},)
    # The longest wins: once of five, with two ties.
    assert results_of(done)["win_rate"] == pytest.approx((0 + 0 + 0 + 0.5 + 0.5) / 5)
    by_sample = [detail.metric["win_rate"] for detail in details_of(done)]
    assert by_sample == [0, 0, 0, 0.5, 0.5]


def test_the_judge_is_made_before_the_model_writes_and_asked_afterwards(
    run, writer, data, scripted
):
    judge = scripted(longest)
    asked = []
    run(writer(lambda prompt: asked.append(judge.calls) or prompt), [judged_task(TASK, data=data)])
    assert asked == [0] * 5


def test_a_wrong_setting_of_the_judge_is_refused_before_the_model_is_loaded(run, data):
    task = judged_task(TASK, data=data, judge="demo", judge_args={"dtyp": "float32"})
    with pytest.raises(ConfigurationError, match="dtyp"):
        run(None, [task])


def test_another_judge_gets_the_same_answers_without_writing_them_again(
    run, writer, data, scripted
):
    model = writer(answer)
    scripted(longest)
    first = run(model, [judged_task(TASK, data=data, judge="demo")])
    assert len(model.asked) == 5
    scripted(lambda p, c: -longest(p, c))
    again = writer(pytest.fail)
    second = run(again, [judged_task(TASK, data=data)])
    assert again.asked == []
    assert results_of(second)["reward"] == -results_of(first)["reward"]
    # Other prompts are others, whatever their numbers.
    other = writer(lambda _: "anew")
    run(other, [judged_task(TASK, data=data, reference="best")])
    assert len(other.asked) == 6


def test_two_judges_in_a_run_are_two_tasks(run, writer, data, monkeypatch):
    made = {}

    def judge_of(pretrained, _):
        from tests.scripted_judge import Scripted

        sign = -1 if pretrained == "shortest" else 1
        return made.setdefault(pretrained, Scripted(lambda p, c: sign * longest(p, c)))

    monkeypatch.setattr("ultrarm_eval.lighteval.task_judging.shared_judge", judge_of)
    tasks = [
        judged_task(TASK, name=name, judge=name, data=data) for name in ("shortest", "longest")
    ]
    done = run(writer(answer), tasks)
    rates = [results_of(done, name)["win_rate"] for name in ("shortest", "longest")]
    assert rates == pytest.approx([(1 + 1 + 1 + 0.5 + 0.5) / 5, (0.5 + 0.5) / 5])


@pytest.mark.parametrize(
    ("reference", "texts"),
    [("best", ["best of all"] * 5), ("GPT-4", REFERENCES), ("none", [None] * 5)],
)
def test_references_are_chosen_as_in_lm_eval(run, writer, data, scripted, reference, texts):
    judge = scripted(longest)
    done = run(writer(lambda _: "abc"), [judged_task(TASK, data=data, reference=reference)])
    golds = {
        detail.doc.query: detail.doc.choices[0] if detail.doc.choices else None
        for detail in details_of(done)
    }
    assert [golds[prompt] for prompt in PROMPTS] == texts
    # Nobody's question has no answer of gpt-4.
    assert len(golds) == (5 if reference == "GPT-4" else 6)
    assert ("win_rate" in results_of(done)) == (reference != "none")
    assert len(judge.asked) == len(golds) * (1 if reference == "none" else 2)


def test_a_limit_takes_the_first_prompts_as_lm_eval_does(run, writer, data, scripted):
    judge = scripted(longest)
    done = run(writer(answer), [judged_task(TASK, data=data, limit=3)])
    assert [text for _, text in judge.asked[::2]] == ANSWERS[:3]
    assert (facts_of(done)["documents_used"], facts_of(done)["counts"]["documents"]) == (3, 5)


def test_alpaca_eval_compares_with_a_file_of_answers(run, writer, scripted, tmp_path):
    scripted(longest)
    rows = [{"instruction": p, "output": r} for p, r in zip(PROMPTS, REFERENCES, strict=True)]
    path = tmp_path / "reference.json"
    path.write_text(json.dumps(rows))
    done = run(writer(answer), [judged_task(ALPACA, reference=str(path))])
    assert results_of(done, ALPACA)["win_rate"] == pytest.approx(0.2)
    assert facts_of(done, ALPACA)["data_schema"] == "alpaca_eval"


def test_the_model_gets_the_conversation_as_text_and_the_judge_its_turns(
    run, writer, scripted, tmp_path, caplog
):
    judge = scripted(longest)
    turns = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
    ]
    rows = [{"prompt": turns, "completion": "r"}, {"prompt": "alone", "completion": "rr"}]
    path = write_jsonl(tmp_path / "turns.jsonl", rows)
    model = writer(lambda prompt: prompt)
    with caplog.at_level(logging.WARNING):
        run(model, [judged_task(ALPACA, data=str(path), reference=str(path))])
    assert {doc.query for doc in model.asked} == {
        "User: one\n\nAssistant: two\n\nUser: three",
        "alone",
    }
    assert [dict(turn) for turn in judge.asked[0][0]] == turns
    assert "1 of 2 prompts have several turns" in caplog.text


def test_answers_without_a_score_are_counted_and_in_no_mean(run, writer, data, scripted, caplog):
    def reward(_, completion):
        from ultrarm_eval.judges.base import Judgement

        unreadable = completion in {"the sea", "mid length one"}
        return Judgement(None, ("hm",)) if unreadable else Judgement(float(len(completion)))

    scripted(reward, may_abstain=True)
    with caplog.at_level(logging.WARNING):
        done = run(writer(answer), [judged_task(TASK, data=data)])
    found, facts = results_of(done), facts_of(done)
    lengths = [len(one) for one in ANSWERS[:4]]
    assert found["reward"] == pytest.approx(statistics.fmean(lengths))
    assert found["reward_stderr"] == pytest.approx(statistics.stdev(lengths) / 2)
    assert found["win_rate"] == pytest.approx((0 + 0 + 0.5) / 3)
    assert (facts["answers_without_score"], facts["references_without_score"]) == (1, 1)
    assert "reward: 1 of 5 samples are excluded because the judge gave no score" in caplog.text
    assert "win_rate: 2 of 5 samples are excluded because the judge gave no score" in caplog.text
    last = details_of(done)[4]
    assert (last.metric["reward"], last.metric["win_rate"]) == (None, None)
    assert json.loads(last.doc.specific["judged"])["answer"] == {
        "reward": None,
        "critiques": ["hm"],
    }


def test_a_judge_that_scores_nothing_gives_no_number(run, writer, data, scripted):
    from ultrarm_eval.judges.base import Judgement

    scripted(lambda *_: Judgement(None), may_abstain=True)
    found = results_of(run(writer(answer), [judged_task(TASK, data=data)]))
    assert math.isnan(found["reward"])
    assert math.isnan(found["win_rate"])
    assert found["empty"] == 1 / 5


def test_a_failing_judge_loses_no_answer(run, writer, data, scripted, tmp_path):
    def fails(_, completion):
        if completion == "x":
            raise ScoringError("The GPU fell off the bus.")
        return 1.0

    scripted(fails)
    model = writer(answer)
    task = judged_task(TASK, data=data, judge="demo", judge_args={"dtype": "float32"})
    with pytest.raises(
        AnswersNotJudgedError, match="fell off the bus.*ultrarm-eval judge"
    ) as raised:
        run(model, [task])
    (path,) = tmp_path.glob("answers-not-judged-*.jsonl")
    assert f"judge {path} --reference-field reference --pretrained demo" in str(raised.value)
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["prompt"], row["completion"], row["reference"]) for row in kept] == list(
        zip(PROMPTS, ANSWERS, REFERENCES, strict=True)
    )


def test_a_judge_that_may_not_abstain_is_not_believed_to(run, writer, data, scripted):
    from ultrarm_eval.judges.base import Judgement

    scripted(lambda *_: Judgement(None))
    with pytest.raises(AnswersNotJudgedError, match="gave no finite reward to 10 of 10 answers"):
        run(writer(answer), [judged_task(TASK, data=data)])


def test_examples_and_several_answers_are_refused(run, writer, data, scripted):
    scripted(longest)
    with pytest.raises(
        ConfigurationError, match=r"this task has no few-shot examples. Use ultrafeedback_judge\|0"
    ):
        run(None, [judged_task(TASK, data=data)], tasks=f"{TASK}|2")
    with pytest.raises(ConfigurationError, match="has 2 answers, but these tasks judge only one"):
        run(writer(lambda _: ["one", "two"]), [judged_task(TASK, data=data)])


def test_data_are_read_for_the_tasks_that_are_run_alone(run, writer, data, scripted):
    scripted(longest)
    tasks = [judged_task(TASK, data=data), judged_task(ALPACA, data="no such file.jsonl")]
    assert run(writer(answer), tasks, tasks=TASK)
    with pytest.raises(DataError, match="no such file"):
        run(None, tasks, tasks=ALPACA)


def test_the_tasks_of_the_environment_are_read_when_lighteval_asks(monkeypatch):
    import ultrarm_eval.lighteval as plugin

    monkeypatch.setenv("ULTRARM_EVAL_METADATA", '{"judge": "demo", "generation_size": 7}')
    tasks = plugin.TASKS_TABLE
    assert [task.name for task in tasks] == [TASK, ALPACA]
    assert [task.generation_size for task in tasks] == [7, 7]
    assert [task.hf_repo for task in tasks] == ["openbmb/UltraFeedback", "tatsu-lab/alpaca_eval"]
    monkeypatch.setenv("ULTRARM_EVAL_METADATA", '{"juge": "demo"}')
    with pytest.raises(ConfigurationError, match="Did you mean 'judge'"):
        plugin.TASKS_TABLE  # noqa: B018

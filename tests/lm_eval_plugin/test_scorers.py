"""Scorers and reductions of lm-eval 0.5, and what holds with and without them."""

import math
import statistics

import pytest
import yaml

from tests.conftest import raw_row, write_jsonl
from ultrarm_eval.errors import AnswersNotJudgedError, ConfigurationError
from ultrarm_eval.lm_eval_plugin.best_of_n_task import BestOfNTask
from ultrarm_eval.lm_eval_plugin.comparison_task import ComparisonTask
from ultrarm_eval.lm_eval_plugin.harness_features import tasks_have_scorers
from ultrarm_eval.metrics.best_of_k import samples_metrics

with_scorers = pytest.mark.skipif(
    not tasks_have_scorers(), reason="lm-eval 0.4 has neither scorers nor reductions"
)
QUESTIONS = ["one", "two", "three"]
ANSWERS = {"one": ["", "aaaa", "aa"], "two": ["bb", "b", "bbb"], "three": ["cc", "cc", "c"]}
REFERENCE = "rr"
TURNS = 3


@pytest.fixture
def model(writer):
    return writer(lambda prompt, turn: ANSWERS[prompt][turn])


@pytest.fixture
def judge(scripted):
    return scripted(lambda _, completion: float(len(completion)))


@pytest.fixture
def own_task(tmp_path):
    """Writes a task's YAML over the questions."""
    data = write_jsonl(tmp_path / "q.jsonl", [{"q": q, "a": REFERENCE} for q in QUESTIONS])

    def write(name="own", **more):
        config = {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(data)}},
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": "{{q}}",
            "doc_to_target": "{{a}}",
            "generation_kwargs": {"until": [], "do_sample": True, "temperature": 1.0},
            "repeats": TURNS,
            **more,
        }
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(config))
        return str(tmp_path)

    return write


def scorer(**more):
    return {"type": "reward", "kwargs": {"prompt": "q", **more}}


def measured(metric, reduce):
    """A metric of every prompt's answers, as one figure and its standard error."""
    values = [reduce(list(map(metric, ANSWERS[q]))) for q in QUESTIONS]
    error = statistics.stdev(values) / math.sqrt(len(values))
    return pytest.approx(statistics.fmean(values), abs=1e-12), pytest.approx(error, abs=1e-12)


def win(answer):
    return (float(len(answer) > 2) + float(len(answer) >= 2)) / 2


def test_answers_to_all_prompts_are_judged_in_one_call(run, writer, tmp_path, judge):
    rows = [raw_row(q, answers=((REFERENCE, 3), ("x", 1))) for q in QUESTIONS]
    for row in rows:
        row["completions"][0]["model"] = "gpt-4"
    data = str(write_jsonl(tmp_path / "d.jsonl", rows))
    tasks = {"ultrafeedback_judge": 6, "ultrafeedback_best_of_n": 12}
    for called, (task, texts) in enumerate(tasks.items(), 1):
        judge.asked.clear()
        model = writer(lambda prompt, turn: ANSWERS[prompt][turn])
        run(model, [task], {"data": data, "n": TURNS})
        assert (judge.calls, len(judge.asked)) == (called, texts)


def test_a_figure_that_is_no_mean_has_no_standard_error(run, model_of):
    """lm-eval 0.5 would draw a hundred thousand samples of it."""
    task = "ultrafeedback_pairs_demo"
    results = run(model_of(lambda _, c: len(c)), [task], bootstrap_iters=100_000)
    found = results["results"][task]
    assert found["acc_longest_stderr,none"] == "N/A"
    assert found["acc_stderr,none"] > 0
    assert results["configs"][task]["metadata"]["undefined"]["acc_helpfulness"] == 2


def test_what_our_tasks_would_not_read_is_refused():
    with pytest.raises(ConfigurationError, match="own: its YAML has the key scorer, which"):
        ComparisonTask({"task": "own", "scorer": "first_token"})
    listed = {"name": "f", "filter": [], "metric_list": [{"metric": "exact_match"}]}
    with pytest.raises(ConfigurationError, match="own, filter 'f': it has its own metric_list"):
        BestOfNTask({"task": "own", "filter_list": [listed]})


@with_scorers
class TestRewardScorer:
    def test_every_answer_has_its_reward_and_their_mean_is_shown(self, run, model, judge, own_task):
        folder = own_task(
            scorer=scorer(reference="a"), metric_list=[{"metric": "reward"}, {"metric": "win_rate"}]
        )
        results = run(model, ["own"], include_path=folder)
        found = results["results"]["own"]
        shown = found["reward,none"], found["reward_stderr,none"]
        assert shown == measured(len, statistics.fmean)
        assert found["win_rate,none"] == measured(win, statistics.fmean)[0]
        assert judge.calls == 1
        sample = results["samples"]["own"][0]
        assert [one["reward"] for one in sample["judged"]] == [0.0, 4.0, 2.0]
        assert sample["judged_reference"] == {"reward": 2.0}
        assert sample["scores_per_repeat"]["win_rate"] == [0.0, 1.0, 0.5]

    def test_the_best_of_k_is_what_our_own_task_shows(self, run, model, judge, own_task):
        metrics = [{"metric": m, "reduction": "best@k"} for m in ("reward", "win_rate")]
        folder = own_task(scorer=scorer(reference="a"), metric_list=metrics)
        found = run(model, ["own"], include_path=folder)["results"]["own"]
        own = [samples_metrics(list(map(len, ANSWERS[q])), 2.0) for q in QUESTIONS]
        for metric in ("reward", "win_rate"):
            for k in (1, 2, 3):
                expected = statistics.fmean(one[f"{metric}@{k}"] for one in own)
                assert found[f"best@{k}({metric}),none"] == pytest.approx(expected, abs=1e-12)

    def test_other_metrics_read_the_answers_beside_it(self, run, model, judge, own_task):
        metrics = [{"metric": "reward"}, {"metric": "exact_match", "reduction": "mean"}]
        folder = own_task(scorer=scorer(), metric_list=metrics, doc_to_target="bb")
        found = run(model, ["own"], include_path=folder)["results"]["own"]
        assert found["exact_match,none"] == pytest.approx(1 / 9)
        assert found["reward,none"] == measured(len, statistics.fmean)[0]

    def test_a_wrong_setting_shows_before_the_model_writes(self, run, model, own_task):
        folder = own_task(scorer=scorer(judge="demo", reference="nothing"))
        with pytest.raises(ConfigurationError, match="reference='nothing'.*no such column"):
            run(model, ["own"], include_path=folder)
        assert not model.requests

    def test_answers_outlive_a_judge_that_fails(self, run, model, scripted, own_task, tmp_path):
        def fail(*_):
            raise RuntimeError("out of memory")

        scripted(fail)
        folder = own_task(scorer=scorer())
        with pytest.raises(
            AnswersNotJudgedError, match=r"out of memory\. .*saved in a file"
        ) as error:
            run(model, ["own"], include_path=folder)
        (name,) = (word for word in str(error.value).split() if word.endswith(".jsonl"))
        assert len((tmp_path / name).read_text().splitlines()) == 9


@with_scorers
class TestRepeats:
    def test_they_are_the_n_of_best_of_n(self, run, writer, tmp_path, judge):
        data = str(write_jsonl(tmp_path / "d.jsonl", [{"prompt": q} for q in QUESTIONS]))
        model = writer(lambda prompt, turn: ANSWERS[prompt][turn])
        run_one = ["ultrafeedback_best_of_n"]
        found = run(model, run_one, {"data": data}, repeats=3)["results"][run_one[0]]
        own = [samples_metrics(list(map(len, ANSWERS[q])), None) for q in QUESTIONS]
        expected = statistics.fmean(one["reward@3"] for one in own)
        assert found["reward@3,none"] == pytest.approx(expected, abs=1e-12)
        with pytest.raises(ConfigurationError, match="--repeats 2 and --metadata n=3"):
            run(model, run_one, {"data": data, "n": 3}, repeats=2)

    def test_one_answer_stays_one(self, run, model, tmp_path, judge, model_of, caplog):
        data = str(write_jsonl(tmp_path / "d.jsonl", [{"prompt": q} for q in QUESTIONS]))
        metadata = {"data": data, "reference": "none"}
        found = run(model, ["ultrafeedback_judge"], metadata, repeats=2)["results"]
        first = statistics.fmean(len(ANSWERS[q][0]) for q in QUESTIONS)
        assert found["ultrafeedback_judge"]["reward,none"] == pytest.approx(first)
        run(model_of(lambda _, c: len(c)), ["ultrafeedback_pairs_demo"], limit=2, repeats=2)
        assert caplog.text.count("--repeats 2 has no effect on this task") == 2


def test_chosen_documents_are_logged_or_refused_before_anything_is_scored(run, model_of):
    """lm-eval 0.5.0.dev1 would fail once everything is scored."""
    task, model = "ultrafeedback_pairs_demo", model_of(lambda _, c: len(c))
    chosen = {task: [1, 3]}
    assert run(model, [task], samples=chosen, log_samples=False)["results"][task]["acc,none"] >= 0
    model.judge.calls.clear()
    if tasks_have_scorers():
        with pytest.raises(ConfigurationError, match="selected by --samples.* IndexError"):
            run(model, [task], samples=chosen)
        assert not model.judge.calls
    else:
        logged = run(model, [task], samples=chosen)["samples"][task]
        assert [sample["doc_id"] for sample in logged] == [1, 3]
    (sample,) = run(model, [task], samples={task: [0]})["samples"][task]
    assert sample["doc_id"] == 0

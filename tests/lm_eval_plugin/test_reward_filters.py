"""The filters `reward` and `best_of_n` in anyone's own task."""

import json
import pickle
import re
import shlex

import pytest
import yaml

from tests.conftest import write_jsonl
from ultrarm_eval import load_judge
from ultrarm_eval.cli.judge import judge_answers
from ultrarm_eval.cli.judge_options import JudgeChoice
from ultrarm_eval.errors import ConfigurationError, ScoringError
from ultrarm_eval.judges.base import Judgement
from ultrarm_eval.judges.ultrarm import UltraRMJudge
from ultrarm_eval.lm_eval_plugin.filter_prompt import prompt_writer, reference_writer
from ultrarm_eval.lm_eval_plugin.harness_features import tasks_have_scorers
from ultrarm_eval.lm_eval_plugin.harness_values import ScoredText
from ultrarm_eval.lm_eval_plugin.reward_filters import RewardFilter

QUESTIONS = ["What is blue?", "What is a horse?", "Why?"]
ANSWERS = {q: [f"the sky {i} {q}", f"nothing {i}", "a horse " * (i + 1)] for i, q in enumerate(QUESTIONS)}  # fmt: skip
TARGETS = {"text": "the sky", "number": 3, "list": ["the sky", "water"]}


@pytest.fixture
def writer():
    """A model that writes the same answers every time, in turn where it is asked again."""
    from lm_eval.api.model import LM

    class Writer(LM):
        def __init__(self):
            super().__init__()
            self.calls = 0

        def generate_until(self, requests):
            self.calls += 1
            turns = {}
            answers = []
            for request in requests:
                question = request.args[0]
                turn = turns[question] = turns.get(question, -1) + 1
                answers.append(ANSWERS[question][turn])
            return answers

        def loglikelihood(self, requests):
            raise NotImplementedError

        loglikelihood_rolling = loglikelihood

    return Writer()


@pytest.fixture
def own_task(tmp_path):
    """Writes a task's YAML over the questions."""

    def write(filters=None, name="own", target="{{target}}", kind="text", **more):
        data = write_jsonl(
            tmp_path / f"{name}.jsonl",
            [{"question": q, "target": TARGETS[kind]} for q in QUESTIONS],
        )
        config = {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(data)}},
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": "{{question}}",
            "filter_list": [
                {
                    "name": "ultrarm",
                    "filter": filters
                    or [{"function": "reward", "prompt": "{{question}}", "judge": "demo"}],
                }
            ],
            "metric_list": [{"metric": "reward"}],
            **more,
        }
        if target is not None:
            config["doc_to_target"] = target
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(config))
        return str(tmp_path)

    return write


def filtered(sample):
    """What the filters made of a sample's answers: from lm-eval 0.5 on a list for each request."""
    found = sample["filtered_resps"]
    return [text for of_request in found for text in of_request] if tasks_have_scorers() else found


def expected(turn=0):
    return load_judge("demo", device="cpu").score(
        QUESTIONS, [ANSWERS[question][turn] for question in QUESTIONS]
    )


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("target", "kind"),
    [("{{target}}", "text"), ("target", "text"), ("target", "number"), ("", "text")],
)
def test_the_mean_reward_is_shown_whatever_the_target(run, writer, own_task, target, kind):
    results = run(writer, ["own"], include_path=own_task(target=target, kind=kind))
    measured = results["results"]["own"]
    assert measured["reward,ultrarm"] == pytest.approx(sum(expected()) / 3, abs=1e-5)
    assert measured["reward_stderr,ultrarm"] > 0
    assert [sample["reward"] for sample in results["samples"]["own"]] == pytest.approx(
        expected(), abs=1e-5
    )
    assert filtered(results["samples"]["own"][0]) == [ANSWERS[QUESTIONS[0]][0]]


def test_list_targets_work_or_stop_the_run_with_the_line_to_add(run, writer, own_task):
    folder = own_task(target="target", kind="list")
    if tasks_have_scorers():
        # From lm-eval 0.5 on the target is left as it is.
        found = run(writer, ["own"], include_path=folder)["results"]["own"]
        assert found["reward,ultrarm"] == pytest.approx(sum(expected()) / 3, abs=1e-5)
        return
    with pytest.raises(ConfigurationError, match="process_results: !function"):
        run(writer, ["own"], include_path=folder)


def test_with_that_line_list_targets_work(run, writer, own_task, tmp_path):
    folder = own_task(target="target", kind="list")
    path = tmp_path / "own.yaml"
    (tmp_path / "rewards.py").write_text(
        "from ultrarm_eval.lm_eval_plugin.generation_metrics import process_results\n"
    )
    path.write_text(path.read_text() + "process_results: !function rewards.process_results\n")
    results = run(writer, ["own"], include_path=folder)
    assert results["results"]["own"]["reward,ultrarm"] == pytest.approx(
        sum(expected()) / 3, abs=1e-5
    )


def test_several_responses_count_with_their_mean(run, writer, own_task):
    results = run(writer, ["own"], include_path=own_task(repeats=3))
    every = [expected(turn) for turn in range(3)]
    mean = sum(map(sum, every)) / 9
    assert results["results"]["own"]["reward,ultrarm"] == pytest.approx(mean, abs=1e-5)


def test_the_best_of_n_is_kept(run, writer, own_task):
    filters = [{"function": "best_of_n", "prompt": "question", "judge": "demo", "n": 3}]
    results = run(writer, ["own"], include_path=own_task(filters, repeats=3))
    every = [expected(turn) for turn in range(3)]
    best = [max(range(3), key=lambda turn: every[turn][i]) for i in range(3)]
    assert [filtered(sample) for sample in results["samples"]["own"]] == [
        [ANSWERS[question][turn]] for question, turn in zip(QUESTIONS, best, strict=True)
    ]
    assert results["results"]["own"]["reward,ultrarm"] == pytest.approx(
        sum(every[turn][i] for i, turn in enumerate(best)) / 3, abs=1e-5
    )


def test_more_samples_than_there_are_is_refused(run, writer, own_task):
    filters = [{"function": "best_of_n", "judge": "demo", "n": 16}]
    with pytest.raises(
        ConfigurationError,
        match=r"n=16, but a document has 3 responses\. In the task's YAML set repeats: 16",
    ):
        run(writer, ["own"], include_path=own_task(filters, repeats=3))


def test_a_filter_behind_it_that_drops_the_reward_is_named(run, writer, own_task):
    filters = [
        {"function": "reward", "judge": "demo"},
        {"function": "lowercase"},
        {"function": "take_first"},
    ]
    with pytest.raises(ConfigurationError, match="the last of its list"):
        run(writer, ["own"], include_path=own_task(filters))


def test_a_filter_before_it_may_pick_the_response(run, writer, own_task):
    filters = [{"function": "take_first"}, {"function": "reward", "judge": "demo"}]
    results = run(writer, ["own"], include_path=own_task(filters))
    assert results["results"]["own"]["reward,ultrarm"] == pytest.approx(
        sum(expected()) / 3, abs=1e-5
    )


def test_tasks_that_name_one_judge_share_it(run, writer, own_task, monkeypatch):
    from ultrarm_eval.judges import shared_judges

    shared_judges._made.cache_clear()
    own_task(name="first")
    folder = own_task(name="second")
    run(writer, ["first", "second"], include_path=folder)
    # Each is asked for before the model writes, and when it has written.
    assert shared_judges._made.cache_info().misses == 1
    assert shared_judges._made.cache_info().hits >= 3


@pytest.mark.few(4)
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"promt": "x"}, "'promt'"),
        (
            {"prompt": "missing"},
            "prompt='missing': .* no such column. Its columns: question, target",
        ),
        (
            {"prompt": "{{missing}}"},
            "'missing' is undefined.* The document has the columns question, target",
        ),
        ({"prompt": "{{"}, "is not a valid Jinja template: "),
        ({"prompt": ""}, "a column's name or a Jinja template"),
        ({"judge_args": [1]}, "judge_args must be a mapping"),
        ({"judge_args": {"dtype": "int3"}}, "int3"),
        ({"judge": "/nowhere"}, "/nowhere"),
    ],
)
def test_wrong_settings_are_named(run, writer, own_task, settings, message):
    filters = [{"function": "reward", "judge": "demo", **settings}]
    with pytest.raises(Exception, match="(?s)" + message.replace("{", r"\{")) as caught:
        run(writer, ["own"], include_path=own_task(filters))
    assert type(caught.value).__module__ == "ultrarm_eval.errors"
    # Before the model has written anything.
    assert writer.calls == 0


@pytest.mark.parametrize("error", [ScoringError("It is nan."), RuntimeError("CUDA error: no")])
def test_a_judge_that_fails_keeps_the_answers_in_a_file(
    run, writer, own_task, tmp_path, monkeypatch, error
):
    def broken(*_):
        raise error

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(UltraRMJudge, "judgements", broken)
    with pytest.raises(
        ScoringError,
        match=re.escape(str(error).rstrip("."))
        + r"\. The model's answers .* are saved in a file. Judge them with: "
        r"ultrarm-eval judge .*jsonl --pretrained demo",
    ):
        run(writer, ["own"], include_path=own_task())
    (kept,) = tmp_path.glob("answers-not-judged-*.jsonl")
    rows = [json.loads(line) for line in kept.read_text().splitlines()]
    assert rows == [{"prompt": q, "completion": ANSWERS[q][0]} for q in QUESTIONS]
    monkeypatch.undo()
    figures = judge_answers(str(kept), JudgeChoice("ultrarm", "demo", {"device": "cpu"}))
    assert figures["reward"] == pytest.approx(sum(expected()) / 3, abs=1e-5)


def test_filters_behind_the_best_of_n_get_a_list(run, writer, own_task):
    filters = [
        {"function": "best_of_n", "judge": "demo"},
        {"function": "regex", "regex_pattern": "(sky|nothing|horse)"},
        {"function": "take_first"},
    ]
    folder = own_task(
        filters,
        repeats=3,
        metric_list=[{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        target="sky",
    )
    results = run(writer, ["own"], include_path=folder)
    every = [expected(turn) for turn in range(3)]
    words = ["sky", "nothing", "horse"]
    best = [words[max(range(3), key=lambda turn: every[turn][i])] for i in range(3)]
    shown = [s["filtered_resps"] for s in results["samples"]["own"]]
    assert shown == [[[word]] if tasks_have_scorers() else [word] for word in best]
    assert results["results"]["own"]["exact_match,ultrarm"] == best.count("sky") / 3


@pytest.mark.parametrize(
    ("given", "rewards"), [([None, "a"], 2), ([(-3.0, False)], None), (["a", "b", "c"], 3)]
)
def test_responses_are_texts(monkeypatch, given, rewards):
    one = RewardFilter(prompt="question", judge="demo", judge_args={"device": "cpu"})
    document = {"question": "Why?"}
    if rewards is None:
        with pytest.raises(ConfigurationError, match="of type tuple"):
            one.judged([given], [document])
        return
    (scored,) = one.judged([given], [document])
    assert len(scored.answers) == rewards
    assert [str(answer) for answer in scored.answers] == [text or "" for text in given]


def test_too_few_rewards_are_an_error(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(UltraRMJudge, "judgements", lambda *_: iter([(0, Judgement(1.0))]))
    one = RewardFilter(prompt="question", judge="demo", judge_args={"device": "cpu"})
    with pytest.raises(ScoringError, match="gave no reward to 1 of 2 completions"):
        one.judged([["a", "b"]], [{"question": "Why?"}])


def test_a_scored_text_goes_between_processes_whole():
    single = ScoredText("a", Judgement(1.5, ("good",)))
    several = ScoredText(single, Judgement(2.0), [single, ScoredText("b", Judgement(2.5))])
    for text in (single, several, ScoredText(3)):
        again = pickle.loads(pickle.dumps(text))
        assert (again, again.judgement) == (text, text.judgement)
        assert [(a, a.reward) for a in again.answers] == [(a, a.reward) for a in text.answers]
    assert json.dumps(several) == '"a"'
    assert ScoredText("only").answers[0] == "only"


def test_a_filter_without_prompt_looks_at_the_usual_columns():
    write = prompt_writer(None)
    assert write({"id": 1, "instruction": "do", "question": "what"}) == "do"
    messages = [{"role": "user", "content": "hi"}]
    assert write({"prompt": messages}) == messages
    with pytest.raises(
        ConfigurationError, match="none of the columns prompt, instruction, question, input"
    ):
        write({"id": 1})


def test_messages_written_as_json_text_are_the_prompt():
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]
    document = {"prompt": json.dumps(messages), "printed": str(messages), "plain": "[1] {}"}
    assert prompt_writer(None)(document) == messages
    assert prompt_writer("prompt")(document) == messages
    assert prompt_writer("{{prompt}}")(document) == messages
    assert prompt_writer("plain")(document) == "[1] {}"
    with pytest.raises(ConfigurationError, match=r"prompt='printed' .* text that is not JSON"):
        prompt_writer("printed")(document)
    with pytest.raises(ConfigurationError, match="messages as JSON; .* must be plain text"):
        reference_writer("prompt")(document)
    assert reference_writer("plain")(document) == "[1] {}"


def test_a_reference_gives_a_win_rate(run, writer, own_task):
    rows = {"reference": "{{target}}"}
    filters = [{"function": "reward", "prompt": "question", "judge": "demo", **rows}]
    metrics = [{"metric": "reward"}, {"metric": "win_rate"}]
    folder = own_task(filters, metric_list=metrics, repeats=3)
    results = run(writer, ["own"], include_path=folder)
    judge = load_judge("demo", device="cpu")
    others = judge.score(QUESTIONS, ["the sky"] * 3)
    every = [expected(turn) for turn in range(3)]
    wins = [sum(every[turn][i] > others[i] for turn in range(3)) / 3 for i in range(3)]
    assert results["results"]["own"]["win_rate,ultrarm"] == pytest.approx(sum(wins) / 3)
    filters = [{"function": "best_of_n", "prompt": "question", "judge": "demo", **rows}]
    folder = own_task(filters, metric_list=metrics, repeats=3)
    best = [float(max(every[turn][i] for turn in range(3)) > others[i]) for i in range(3)]
    found = run(writer, ["own"], include_path=folder)
    assert found["results"]["own"]["win_rate,ultrarm"] == pytest.approx(sum(best) / 3)
    sample = found["samples"]["own"][0]
    assert [one["reward"] for one in sample["judged"]] == pytest.approx(
        [e[0] for e in every], abs=1e-5
    )
    assert sample["judged_reference"]["reward"] == pytest.approx(others[0], abs=1e-5)


def test_a_win_needs_a_reference_that_is_text(run, writer, own_task):
    metrics = [{"metric": "win_rate"}]
    with pytest.raises(ConfigurationError, match="Name the column of the reference"):
        run(writer, ["own"], include_path=own_task(metric_list=metrics))
    filters = [{"function": "reward", "judge": "demo", "reference": "target"}]
    with pytest.raises(ConfigurationError, match="Filter setting reference='target' gives a list"):
        run(writer, ["own"], include_path=own_task(filters, kind="list", metric_list=metrics))


def test_an_answer_without_a_score_is_refused_in_tasks_that_would_count_it(
    run, writer, own_task, monkeypatch, tmp_path
):
    from ultrarm_eval.judges.base import Judgement

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(UltraRMJudge, "may_abstain", True, raising=False)
    monkeypatch.setattr(
        UltraRMJudge, "judgements", lambda _, p, c: enumerate([Judgement(None)] * len(c))
    )
    with pytest.raises(ScoringError, match=r"3 of 3 answers got no readable score.*samples: 4"):
        run(writer, ["own"], include_path=own_task())
    assert len(list(tmp_path.glob("answers-not-judged-*.jsonl"))) == 1


def test_an_instruction_with_an_input_is_no_prompt_yet():
    write = prompt_writer(None)
    with pytest.raises(ConfigurationError, match="Set how they become one prompt"):
        write({"instruction": "add", "input": "1 2"})
    assert write({"instruction": "add", "input": ""}) == "add"


@pytest.mark.parametrize(
    ("gpus", "environment", "device"),
    [
        ([], {}, None),
        ([5], {}, None),
        ([1, 9, 4], {}, "cuda:1"),
        ([1, 9], {"WORLD_SIZE": "2", "LOCAL_RANK": "0"}, "cuda:0"),
        ([], {"WORLD_SIZE": "2", "LOCAL_RANK": "1"}, None),
    ],
)
def test_a_judge_goes_where_memory_is_free(monkeypatch, gpus, environment, device):
    import torch

    from ultrarm_eval.judges import shared_judges

    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(gpus))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda gpu: (gpus[gpu], 10))
    for name in ("WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert shared_judges._device_of_process() == device


def test_a_judge_that_does_not_fit_beside_the_model_says_so_before_it_writes(
    run, writer, own_task, monkeypatch
):
    from ultrarm_eval.checkpoints import device
    from ultrarm_eval.errors import DeviceError
    from ultrarm_eval.judges import shared_judges

    shared_judges._made.cache_clear()
    monkeypatch.setattr(device, "_free_everywhere", lambda *_, parallelize: 1024)
    with pytest.raises(
        DeviceError, match=r"weights need 0.0 GiB, but cpu has only 0.0 GiB free. Use"
    ):
        run(writer, ["own"], include_path=own_task())
    assert writer.calls == 0


def test_answers_that_the_harness_adds_to_even_out_processes_do_not_count(monkeypatch):
    filter_ = RewardFilter(prompt="question", judge="demo", judge_args={"device": "cpu"}, repeats=2)
    (scored,) = filter_.judged([["a", "b", "b", "b"]], [{"question": "Why?"}])
    assert [str(answer) for answer in scored.answers] == ["a", "b"]


def test_the_command_for_kept_answers_has_the_judges_settings_and_whole_conversations(
    monkeypatch, tmp_path, capsys
):
    from ultrarm_eval.cli.main import main

    (tmp_path / "with space").mkdir()
    monkeypatch.chdir(tmp_path / "with space")
    turns = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
    ]
    documents = [
        {"prompt": turns, "reference": "r"},
        {"prompt": None, "reference": "s"},
        {"prompt": "same", "reference": "t"},
        {"prompt": "same", "reference": "another"},
    ]
    settings = {"device": "cpu", "template": "ultrarm-one-newline", "max_batch_tokens": 64}
    plain = RewardFilter(prompt="prompt", judge="demo", judge_args=settings, reference="reference")
    answers = [["a"], ["b"], ["c"], ["d"]]
    expected = plain.judged(answers, documents)
    monkeypatch.setattr(UltraRMJudge, "load", lambda _: None)
    monkeypatch.setattr(UltraRMJudge, "judgements", lambda *_: 1 / 0)
    with pytest.raises(ScoringError, match="division by zero") as caught:
        plain.judged(answers, documents)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    command = shlex.split(str(caught.value).split("Judge them with: ")[1])
    assert main([*command[1:], "-o", "out.jsonl"]) == 0
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["reward"] for row in rows] == pytest.approx([e.reward for e in expected], abs=1e-5)
    assert [row["reward_of_reference"] for row in rows] == pytest.approx(
        [e.reference.reward for e in expected], abs=1e-5
    )


def test_when_judging_fails_the_other_tasks_answers_are_kept_too(
    run, writer, own_task, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)

    def interrupted(*_):
        raise KeyboardInterrupt

    own_task(name="first")
    plain = [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}]
    folder = own_task([{"function": "take_first"}], name="second", metric_list=plain)
    monkeypatch.setattr(UltraRMJudge, "judgements", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(writer, ["first", "second"], include_path=folder)
    kept = []
    for name in ("first", "second"):
        (path,) = tmp_path.glob(f"answers-of-{name}-*.jsonl")
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        kept.append([row["completion"] for row in rows])
    # Harness releases differ in the order in which they ask for the tasks' answers.
    assert sorted(kept) == sorted([ANSWERS[q][turn] for q in QUESTIONS] for turn in range(2))


def test_a_document_without_a_reference_shows_before_the_model_writes(
    run, writer, own_task, tmp_path
):
    filters = [{"function": "reward", "judge": "demo", "reference": "more"}]
    folder = own_task(filters)
    rows = [
        {"question": q, "target": "t", "more": None if i else "m"} for i, q in enumerate(QUESTIONS)
    ]
    write_jsonl(tmp_path / "own.jsonl", rows)
    with pytest.raises(ConfigurationError, match="Document 1 has no reference answer"):
        run(writer, ["own"], include_path=folder)
    assert writer.calls == 0

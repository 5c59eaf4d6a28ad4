"""`ultrarm_eval/reward`: rewards and wins of what a model wrote, as `ultrarm-eval judge` has them."""

import json
import math
import statistics
import threading
import time

import pytest

pytest.importorskip("inspect_ai")

from inspect_ai import Epochs, Task
from inspect_ai.dataset import Sample
from inspect_ai.log import read_eval_log, write_eval_log
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    ContentImage,
    ContentReasoning,
    ContentText,
    ModelOutput,
)
from inspect_ai.scorer import precomputed_scores
from inspect_ai.solver import solver

from tests.conftest import LengthJudge, write_jsonl
from tests.inspect_plugin.conftest import CountingJudge, Critic, figures
from ultrarm_eval.errors import UltrarmEvalError
from ultrarm_eval.inspect_plugin import reward

MODEL = "mockllm/model"


@solver
def written(answers):
    """Takes answers by the sample's id, and the epoch: nothing is downloaded for a model."""

    async def solve(state, generate):
        own = answers[state.sample_id]
        if own is None:
            return state
        texts = own(state.epoch) if callable(own) else own
        choices = [
            ChatCompletionChoice(message=ChatMessageAssistant(content=text))
            for text in ([texts] if isinstance(texts, str) else texts)
        ]
        state.output = ModelOutput(model=MODEL, choices=choices)
        state.messages.append(choices[0].message)
        return state

    return solve


def task(samples, answers, scorer, **options):
    return Task(dataset=samples, solver=written(answers), scorer=scorer, **options)


@pytest.fixture
def demo_answers(demo_rows):
    """Real texts: a prompt's first completion answers it, the second is its reference."""
    return [
        (row["instruction"], row["completions"][0]["response"], row["completions"][1]["response"])
        for row in demo_rows[:60]
    ]


@pytest.mark.parametrize("where", ["target", "metadata", "file"])
def test_figures_are_those_of_the_command_judge(evaluate, demo_answers, tmp_path, where):
    from ultrarm_eval.cli.judge import judge_answers
    from ultrarm_eval.cli.judge_options import JudgeChoice

    path = write_jsonl(
        tmp_path / "answers.jsonl",
        [{"prompt": p, "completion": a, "other": r} for p, a, r in demo_answers],
    )
    outputs = write_jsonl(
        tmp_path / "outputs.jsonl", [{"instruction": p, "output": r} for p, _, r in demo_answers]
    )
    samples = [
        Sample(id=n, input=p, target=r, metadata={"other": r})
        for n, (p, _, r) in enumerate(demo_answers)
    ]
    reference = {"target": "target", "metadata": "other", "file": str(outputs)}[where]
    answers = [answer for _, answer, _ in demo_answers]
    log = evaluate(task(samples, answers, reward(judge="demo", reference=reference, device="cpu")))
    choice = JudgeChoice("ultrarm", "demo", {"device": "cpu"})
    theirs = judge_answers(str(path), choice, reference_field="other")
    ours = figures(log)
    for name in ("reward", "win_rate"):
        # Other texts share a batch, which moves the last bits of a reward.
        assert ours[name]["mean"] == pytest.approx(theirs[name], abs=1e-6)
        assert ours[name]["stderr"] == pytest.approx(theirs[f"{name}_stderr"], abs=1e-6)
    controlled = ours["win_rate_length_controlled"]["length_controlled"]
    assert controlled == pytest.approx(theirs["win_rate_length_controlled"], abs=1e-9)
    assert 0 < ours["win_rate"]["mean"] < 1
    assert controlled != ours["win_rate"]["mean"]


def test_200_samples_meet_in_few_calls(evaluate, counting):
    from ultrarm_eval.inspect_plugin.scoring_queue import queue_of
    from ultrarm_eval.judges.shared_judges import shared_judge

    judge = counting(CountingJudge)
    samples = [Sample(id=n, input=f"prompt {n}", target="x" * (n % 7 + 1)) for n in range(200)]
    answers = ["y" * (n % 5) for n in range(200)]
    scorer = reward(judge="length", reference="target")
    queue = queue_of(shared_judge("length"))
    # On a busy machine samples come slowly.
    queue._silence_s = 2.0
    log = evaluate(task(samples, answers, scorer), max_samples=50)
    assert log.results.scores[0].scored_samples == 200
    assert sum(map(len, judge.calls)) == queue.texts == 400
    # Fifty are open at once.
    assert len(judge.calls) == queue.calls <= 8
    for call in judge.calls:
        assert [p for p, _ in call[::2]] == [p for p, _ in call[1::2]]


def test_a_log_of_200_samples_is_scored_in_two_calls_at_most(evaluate, counting):
    import inspect_ai

    from ultrarm_eval.inspect_plugin.scoring_queue import queue_of
    from ultrarm_eval.judges.shared_judges import shared_judge

    judge = counting(CountingJudge)
    samples = [Sample(id=n, input=f"prompt {n}") for n in range(200)]
    log = evaluate(task(samples, ["y" * (n % 5) for n in range(200)], None))
    scorer = reward(judge="length")
    waiting = queue_of(shared_judge("length"))._waiting
    judge.held.clear()

    def release():
        # The first call may have begun before all were there.
        while not judge.calls or waiting.qsize() + len(judge.calls[0]) < 200:
            time.sleep(0.01)
        judge.held.set()

    threading.Thread(target=release, daemon=True).start()
    scored = inspect_ai.score(log, scorer, action="append", display="none")
    assert scored.results.scores[0].scored_samples == 200
    assert len(judge.calls) <= 2


def test_without_a_reference_there_is_no_win_rate(evaluate, third_party):
    third_party(LengthJudge)
    log = evaluate(task([Sample(id=0, input="p")], ["abc"], reward(judge="length", factor=2)))
    assert set(figures(log)) == {"reward"}
    (score,) = (sample.scores["reward"] for sample in log.samples)
    assert score.value == {"reward": 6.0}
    assert score.answer == "abc"
    assert score.explanation is None
    assert score.metadata == {
        "rewards": {"answer": 6.0},
        "judge": "LengthJudge",
        "fingerprint": "length 2",
    }


def test_epochs_and_choices_count_with_their_means(evaluate, counting):
    judge = counting(CountingJudge)
    samples = [Sample(id=n, input=f"p{n}", target="four") for n in range(3)]
    answers = [
        lambda epoch: ["a" * epoch, "b" * (epoch + 2)],
        lambda epoch: "c" * 5 * epoch,
        lambda epoch: "d",
    ]
    scorer = reward(judge="length", reference="target")
    log = evaluate(task(samples, answers, scorer, epochs=Epochs(2)))
    found = figures(log)
    # Epochs 1 and 2 of the first sample: lengths 1 and 3, then 2 and 4, where 4 is a tie.
    assert found["reward"]["mean"] == pytest.approx(statistics.fmean([2.5, 7.5, 1]))
    wins = [statistics.fmean([0, 0.25]), 1.0, 0.0]
    assert found["win_rate"]["mean"] == pytest.approx(statistics.fmean(wins))
    error = statistics.stdev(wins) / math.sqrt(3)
    assert found["win_rate"]["stderr"] == pytest.approx(error)
    from ultrarm_eval.metrics.win_rate import length_controlled_win_rate

    controlled = length_controlled_win_rate(wins, [2.5 - 4, 7.5 - 4, 1 - 4])
    assert found["win_rate_length_controlled"]["length_controlled"] == pytest.approx(controlled)
    rewards = log.samples[0].scores["reward"].metadata["rewards"]
    assert rewards == {"answer 1": 1.0, "answer 2": 3.0, "reference": 4.0}
    assert len(judge.calls) <= 6


def test_a_reference_is_judged_once_for_each_prompt(evaluate, counting, monkeypatch):
    judge = counting(CountingJudge)
    monkeypatch.setattr(judge, "reward", lambda self, turns, text: turns[0]["content"].count("b"))
    samples = [Sample(id=n, input=p, target="it") for n, p in enumerate(["a", "b", "bb"])]
    scorer = reward(judge="length", reference="target")
    answers = [lambda epoch: f"answer {epoch}"] * 3
    log = evaluate(task(samples, answers, scorer, epochs=2), max_samples=1)
    assert figures(log)["win_rate"]["mean"] == 0.5
    asked = [(turns[0]["content"], text) for call in judge.calls for turns, text in call]
    assert sorted(asked) == sorted(
        (prompt, text) for prompt in ("a", "b", "bb") for text in ("answer 1", "answer 2", "it")
    )
    assert [sample.scores["reward"].metadata["rewards"]["reference"] for sample in log.samples] == [
        *(0, 1, 2),
        *(0, 1, 2),
    ]


def test_samples_without_output_reference_or_score_are_counted(evaluate, counting, caplog):
    counting(Critic)
    references = ["abc", "what?", None, "abc", "abc"]
    samples = [Sample(id=n, input="p", metadata={"other": one}) for n, one in enumerate(references)]
    answers = ["abcd", "abcd", "abcd", "why?", None]
    with caplog.at_level("WARNING"):
        log = evaluate(task(samples, answers, reward(judge="length", reference="other")))
    assert caplog.text.count("Sample 2 (epoch 1) has no reference (other)") == 1
    counts = {s.name: (s.scored_samples, s.unscored_samples) for s in log.results.scores}
    assert counts == {
        "reward": (3, 2),
        "win_rate": (1, 4),
        "win_rate_length_controlled": (1, 4),
    }
    assert figures(log)["win_rate"]["mean"] == 1
    scores = [sample.scores["reward"] for sample in log.samples]
    assert [score.reason for score in scores] == [None, None, None, "grader_failed", "no_response"]
    assert scores[0].explanation == (
        "answer:\nIt has 4 characters.\n\nreference:\nIt has 3 characters."
    )
    assert "It has 4 characters." in scores[3].explanation


@pytest.mark.parametrize("prompt", ["input", "messages"])
def test_the_answer_is_judged_beside_the_input_or_all_messages(evaluate, counting, prompt):
    judge = counting(CountingJudge)
    turns = [
        ChatMessageSystem(content="Be brief."),
        ChatMessageUser(content=[ContentText(text="One "), ContentText(text="two")]),
        ChatMessageAssistant(content=[ContentReasoning(reasoning="Hm."), ContentText(text="Yes")]),
        ChatMessageUser(content="And?"),
    ]

    @solver
    def more():
        async def solve(state, generate):
            state.messages.append(ChatMessageUser(content="Think."))
            return state

        return solve

    sample = Sample(id=0, input=turns)
    log = evaluate(
        Task(
            dataset=[sample],
            solver=[more(), written(["So."])],
            scorer=reward(judge="length", prompt=prompt),
        )
    )
    assert log.status == "success"
    (((asked, text),),) = judge.calls
    expected = [("system", "Be brief."), ("user", "One \ntwo"), ("assistant", "Yes")]
    expected += [("user", "And?")] + ([("user", "Think.")] if prompt == "messages" else [])
    assert [(turn["role"], turn["content"]) for turn in asked] == expected
    assert text == "So."


def test_a_sample_that_cannot_be_judged_fails_and_the_others_do_not(evaluate, counting):
    counting(CountingJudge)
    picture = ChatMessageUser(content=[ContentImage(image="data:image/png;base64,AAAA")])
    samples = [Sample(id="good", input="p"), Sample(id="picture", input=[picture])]
    log = evaluate(
        task(samples, {"good": "abc", "picture": "abc"}, reward(judge="length")),
        fail_on_error=False,
    )
    good, bad = log.samples
    assert good.scores["reward"].value == {"reward": 3.0}
    assert "Sample 'picture' (epoch 1)" in bad.error.message
    assert "part of type 'image'" in bad.error.message


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (
            Sample(id=7, input="p", metadata={"gold": "x"}),
            "nor a key of the sample's metadata. Keys: gold",
        ),
        (Sample(id=7, input="p", metadata={"other": 3}), "of type int"),
    ],
)
def test_a_reference_that_is_none_is_named(evaluate, counting, sample, message):
    counting(CountingJudge)
    log = evaluate(task([sample], {7: "abc"}, reward(judge="length", reference="other")))
    assert log.status == "error"
    assert message in log.error.message
    assert "Sample 7 (epoch 1)" in log.error.message


def test_several_targets_are_no_reference(evaluate, counting):
    counting(CountingJudge)
    sample = Sample(id=7, input="p", target=["a", "b"])
    log = evaluate(task([sample], {7: "abc"}, reward(judge="length", reference="target")))
    assert "has 2 targets" in log.error.message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"judge": "nowhere"}, "nowhere"),
        ({"prompt": "all"}, "Unknown prompt 'all'"),
        ({"kind": "lenght"}, "lenght"),
        ({"reference": "missing.json"}, "no such file"),
        ({"judge_args": "x"}, "judge_args='x'"),
        ({"factor": 2, "judge_args": {"factor": 3}}, "both set factor"),
        ({"judge": ""}, "No judge is named"),
    ],
)
def test_what_cannot_be_used_is_refused_when_the_scorer_is_made(third_party, arguments, message):
    third_party(LengthJudge)
    with pytest.raises(UltrarmEvalError, match=message) as refused:
        reward(**{"judge": "length", **arguments})
    # What the harness prints is markup: brackets of ours have to stand as they are.
    assert hasattr(refused.value, "message")


def test_records_of_the_command_judge_are_read_by_precomputed_scores(
    evaluate, demo_answers, tmp_path
):
    import inspect_ai
    from inspect_ai.scorer import mean, stderr

    from ultrarm_eval.cli.main import main

    demo_answers = demo_answers[:12]
    samples = [Sample(id=f"s{n}", input=p, target=r) for n, (p, _, r) in enumerate(demo_answers)]
    answers = {f"s{n}": answer for n, (_, answer, _) in enumerate(demo_answers)}
    scorer = reward(judge="demo", reference="target", device="cpu")
    log = evaluate(task(samples, answers, scorer))
    path = write_jsonl(
        tmp_path / "answers.jsonl",
        [
            {"id": f"s{n}", "prompt": p, "completion": a, "other": r}
            for n, (p, a, r) in enumerate(demo_answers)
        ],
    )
    for value in ("reward", "win_rate", "both"):
        records = tmp_path / f"{value}.jsonl"
        options = ["--format", "inspect", "--value", value, "--reference-field", "other"]
        judge = ["--pretrained", "demo", "--device", "cpu", "-o", str(records)]
        assert main(["judge", str(path), *options, *judge]) == 0
        metrics = [mean(), stderr()]
        own = {"reward": metrics, "win_rate": metrics} if value == "both" else metrics
        again = inspect_ai.score(
            log,
            precomputed_scores(str(records), on_missing="error", metrics=own),
            action="append",
            display="none",
        )
        theirs = {s.name: s.metrics for s in again.results.scores if s.scorer != "reward"}
        ours = figures(log)
        for name in ("reward", "win_rate"):
            found = theirs.get("precomputed_scores" if name == value else name)
            if value in (name, "both"):
                assert found["mean"].value == pytest.approx(ours[name]["mean"], abs=1e-6)
                assert found["stderr"].value == pytest.approx(ours[name]["stderr"], abs=1e-6)
        score = again.samples[0].scores["precomputed_scores"]
        assert score.answer == answers["s0"]


def test_an_answer_without_score_is_an_unscored_record(evaluate, counting, tmp_path):
    import inspect_ai

    from ultrarm_eval.cli.main import main

    counting(Critic)
    log = evaluate(task([Sample(id=n, input="p") for n in range(2)], ["ab", "c?"], None))
    rows = [
        {"id": n, "epoch": 1, "prompt": "p", "completion": text}
        for n, text in enumerate(["ab", "c?"])
    ]
    path, records = write_jsonl(tmp_path / "a.jsonl", rows), tmp_path / "records.jsonl"
    options = ["--format", "inspect", "--judge", "length", "-o", str(records)]
    assert main(["judge", str(path), *options]) == 0
    scored = inspect_ai.score(log, precomputed_scores(str(records)), display="none")
    (score,) = scored.results.scores
    assert (score.scored_samples, score.unscored_samples) == (1, 1)
    assert score.metrics["accuracy"].value == 2
    second = scored.samples[1].scores["precomputed_scores"]
    assert math.isnan(second.value)
    assert second.explanation == "It has 2 characters."
    assert second.metadata["scores"] == [None]
    write_eval_log(scored, str(tmp_path / "scored.eval"))
    assert read_eval_log(str(tmp_path / "scored.eval")).results.scores[0].unscored_samples == 1
    assert json.loads(records.read_text().splitlines()[0])["id"] == 0

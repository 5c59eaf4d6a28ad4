"""Process reward models wherever a judge is asked: commands, tasks and filters."""

from __future__ import annotations

import json

import pytest

from tests.conftest import write_jsonl
from tests.harness_lines import request_for
from tests.reward_models.published import qwen2_prm
from ultrarm_eval.cli.main import main
from ultrarm_eval.judges.loading import make_judge

PROMPT, STEPS = qwen2_prm.TEXTS[0]
_, OTHER = qwen2_prm.TEXTS[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return qwen2_prm.build(tmp_path_factory.mktemp("process") / "checkpoint")


@pytest.fixture(scope="module")
def references(folder):
    return [
        qwen2_prm.reference(folder, qwen2_prm.text_ids(folder, PROMPT, steps))
        for steps in (STEPS, OTHER)
    ]


def test_answers_in_a_file_may_be_texts_or_lists_of_steps(folder, references, tmp_path):
    rows = [
        {"prompt": PROMPT, "completion": STEPS},
        {"prompt": PROMPT, "completion": "\n\n".join(OTHER)},
    ]
    answers, output = write_jsonl(tmp_path / "answers.jsonl", rows), tmp_path / "out.jsonl"
    options = ["--pretrained", str(folder), "--judge", "process", "--device", "cpu"]
    assert main(["judge", str(answers), *options, "-o", str(output)]) == 0
    written = [json.loads(line) for line in output.read_text().splitlines()]
    for row, reference in zip(written, references, strict=True):
        assert row["reward"] == pytest.approx(reference.reward, abs=1e-5)
        assert row["step_rewards"] == pytest.approx(reference.steps, abs=1e-5)


def test_a_judge_of_texts_refuses_steps_with_the_row(tmp_path, capsys):
    rows = [{"prompt": "q", "completion": "One."}, {"prompt": "q", "completion": ["One.", "Two."]}]
    answers = write_jsonl(tmp_path / "answers.jsonl", rows)
    assert main(["judge", str(answers), "--pretrained", "demo", "--device", "cpu"]) != 0
    said = capsys.readouterr().err
    assert "line 2: the answer is a list of 2 steps" in said
    assert "judge=process, which scores steps" in said


def test_pairs_are_scored(folder, references, tmp_path, capsys):
    pair = {"prompt": PROMPT, "chosen": "\n\n".join(STEPS), "rejected": "\n\n".join(OTHER)}
    pairs = write_jsonl(tmp_path / "pairs.jsonl", [pair])
    options = ["--pretrained", str(folder), "--judge", "auto", "--device", "cpu"]
    assert main(["score", str(pairs), *options, "--format", "jsonl"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["reward_chosen"] == pytest.approx(references[0].reward, abs=1e-5)
    assert row["reward_rejected"] == pytest.approx(references[1].reward, abs=1e-5)
    assert row["step_rewards_chosen"] == pytest.approx(references[0].steps, abs=1e-5)
    assert row["step_rewards_rejected"] == pytest.approx(references[1].steps, abs=1e-5)


def test_the_best_of_n_is_kept_with_the_rewards_of_its_steps(
    folder, references, tmp_path, monkeypatch
):
    pytest.importorskip("lm_eval")
    # A filter that fails keeps the answers where it runs.
    monkeypatch.chdir(tmp_path)
    from ultrarm_eval.lm_eval_plugin.harness_values import sample_judgements
    from ultrarm_eval.lm_eval_plugin.reward_filters import BestOfNFilter

    best = BestOfNFilter(
        prompt="question",
        judge=str(folder),
        judge_args={"judge": "process", "separator": "line", "device": "cpu"},
    )
    answers = ["\n".join(steps) for steps in (STEPS, OTHER)]
    (kept,) = best.judged([answers], [{"question": PROMPT}])
    better = max(range(2), key=lambda i: references[i].reward)
    assert str(kept) == answers[better]
    judged = sample_judgements([], [kept])["judged"]
    assert [one["step_rewards"] for one in judged] == [
        pytest.approx(reference.steps, abs=1e-5) for reference in references
    ]


def test_log_likelihood_requests_are_answered_with_everything_said(folder, references):
    pytest.importorskip("lm_eval")
    from ultrarm_eval.lm_eval_plugin.harness_values import sample_judgements
    from ultrarm_eval.lm_eval_plugin.reward_lm import AnyRewardModelLM

    model = AnyRewardModelLM(pretrained=str(folder), device="cpu", aggregate="min")
    requests = [request_for((PROMPT, "\n\n".join(steps)), doc={}) for steps in (STEPS, OTHER)]
    rewards = model.loglikelihood(requests, disable_tqdm=True)
    for reward, said, reference in zip(
        rewards, sample_judgements(rewards, rewards)["judged"], references, strict=True
    ):
        assert reward.reward == pytest.approx(min(reference.steps), abs=1e-5)
        assert said["step_rewards"] == pytest.approx(reference.steps, abs=1e-5)
    info = model.get_model_info()
    assert (info["layout"], info["aggregate"], info["separator"]) == (
        "qwen2-prm",
        "min",
        "blank-line",
    )


def test_inspection_says_where_it_is_read(folder):
    from ultrarm_eval.judges.inspection import inspect_checkpoint

    found = inspect_checkpoint(str(folder), device="cpu")
    assert (found["judge"], found["kind"]) == ("process", "Qwen2.5-Math-PRM")
    assert len(found["read_at"]) == 1
    assert "<extra_0>" in found["read_at"][0]
    assert found["settings"] == {
        "layout": "qwen2-prm",
        "aggregate": "product",
        "separator": "blank-line",
    }
    judge = make_judge("process", {"pretrained": str(folder), "device": "cpu"})
    assert "step_rewards" in judge.reads()


def test_a_plan_counts_texts_and_computes_what_scoring_does(folder):
    judge = make_judge("process", {"pretrained": str(folder), "device": "cpu"})
    given = ([PROMPT] * 3, ["\n\n".join(STEPS), "\n\n".join(OTHER), "One."])
    plan, cut = judge.plan(*given)
    assert (plan.texts, cut) == (3, 0)
    assert plan.text_tokens == sum(len(judge.encoded(*pair)) for pair in zip(*given, strict=True))
    judge.score(*given)
    assert judge.settings()["counts"]["computed_tokens"] == plan.computed_tokens

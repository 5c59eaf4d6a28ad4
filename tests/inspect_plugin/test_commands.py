"""The documented commands, as a user types them, with the installed entry point."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("inspect_ai")

from inspect_ai import Task
from inspect_ai.dataset import Sample
from inspect_ai.log import read_eval_log
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import includes
from inspect_ai.solver import solver

from tests.conftest import LengthJudge, write_jsonl
from ultrarm_eval import load_judge

INSPECT = str(Path(sys.executable).parent / "inspect")
MODEL = ("--model", "mockllm/model")


def inspect(*arguments, folder, **environment):
    ended = subprocess.run(
        [INSPECT, *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "400", **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_pairs_on_trio(tmp_path):
    rows = [
        {"prompt": f"Question {n}?", "chosen": "An answer. " * (n % 3 + 1), "rejected": "No " * n}
        for n in range(1, 9)
    ]
    data = str(write_jsonl(tmp_path / "pairs.jsonl", rows))
    inspect(
        "eval",
        "ultrarm_eval/preference",
        *(*MODEL, "-T", "judge=demo", "-T", f"data={data}", "-T", "device=cpu"),
        *("--display", "plain", "--log-dir", str(tmp_path)),
        folder=tmp_path,
        INSPECT_ASYNC_BACKEND="trio",
    )
    (log,) = map(read_eval_log, map(str, tmp_path.glob("*.eval")))
    judge = load_judge("demo", device="cpu")
    rewards = [judge.score([row["prompt"]] * 2, [row["chosen"], row["rejected"]]) for row in rows]
    margins = [chosen - rejected for chosen, rejected in rewards]
    found = {score.name: score.metrics["mean"].value for score in log.results.scores}
    assert found["margin"] == pytest.approx(sum(margins) / 8, abs=1e-5)
    assert found["acc"] == sum(margin > 0 for margin in margins) / 8


def test_a_log_with_its_rewards_appended(tmp_path, evaluate):
    @solver
    def answering():
        async def solve(state, generate):
            text = f"It is number {state.sample_id}. " * (1 + state.sample_id % 3)
            state.output = ModelOutput.from_content("mockllm/model", text)
            return state

        return solve

    samples = [Sample(id=n, input=f"Which is {n}?", target=f"Number {n}.") for n in range(6)]
    log = evaluate(Task(dataset=samples, solver=answering(), scorer=includes()))
    scored = str(tmp_path / "scored.eval")
    inspect(
        *("score", log.location, "--scorer", "ultrarm_eval/reward"),
        *("-S", "judge=demo", "-S", "dtype=bfloat16", "-S", "device=cpu", "-S", "reference=target"),
        *("--action", "append", *MODEL, "--output-file", scored),
        folder=tmp_path,
    )
    again = read_eval_log(scored)
    names = [score.name for score in again.results.scores]
    assert names == ["includes", "reward", "win_rate", "win_rate_length_controlled"]
    assert [s.name for s in again.eval.scorers] == ["includes", "reward"]
    judge = load_judge("demo", device="cpu", dtype="bfloat16")
    for sample in again.samples:
        texts = [sample.output.completion, sample.target]
        answer, reference = judge.score([sample.input] * 2, texts)
        score = sample.scores["reward"]
        assert score.value["reward"] == pytest.approx(answer, abs=0.05)
        assert score.metadata["rewards"]["reference"] == pytest.approx(reference, abs=0.05)
        assert score.metadata["fingerprint"] == judge.fingerprint()
    # The header says how the scorer was made: without a name it is made again.
    assert again.eval.scorers[1].options["dtype"] == "bfloat16"


def test_a_refusal_is_what_the_harness_shows_without_a_traceback(third_party):
    from inspect_ai._util.error import PrerequisiteError
    from rich.text import Text

    from ultrarm_eval.inspect_plugin import preference

    third_party(LengthJudge)
    with pytest.raises(PrerequisiteError) as refused:
        preference(judge="length", data="[red]pairs.jsonl")
    # It is shown as markup.
    shown = Text.from_markup(str(refused.value.message)).plain
    assert "data='[red]pairs.jsonl': no such file or folder." in shown
    assert str(refused.value) == shown

"""The documented commands, as a user types them, with the installed entry point."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("inspect_ai")

from inspect_ai.log import read_eval_log

from tests.conftest import write_jsonl

INSPECT = str(Path(sys.executable).parent / "inspect")
PAIRS = [
    {"prompt": f"Question {n}?", "chosen": "An answer. " * (n % 3 + 1), "rejected": "No " * (n % 5)}
    for n in range(1, 21)
]


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
    return ended.returncode, ended.stdout + ended.stderr


def test_pairs_on_trio_then_rewards_of_the_log_appended(tmp_path):
    data = str(write_jsonl(tmp_path / "pairs.jsonl", PAIRS))
    model = ["--model", "mockllm/model", "--display", "plain", "--log-dir", str(tmp_path)]
    task = ["-T", "judge=demo", "-T", f"data={data}", "-T", "device=cpu"]
    status, said = inspect(
        "eval",
        "ultrarm_eval/preference",
        *model,
        *task,
        folder=tmp_path,
        INSPECT_ASYNC_BACKEND="trio",
    )
    assert status == 0, said
    (log,) = tmp_path.glob("*.eval")
    settings = ["-S", "judge=demo", "-S", "dtype=bfloat16", "-S", "device=cpu"]
    scored = str(tmp_path / "scored.eval")
    status, said = inspect(
        "score",
        str(log),
        "--scorer",
        "ultrarm_eval/preference",
        *settings,
        *("--action", "append", "--model", "mockllm/model", "--output-file", scored),
        folder=tmp_path,
    )
    assert status == 0, said
    found = read_eval_log(scored)
    assert [score.name for score in found.results.scores] == ["acc", "margin", "tie"] * 2
    assert {sample.scores.keys() == {"preference", "preference1"} for sample in found.samples} == {
        True
    }
    first, second = (found.results.scores[i].metrics["mean"].value for i in (1, 4))
    assert second == pytest.approx(first, abs=0.2)
    assert second != first
    # Nothing was written: such a log has no answers to reward.
    status, said = inspect(
        "score",
        str(log),
        "--scorer",
        "ultrarm_eval/reward",
        *settings,
        *("--action", "append", "--model", "mockllm/model", "--output-file", scored, "--overwrite"),
        folder=tmp_path,
    )
    assert status == 0, said
    (score,) = [s for s in read_eval_log(scored).results.scores if s.name == "reward"]
    assert (score.scored_samples, score.unscored_samples) == (0, 20)


def test_a_refusal_is_a_message_without_a_traceback(tmp_path):
    status, said = inspect(
        "eval",
        "ultrarm_eval/preference",
        *("--model", "mockllm/model", "-T", "judge=demo", "-T", "data=pairs.jsonl"),
        folder=tmp_path,
    )
    assert status != 0
    assert "data='pairs.jsonl': there is no such file or folder." in said
    assert "Traceback" not in said

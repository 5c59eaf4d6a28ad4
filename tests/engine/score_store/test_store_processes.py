"""Runs that are killed, and processes that share a file."""

import json
import random
import subprocess
import sys
import time

import pytest

from tests.engine.score_store.stored import (
    ANSWERS,
    PROMPTS,
    identity,
    opened,
)
from ultrarm_eval.judges.ultrarm import UltraRMJudge

KILLED = """
import json, os, signal, sys
from ultrarm_eval.judges.ultrarm import UltraRMJudge
checkpoint, store, out, stop = sys.argv[1:]
judge = UltraRMJudge(checkpoint, score_store=store, batch_size=2)
prompts, answers = json.load(sys.stdin)
got = {}
for index, reward in judge.score_stream(prompts, answers):
    got[index] = reward
    if len(got) == int(stop):
        os.kill(os.getpid(), signal.SIGKILL)
open(out, "w").write(json.dumps([judge.settings()["counts"], sorted(got.items())]))
"""


def run(checkpoint, path, out, *, stop):
    return subprocess.Popen(
        [sys.executable, "-c", KILLED, str(checkpoint), str(path), str(out), str(stop)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_killed_run_loses_the_batch_in_flight_at_most(checkpoint, path, tmp_path):
    texts, out = json.dumps([PROMPTS, ANSWERS]), tmp_path / "out.json"
    killed = run(checkpoint, path, out, stop=7)
    killed.communicate(texts)
    assert killed.returncode == -9
    assert not out.exists()
    again = run(checkpoint, path, out, stop=-1)
    _, errors = again.communicate(texts)
    assert again.returncode == 0, errors
    counts, rewards = json.loads(out.read_text())
    # Three batches of two were handed out, and the fourth was stored before it was.
    assert counts["from_store"] == 8
    plain = UltraRMJudge(str(checkpoint)).score(PROMPTS, ANSWERS)
    assert [reward for _, reward in rewards] == pytest.approx(plain, abs=5e-5)


@pytest.mark.slow
def test_several_processes_share_a_file(checkpoint, path, tmp_path):
    parts = [(PROMPTS[i::3] * 5, ANSWERS[i::3] * 5) for i in range(3)]
    running = [run(checkpoint, path, tmp_path / f"{i}.json", stop=-1) for i in range(len(parts))]
    for process, part in zip(running, parts, strict=True):
        process.stdin.write(json.dumps(part))
        process.stdin.close()
    for process in running:
        assert process.wait(timeout=300) == 0, process.stderr.read()
        process.stderr.close()
    judge = UltraRMJudge(str(checkpoint), score_store=str(path))
    judge.score(PROMPTS, ANSWERS)
    assert judge.settings()["counts"]["from_store"] == 12


ADDING = """
import sys
from pathlib import Path
from ultrarm_eval.engine.score_store import ScoreStore
from ultrarm_eval.text_format.tokens import Tokens
path, life, size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
store = ScoreStore(path, "a", {"template": "raw"})
for batch in range(10**9):
    store.add({Tokens.of((life, batch, text)).identity: batch + text / 8 for text in range(size)})
    print(batch, flush=True)
"""


@pytest.mark.slow
def test_a_store_killed_at_any_moment_holds_what_was_added_before(path):
    size, moments = 40, random.Random(0)
    for life in range(10):
        child = subprocess.Popen(
            [sys.executable, "-c", ADDING, str(path), str(life), str(size)],
            stdout=subprocess.PIPE,
            text=True,
        )
        first = child.stdout.readline()
        time.sleep(moments.uniform(0, 0.3))
        child.kill()
        rest, _ = child.communicate()
        assert child.returncode == -9
        added = (first + rest).count("\n")
        assert added > 0
        found = opened(path).find(
            [identity((life, i, j)) for i in range(added + 2) for j in range(size)]
        )
        whole = {
            identity((life, i, j)): i + j / 8
            for i in range(len(found) // size)
            for j in range(size)
        }
        assert found == whole
        # The batch whose end was not told may be there, but no later one.
        assert len(found) // size in {added, added + 1}
    assert not list(path.parent.glob("*damaged*"))

"""Runs that are killed at any moment: what was stored is served as it was, and nothing is lost."""

import random
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import write_jsonl

TEXTS = 120


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(8))
def test_a_run_killed_at_drawn_moments_ends_with_the_rewards_of_one_that_was_not(
    tmp_path, checkpoint, seed
):
    draw = random.Random(seed)
    rows = [
        {"chosen": f"the answer {i} " + "blue " * (i % 7), "rejected": f"a list {i}"}
        for i in range(TEXTS // 2)
    ]
    data = write_jsonl(tmp_path / "data.jsonl", rows)
    command = [
        sys.executable,
        "-m",
        "ultrarm_eval",
        "score",
        str(data),
        "--pretrained",
        str(checkpoint),
    ]
    command += ["--device", "cpu", "--judge-args", "max_batch_tokens=1"]
    store = ["--score-store", str(tmp_path / "store.sqlite")]
    started = time.monotonic()
    whole = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    seconds = time.monotonic() - started
    known = 0
    for _ in range(10):
        run = subprocess.Popen(
            [*command, *store], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            _, said = run.communicate(timeout=draw.uniform(0.4, 1.1) * seconds)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            _, said = run.communicate()
        found = re.search(r"(\d+) of \d+ texts were scored before", said)
        assert "damaged" not in said, said
        if found is not None:
            assert int(found[1]) >= known
            known = int(found[1])
    last = subprocess.run([*command, *store], capture_output=True, text=True, check=True)
    assert last.stdout == whole

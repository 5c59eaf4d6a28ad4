"""Two processes over gloo give what one process gives."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import raw_row, write_jsonl

RUN = """
import json, os, sys
from lm_eval import simple_evaluate
from lm_eval.tasks import TaskManager
data, checkpoint, out = sys.argv[1:]
manager = TaskManager(include_defaults=False, metadata={"data": data})
results = simple_evaluate(
    model="ultrarm", model_args={"pretrained": checkpoint}, tasks=["ultrafeedback_pairs"],
    task_manager=manager, device="cpu", bootstrap_iters=10,
)
if results is not None:
    samples = results["samples"]["ultrafeedback_pairs"]
    kept = {
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
        "undefined": results["configs"]["ultrafeedback_pairs"]["metadata"]["undefined"],
        "metrics": {k: v for k, v in results["results"]["ultrafeedback_pairs"].items() if "," in k},
        "samples": sorted((s["doc"]["row"], s["filtered_resps"]) for s in samples),
    }
    open(out, "w").write(json.dumps(kept))
"""
ON_CPUS = {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}


@pytest.mark.slow
def test_processes_that_do_not_know_of_each_other_are_refused(monkeypatch):
    from ultrarm_eval.errors import DeviceError
    from ultrarm_eval.harness.processes import join_processes

    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(DeviceError, match="3 processes were started, and accelerate joins 1"):
        join_processes()


@pytest.mark.slow
def test_two_processes_give_the_same_metrics_and_samples(checkpoint, tmp_path):
    # Five documents of different sizes: the processes get unequal shares.
    rows = [
        raw_row(instruction=f"p{i}", answers=tuple((f"answer {i} {j}", 5 - j) for j in range(2 + i % 3)))
        for i in range(5)
    ]  # fmt: skip
    for row in rows[:2]:
        for completion in row["completions"]:
            completion["annotations"]["honesty"]["Rating"] = "N/A"
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    script = tmp_path / "run.py"
    script.write_text(RUN)
    found = []
    for processes in (1, 2):
        out = tmp_path / f"{processes}.json"
        launch = [sys.executable, str(script), str(data), str(checkpoint), str(out)]
        if processes > 1:
            launch[1:1] = ["-m", "torch.distributed.run", "--nproc_per_node", "2"]
        done = subprocess.run(launch, capture_output=True, text=True, env={**os.environ, **ON_CPUS})
        assert done.returncode == 0, done.stderr[-3000:]
        found.append(json.loads(out.read_text()))
    alone, together = found
    assert (alone["processes"], together["processes"]) == (1, 2)
    assert alone["undefined"] == together["undefined"] == {"acc_honesty": 2}
    for name, value in alone["metrics"].items():
        expected = pytest.approx(value, abs=1e-6) if isinstance(value, float) else value
        assert together["metrics"][name] == expected, name
    assert [row for row, _ in together["samples"]] == [row for row, _ in alone["samples"]]
    for (_, one), (_, two) in zip(alone["samples"], together["samples"], strict=True):
        assert [r[0] for r in one] == pytest.approx([r[0] for r in two], abs=5e-5)

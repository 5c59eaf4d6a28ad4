"""Two processes over gloo give what one process gives."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import raw_row, write_jsonl

RUN = """
import json, sys
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
        "metrics": {k: v for k, v in results["results"]["ultrafeedback_pairs"].items() if "," in k},
        "samples": sorted((s["doc"]["row"], s["filtered_resps"]) for s in samples),
    }
    open(out, "w").write(json.dumps(kept))
"""


@pytest.mark.slow
def test_two_processes_give_the_same_metrics_and_samples(checkpoint, tmp_path):
    # Five documents of different sizes: the processes get unequal shares.
    rows = [
        raw_row(instruction=f"p{i}", answers=tuple((f"answer {i} {j}", 5 - j) for j in range(2 + i % 3)))
        for i in range(5)
    ]  # fmt: skip
    data = write_jsonl(tmp_path / "d.jsonl", rows)
    script = tmp_path / "run.py"
    script.write_text(RUN)
    found = []
    for processes in (1, 2):
        out = tmp_path / f"{processes}.json"
        launch = [sys.executable, str(script), str(data), str(checkpoint), str(out)]
        if processes > 1:
            launch[1:1] = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2"]
        done = subprocess.run(
            launch, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found.append(json.loads(out.read_text()))
    alone, together = found
    for name, value in alone["metrics"].items():
        expected = pytest.approx(value, abs=1e-6) if isinstance(value, float) else value
        assert together["metrics"][name] == expected, name
    assert [row for row, _ in together["samples"]] == [row for row, _ in alone["samples"]]
    for (_, one), (_, two) in zip(alone["samples"], together["samples"], strict=True):
        assert [r[0] for r in one] == pytest.approx([r[0] for r in two], abs=5e-5)

"""The SLURM example as it stands, with bash in the place of the scheduler."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "slurm"
# Runs a script at once, a job array job after job, as SLURM's variables tell them.
SBATCH = """#!/bin/bash
set -euo pipefail
array= output=/dev/null
while [[ $1 == --* ]]; do
    case $1 in
        --array=*) array=${1#--array=1-} ;;
        --output=*) output=${1#--output=} ;;
        --parsable) ;;
        --dependency=afterok:4711) ;;
        *) echo "sbatch: unknown option $1" >&2; exit 1 ;;
    esac
    shift
done
if [[ -z $array ]]; then
    bash "$1" >"$output" 2>&1
    exit
fi
for k in $(seq "$array"); do
    SLURM_ARRAY_TASK_ID=$k SLURM_ARRAY_TASK_COUNT=$array bash "$1" >"${output//%a/$k}" 2>&1
done
echo 4711
"""
TASK = "ultrafeedback_pairs_demo"


def submit(folder, **variables):
    bin_folder = folder / "bin"
    bin_folder.mkdir(exist_ok=True)
    (bin_folder / "sbatch").write_text(SBATCH)
    (bin_folder / "sbatch").chmod(0o755)
    path = f"{bin_folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    settings = {"PRETRAINED": "demo", "TASKS": TASK, "MODEL_ARGS": "device=cpu", **variables}
    done = subprocess.run(
        ["bash", str(EXAMPLE / "submit.sh"), str(folder / "run"), "3"],
        env={**os.environ, **offline, **settings, "PATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    logs = {p.name: p.read_text() for p in sorted((folder / "run").glob("logs/*"))}
    assert done.returncode == 0, (done.stderr, logs)
    return logs


@pytest.mark.slow
def test_three_jobs_give_the_results_of_one_run(tmp_path):
    logs = submit(tmp_path)
    assert f"{TASK}: 3 shards, 200 rows, 200 documents" in logs["merge.log"]
    (path,) = (tmp_path / "run" / "merged").rglob("results_*.json")
    merged = json.loads(path.read_text(encoding="utf-8"))
    (path,) = (ROOT / "results" / "demo" / "run").glob("results_*.json")
    one = json.loads(path.read_text(encoding="utf-8"))
    # Rewards are computed in other batches; what is made of their order is the same.
    for name, value in one["results"][TASK].items():
        slack = 1e-6 if name.startswith(("margin", "nll")) else 1e-12
        same = value if isinstance(value, str) else pytest.approx(value, rel=0, abs=slack)
        assert merged["results"][TASK][name] == same, name
    # Where the task's file lies; results in the repository do not hold it.
    merged["configs"][TASK]["metadata"].pop("config_source", None)
    for name in ("configs", "task_hashes", "n-samples", "higher_is_better", "group_subtasks"):
        assert merged[name] == one[name]
    assert (tmp_path / "run" / "report.html").stat().st_size > 100_000
    # A second submission computes nothing: every part is there, and the stores are joined.
    again = submit(tmp_path)
    assert [again[f"{k}.log"].startswith(f"Part {k} of 3 is there") for k in (1, 2, 3)] == [
        True
    ] * 3
    assert again["merge.log"].count(" rows, 0 new") == 3

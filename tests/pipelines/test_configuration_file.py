"""`lm_eval run --config FILE`: the stock command, with model arguments and metadata in the file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow
EXAMPLE = Path(__file__).parents[2] / "examples" / "run.yaml"


def run(file, folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    finished = subprocess.run(
        [sys.executable, "-m", "lm_eval", "run", "--config", str(file)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    (path,) = folder.rglob("results_*.json")
    return json.loads(path.read_text()), finished.stdout


def test_the_example_runs_and_its_settings_hold(tmp_path):
    results, shown = run(EXAMPLE, tmp_path)
    stated = yaml.safe_load(EXAMPLE.read_text())
    (task,) = stated["tasks"]
    metadata = results["configs"][task]["metadata"]
    for name, value in stated["metadata"].items():
        assert metadata["data_used" if name == "data" else name] == value
    assert "pretrained" not in metadata
    config = results["config"]
    assert config["model_args"] == stated["model_args"]
    assert (config["judge"], config["special_tokens"]) == ("ultrarm", "text")
    # Nobody named a device, so the judge found one.
    assert config["device"] == config["device_used"]
    assert results["n-samples"][task]["effective"] == stated["limit"]
    assert f"|{task}|" in shown
    assert len([*tmp_path.rglob(f"samples_{task}_*.jsonl")]) == 1


def test_a_judge_of_answers_is_named_in_the_file(workplace, tmp_path):
    file = tmp_path / "run.yaml"
    content = {
        "model": "hf",
        "model_args": {"pretrained": str(workplace / "org" / "lm")},
        "tasks": "ultrafeedback_judge,ultrafeedback_best_of_n",
        "device": "cpu",
        "gen_kwargs": {"max_gen_toks": 4},
        "metadata": {
            "data": str(workplace / "data" / "judged.jsonl"),
            "judge": "demo",
            "judge_args": {"template": "raw", "device": "cpu"},
            "n": 2,
        },
        "output_path": str(tmp_path / "out"),
        "log_samples": True,
    }
    file.write_text(yaml.safe_dump(content))
    results, _ = run(file, tmp_path)
    for task in content["tasks"].split(","):
        used = results["configs"][task]["metadata"]["judge_used"]
        assert (used["pretrained"], used["template"]) == ("demo", "raw")
        assert results["n-samples"][task]["effective"] == 5
    assert isinstance(results["results"]["ultrafeedback_judge"]["win_rate,none"], float)
    assert isinstance(results["results"]["ultrafeedback_best_of_n"]["reward@2,none"], float)

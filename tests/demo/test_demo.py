import json
import subprocess
import sys
from pathlib import Path

import pytest

from ultrarm_eval import load_judge
from ultrarm_eval.demo import demo_data_path, demo_judge_path

ROOT = Path(__file__).parents[2]
FIGURES = json.loads((ROOT / "results" / "demo" / "figures.json").read_text())


def test_it_is_small_enough_for_the_wheel():
    files = [demo_data_path(), *demo_judge_path().iterdir()]
    assert sum(file.stat().st_size for file in files) < 5_000_000


def test_it_has_ultrarms_layout():
    names = {file.name for file in demo_judge_path().iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.model"} <= names


def test_it_says_that_it_judges_nothing_real():
    assert "NOT A JUDGE OF ANYTHING REAL" in (demo_judge_path() / "README.md").read_text()


def test_its_data_are_what_the_script_writes(tmp_path):
    written = tmp_path / "data.jsonl"
    script = ROOT / "scripts" / "make_demo_data.py"
    subprocess.run(
        [sys.executable, str(script), "-o", str(written)], check=True, capture_output=True
    )
    assert written.read_bytes() == demo_data_path().read_bytes()


def test_the_published_accuracy_is_what_plain_loops_give():
    aspects = ("instruction_following", "honesty", "truthfulness", "helpfulness")
    rows = [json.loads(line) for line in demo_data_path().read_text(encoding="utf-8").splitlines()]
    judge = load_judge("demo", device="cpu")
    texts = [(r["instruction"], c["response"]) for r in rows for c in r["completions"]]
    rewards = iter(judge.score([p for p, _ in texts], [t for _, t in texts]))
    shares = []
    for row in rows:
        rated = []
        for completion in row["completions"]:
            numbers = [completion["annotations"][a]["Rating"] for a in aspects]
            numbers = [int(n) for n in numbers if n != "N/A"]
            rated.append((sum(numbers) / len(numbers), next(rewards)))
        pairs = [(a, b) for a in rated for b in rated if a[0] > b[0]]
        shares.append(sum(a[1] > b[1] for a, b in pairs) / len(pairs))
    accuracy = sum(shares) / len(shares)
    published = FIGURES["heldout_accuracy"]
    assert accuracy == pytest.approx(published["demo_judge"], abs=1e-6)
    assert 0.7 < accuracy < 0.95
    assert all(0.44 < published[name] < 0.56 for name in ("pick_longest", "pick_shortest"))


@pytest.mark.slow
def test_the_harness_reports_the_published_accuracy():
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    results = simple_evaluate(
        model="ultrarm",
        model_args="pretrained=demo",
        tasks=["ultrafeedback_pairs_demo"],
        task_manager=TaskManager(include_defaults=False),
        bootstrap_iters=10,
        device="cpu",
    )
    measured = results["results"]["ultrafeedback_pairs_demo"]
    assert measured["acc,none"] == pytest.approx(
        FIGURES["heldout_accuracy"]["demo_judge"], abs=1e-6
    )
    assert results["n-samples"]["ultrafeedback_pairs_demo"]["effective"] == 200

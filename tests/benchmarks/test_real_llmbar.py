"""The 419 real LLMBar pairs, against a plain loop over their files."""

import json
import statistics

import pytest

from tests.conftest import SHARED_DATA
from tests.harness_lines import by_task
from ultrarm_eval import load_judge

COUNTS = {"natural": 100, "neighbor": 134, "gptinst": 92, "gptout": 47, "manual": 46}
FOLDER = SHARED_DATA / "llmbar"


@pytest.fixture(scope="module")
def accuracies():
    """The demo judge's accuracy on each set, one text at a time."""
    if not FOLDER.is_dir():
        pytest.skip("the real LLMBar pairs are not beside the project (../shared/data)")
    judge = load_judge("demo", device="cpu")
    found = {}
    for name in COUNTS:
        lines = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        pairs = [json.loads(line) for line in lines]
        earned = []
        for pair in pairs:
            chosen, rejected = judge.score_one_at_a_time(
                [pair["prompt"]] * 2, [pair["chosen"], pair["rejected"]]
            )
            earned.append(0.5 if chosen == rejected else float(chosen > rejected))
        found[name] = statistics.fmean(earned)
    return found


@pytest.mark.slow
def test_every_set_and_the_adversarial_mean(run, accuracies):
    results = run("ultrarm", ["llmbar"], {"data": str(FOLDER)}, model_args={"pretrained": "demo"})
    found, samples = by_task(results["results"]), by_task(results["samples"])
    for name, count in COUNTS.items():
        assert found[f"llmbar_{name}"]["acc,none"] == pytest.approx(accuracies[name])
        assert len(samples[f"llmbar_{name}"]) == count
    adversarial = statistics.fmean(accuracies[name] for name in COUNTS if name != "natural")
    assert results["results"]["llmbar_adversarial"]["acc,none"] == pytest.approx(adversarial)

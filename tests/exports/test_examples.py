"""The examples in `results/examples` are what they say they are."""

import json
from pathlib import Path

import huggingface_hub
import pytest
import yaml
from huggingface_hub import ModelCard

from tests.exports.published_schema import problems_of
from ultrarm_eval.benchmarks.rewardbench import SUBSETS

EXAMPLES = Path(__file__).parents[2] / "results" / "examples"
FILES = [path for path in sorted(EXAMPLES.rglob("*")) if path.is_file()]


def only(form, pattern):
    (path,) = (EXAMPLES / form).rglob(pattern)
    return path


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_example_names_a_path_of_the_machine_that_made_it(path):
    text = path.read_text(encoding="utf-8")
    assert "/work" not in text
    assert "/tmp" not in text
    assert "config_source" not in text


def test_the_eval_results_are_entries():
    if not hasattr(huggingface_hub, "EvalResultEntry"):
        pytest.skip("EvalResultEntry came with huggingface_hub 1.4")
    path = only("eval-results", ".eval_results/*.yaml")
    (entry,) = huggingface_hub.parse_eval_result_entries(yaml.safe_load(path.read_text()))
    assert 0.5 < entry.value < 1
    assert "synthetic demo data" in entry.notes


def test_the_model_index_is_one_of_a_models_card():
    text = only("model-index", "model-index.yaml").read_text()
    results = ModelCard(f"---\n{text}---\n").data.eval_results
    assert (results[0].metric_type, results[0].metric_name) == ("accuracy", "acc,none")
    assert len(results) > 5


def test_the_record_and_its_samples_are_of_the_published_schema():
    paths = [only("every-eval-ever", pattern) for pattern in ("*.json", "*.jsonl")]
    assert problems_of(paths) == []


def test_the_leaderboards_files_have_every_subset():
    accuracies = json.loads(only("rewardbench", "eval-set/*/*.json").read_text())
    columns = json.loads(only("rewardbench", "eval-set-scores/*/*.json").read_text())
    assert set(SUBSETS) < set(accuracies)
    assert len(columns["results"]) == 2 * len(SUBSETS)


def test_all_forms_show_the_same_figure():
    record = json.loads(only("every-eval-ever", "*.json").read_text())
    (entry,) = yaml.safe_load(only("eval-results", ".eval_results/*.yaml").read_text())
    (index,) = yaml.safe_load(only("model-index", "model-index.yaml").read_text())["model-index"]
    value = record["evaluation_results"][0]["score_details"]["score"]
    assert entry["value"] == index["results"][0]["metrics"][0]["value"] == value

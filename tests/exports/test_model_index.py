import pytest
import yaml
from huggingface_hub import EvalResult, ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results

from tests.exports.runs import group_results, results_of, written_run
from ultrarm_eval.exports.figures import exported_figures
from ultrarm_eval.exports.hub_names import Source
from ultrarm_eval.exports.model_index import write_model_index
from ultrarm_eval.runs.evaluation import read_evaluation


def written(folder, results=None, *, datasets=None, source=None, **options):
    run = written_run(folder / "run", results)
    figures = exported_figures(read_evaluation(run), **options)
    (path,) = write_model_index(
        folder / "out", "org/judge", figures, datasets=datasets or {}, source=source or Source()
    )
    return path


def results_in(path):
    return model_index_to_eval_results(yaml.safe_load(path.read_text())["model-index"])


def test_a_result_is_what_the_run_found(tmp_path):
    path = written(tmp_path)
    assert path == tmp_path / "out" / "org" / "judge" / "model-index.yaml"
    name, (found,) = results_in(path)
    assert name == "judge"
    assert isinstance(found, EvalResult)
    assert (found.dataset_type, found.dataset_name, found.dataset_split) == (
        "org/pairs",
        "pairs",
        "test",
    )
    assert (found.metric_type, found.metric_name, found.metric_value) == (
        "accuracy",
        "acc,none",
        0.75,
    )
    assert found.metric_args["standard_error"] == 0.25
    assert found.metric_args["weights_digest"] == f"sha256:{'5' * 64}"
    assert found.metric_args["template"] == "ultrarm"
    assert found.metric_args["date"] == "2026-03-04T05:06:07Z"
    assert (found.dataset_args["documents"], found.dataset_args["num_few_shot"]) == (2, 0)
    # The hub's own evaluation service alone verifies results.
    assert found.verified is None


def test_tasks_of_one_data_set_stay_apart(tmp_path):
    _, found = results_in(written(tmp_path, group_results()))
    assert [(one.dataset_name, one.metric_value) for one in found] == [
        ("both", 0.75),
        ("one", 1.0),
        ("two", 0.5),
    ]
    assert len({one.unique_identifier for one in found}) == 3
    assert found[0].dataset_args["tasks"] == ["one", "two"]


def test_all_metrics_of_a_task_are_one_result(tmp_path):
    path = written(tmp_path, metrics="all")
    (result,) = yaml.safe_load(path.read_text())["model-index"][0]["results"]
    assert [(m["type"], m["value"]) for m in result["metrics"]] == [
        ("accuracy", 0.75),
        ("tie_rate", 0.25),
        ("margin", -1.5),
        ("acc_longest", 0.5),
    ]


def test_data_of_ones_own_need_no_name_of_the_hub(tmp_path):
    results = results_of()
    results["configs"]["pairs"]["metadata"]["data_used"] = "/data/mine.jsonl"
    _, (found,) = results_in(written(tmp_path, results))
    assert found.dataset_type == "pairs"
    assert "/data" not in str(found)
    _, (found,) = results_in(written(tmp_path, results, datasets={"pairs": "me/mine"}))
    assert found.dataset_type == "me/mine"


def test_what_writes_answers_is_told_from_what_compares(tmp_path):
    results = results_of()
    results["configs"]["pairs"]["output_type"] = "generate_until"
    results["configs"]["pairs"]["metadata"]["judge_used"] = {
        "name": "ultrarm",
        "pretrained": "openbmb/UltraRM-13b",
        "weights_digest": "6" * 64,
    }
    _, (found,) = results_in(written(tmp_path, results))
    assert found.task_type == "text-generation"
    assert found.metric_args["answers_judge"] == {
        "judge": "ultrarm",
        "pretrained": "openbmb/UltraRM-13b",
        "weights_digest": f"sha256:{'6' * 64}",
    }


def test_the_source_is_told(tmp_path):
    _, (found,) = results_in(written(tmp_path, source=Source("https://example.org/", "logs")))
    assert (found.source_url, found.source_name) == ("https://example.org/", "logs")


def test_the_block_goes_into_a_models_card(tmp_path):
    text = written(tmp_path, group_results()).read_text()
    card = ModelCard(f"---\nlicense: mit\n{text}---\n# A judge\n")
    assert card.data.license == "mit"
    assert [one.metric_value for one in card.data.eval_results] == [0.75, 1.0, 0.5]
    # Saved again by huggingface_hub, as metadata_update does.
    card.save(tmp_path / "README.md")
    again = ModelCard.load(tmp_path / "README.md")
    assert again.data.eval_results == card.data.eval_results


def test_exporting_again_gives_the_same_bytes(tmp_path):
    first = written(tmp_path, metrics="all").read_bytes()
    assert written(tmp_path, metrics="all").read_bytes() == first


@pytest.mark.parametrize("task", ["<script>", "a: b\n- c", "'", "../x", "null"])
def test_hostile_task_names_stay_texts(tmp_path, task):
    results = results_of()
    for part in ("results", "configs", "n-samples", "higher_is_better"):
        results[part] = {task: results[part]["pairs"]}
    path = written(tmp_path, results)
    _, (found,) = results_in(path)
    assert found.dataset_name == task
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "run"]

"""A run's model arguments beside its tasks' metadata, and what a run's results call a judge."""

import functools
import json
import re

import pytest

from tests.conftest import raw_row, write_jsonl
from ultrarm_eval.lm_eval_plugin.run_metadata import RunMetadata, own_metadata
from ultrarm_eval.runs.evaluation import read_evaluations
from ultrarm_eval.runs.identity import task_settings
from ultrarm_eval.runs.run import read_run

PAIRS, BEST = "ultrafeedback_pairs", "ultrafeedback_best_of_n"


class Strength:
    """A third party's judge without weights, with a setting of each kind."""

    name = "strength"

    def __init__(self, pretrained=None, strength=1, reference=None, n=1, num_samples=1):
        self.own = {"strength": strength, "reference": reference, "n": n, "model": "its own"}

    def score(self, prompts, completions):
        return [float(self.own["strength"]) * len(text) for text in completions]

    def settings(self):
        return {**self.own, "counts": {"texts": 1}}

    def fingerprint(self):
        return json.dumps(self.own)


@pytest.fixture
def evaluate(tmp_path, monkeypatch):
    """Runs `simple_evaluate` as a user of the library does; the results files of its folder."""
    from lm_eval import evaluator
    from lm_eval.loggers import EvaluationTracker

    from ultrarm_eval import plugins
    from ultrarm_eval.hookspecs import hookimpl

    class Plugin:
        @hookimpl
        def register_judges(self, register):
            register("strength", Strength)

    manager = plugins.make_plugin_manager(load_entry_points=False)
    manager.register(Plugin(), name="third-party")
    registry = plugins.PluginRegistry(manager)
    monkeypatch.setattr("ultrarm_eval.judges.loading.registry", lambda: registry)
    # Without the thousands of tasks that the harness brings.
    quick = functools.partial(evaluator.TaskManager, include_defaults=False)
    monkeypatch.setattr(evaluator, "TaskManager", quick)
    rows = [raw_row(f"p{i}", answers=(("the sky", 5), (f"{i}", 1))) for i in range(4)]
    data = str(write_jsonl(tmp_path / "data.jsonl", rows))

    def evaluated(task, model="reward-model", **options):
        tracker = EvaluationTracker(output_path=str(tmp_path / "out"))
        metadata = {"data": data, **options.pop("metadata", {})}
        settings = {"bootstrap_iters": 10, "device": "cpu", "log_samples": True, **options}
        results = evaluator.simple_evaluate(
            model=model, tasks=[task], metadata=metadata, evaluation_tracker=tracker, **settings
        )
        samples = results.pop("samples")
        tracker.save_results_aggregated(results=results, samples=samples)
        files = sorted((tmp_path / "out").rglob("results_*.json"), key=lambda p: p.stat().st_mtime)
        return read_run(files[-1])

    return evaluated


@pytest.mark.parametrize("as_text", [False, True])
def test_a_judges_arguments_are_no_settings_of_a_task(evaluate, as_text):
    given = {"judge": "strength", "reference": "org/sft", "n": 3, "num_samples": 2}
    text = ",".join(f"{name}={value}" for name, value in given.items())
    run = evaluate(PAIRS, model_args=text if as_text else given)
    metadata = run.results["configs"][PAIRS]["metadata"]
    assert not {"judge", "reference", "n", "num_samples"} & metadata.keys()
    assert metadata["data"].endswith("data.jsonl")
    settings = task_settings(run, PAIRS)
    assert settings.keys() == {"version", "preference", "ties", "min_gap", "data_used"}


def test_a_judged_task_takes_its_settings_from_metadata_alone(evaluate, scripted, writer):
    scripted(lambda _, completion: float(len(completion)))
    model = writer(lambda prompt, turn: f"{prompt} {turn}")
    # What is given for a model does not reach the task, whatever it is called.
    of_model = {"judge": "nowhere/judge", "reference": "nobody", "n": 5, "pretrained": "m"}
    metadata = {"judge": "demo", "reference": "best", "n": 2}
    run = evaluate(BEST, model, model_args=of_model, metadata=metadata)
    config = run.results["configs"][BEST]
    assert (config["repeats"], config["metadata"]["reference"]) == (2, "best")
    run = evaluate(BEST, model, model_args=of_model, metadata={"reference": "best"})
    assert run.results["configs"][BEST]["repeats"] == 16


def test_the_harness_command_line_keeps_them_apart_too():
    from lm_eval.config.evaluate_config import EvaluatorConfig

    config = EvaluatorConfig(
        model="reward-model",
        model_args={"pretrained": "demo", "judge": "dpo", "n": 3},
        metadata={"n": 2},
    )
    config._process_arguments()
    # Others' tasks get what they always got.
    assert config.metadata == {"pretrained": "demo", "judge": "dpo", "n": 2}
    assert own_metadata({"metadata": {"reference": "gpt-4"} | config.metadata}) == {
        "reference": "gpt-4",
        "n": 2,
    }


def test_what_a_tasks_file_says_is_not_overwritten_by_the_models_arguments():
    of_run = RunMetadata.of_run({"reference": "org/sft", "pretrained": "m"}, {"n": 2})
    merged = {"version": 1.0, "reference": "gpt-4"} | of_run
    merged["config_source"] = "task.yaml"
    assert merged["reference"] == "org/sft"
    assert own_metadata({"metadata": merged}) == {
        "version": 1.0,
        "reference": "gpt-4",
        "n": 2,
        "config_source": "task.yaml",
    }


def test_a_judge_without_weights_is_called_by_its_name_and_so_is_its_folder(evaluate):
    run = evaluate(PAIRS, model_args={"judge": "strength"})
    assert (run.model, run.path.parent.name) == ("strength", "strength")
    assert run.results["model_name"] == "strength"


def test_runs_of_a_third_partys_judge_with_other_settings_are_two(evaluate, tmp_path):
    for strength in (1, 9):
        run = evaluate(PAIRS, model_args={"judge": "strength", "strength": strength})
        # The judge's own settings do not hide what the harness says.
        assert run.config["model"] == "reward-model"
        assert run.config["judge_settings"]["model"] == "its own"
    found = read_evaluations(tmp_path / "out")
    assert [one.label for one in found] == ["strength (strength=1)", "strength (strength=9)"]


def test_a_checkpoints_fingerprint_is_in_the_results_as_far_as_it_is_quick(monkeypatch):
    from ultrarm_eval.checkpoints import fingerprint
    from ultrarm_eval.judges.loading import make_judge

    judge = make_judge("ultrarm", {"pretrained": "demo", "device": "cpu"})
    monkeypatch.setattr(fingerprint, "_QUICK_TO_HASH", 0)
    assert judge.known_fingerprint() is None
    monkeypatch.undo()
    assert re.fullmatch("[0-9a-f]{64}", judge.known_fingerprint())
    assert judge.known_fingerprint() == judge.fingerprint()
    monkeypatch.setattr(type(judge), "fingerprint", lambda self: "a subclass's own")
    assert judge.known_fingerprint() == "a subclass's own"

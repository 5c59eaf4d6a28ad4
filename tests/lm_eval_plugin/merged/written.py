"""Runs over all of the data and over its parts, as the harness itself writes them."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from lm_eval import evaluator
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

from ultrarm_eval.judges.base import Judgement
from ultrarm_eval.lm_eval_plugin.reward_lm import RewardModelLM

#: What one run and several differ in: when and how long they ran, and of what they were made.
OF_RUNNING = {"date", "total_evaluation_time_seconds", "start_time", "end_time", "merged_from"}


class Judge:
    """A judge whose rewards are a digest's of prompt and completion: the same in every run."""

    def __init__(self, strength=1, silent=0, ties=40):
        self.strength, self.silent, self.ties = strength, silent, ties
        self.may_abstain = silent > 0
        self.asked = 0

    def score(self, prompts, completions):
        self.asked += len(completions)
        return [self._reward(p, c) for p, c in zip(prompts, completions, strict=True)]

    def _reward(self, prompt, completion):
        text = json.dumps([prompt, completion], default=str, sort_keys=True)
        digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        if self.silent and digest[0] % self.silent == 0:
            return Judgement(None, ("I cannot say.",))
        # Of few values some are equal.
        return (digest[1] % self.ties) * 0.37 * self.strength - 3

    def settings(self):
        return {"template": "raw", "strength": self.strength, "counts": {"texts": self.asked}}

    def fingerprint(self):
        return f"digests {self.strength} {self.silent} {self.ties}"


def write_run(output, tasks, metadata, model=None, stamp=None, **options):
    """Runs tasks and writes results and samples; the results file.

    Args:
        output: The folder.
        tasks: The tasks.
        metadata: The run's metadata.
        model: The model; by default a judge.
        stamp: What the files' time becomes, for runs that follow each other at once.
        **options: Of `simple_evaluate`.
    """
    model = RewardModelLM.of_judge(Judge(), "digests", "org/toy") if model is None else model
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)
        tracker = EvaluationTracker(output_path=str(output))
        settings = {"bootstrap_iters": 10, "device": "cpu", "log_samples": True, **options}
        before = set(output.rglob("*.json*"))
        results = evaluator.simple_evaluate(
            model=model,
            model_args={"pretrained": "org/toy"},
            tasks=tasks,
            task_manager=TaskManager(include_defaults=False, metadata=metadata),
            evaluation_tracker=tracker,
            **settings,
        )
        samples = results.pop("samples", {})
        tracker.save_results_aggregated(results=results, samples=samples)
        for task, of_task in samples.items():
            tracker.save_results_samples(task_name=task, samples=of_task)
    new = set(output.rglob("*.json*")) - before
    (path,) = (p for p in new if p.name.startswith("results_"))
    if stamp is None:
        return path
    former = re.search(r"results_(.*)\.json", path.name)[1]
    for file in new:
        file.rename(file.with_name(file.name.replace(former, stamp)))
    return path.with_name(path.name.replace(former, stamp))


def write_shards(output, tasks, metadata, number, model=None, **options):
    """Runs every part of a number; the results files."""
    return [
        write_run(
            output / str(k),
            tasks,
            {**metadata, "shard": f"{k}/{number}"},
            None if model is None else model(),
            **options,
        )
        for k in range(1, number + 1)
    ]


def results_in(folder):
    """The results of the one run in a folder."""
    (path,) = Path(folder).rglob("results_*.json")
    return json.loads(path.read_text(encoding="utf-8"))


def samples_in(folder):
    """The lines of the samples of the one run in a folder, by task."""
    return {
        re.fullmatch(r"samples_(.*)_\d{4}-.*", path.name)[1]: path.read_text(encoding="utf-8")
        for path in Path(folder).rglob("samples_*.jsonl")
    }


def require_equal(merged, one, place=""):
    """Requires equal values, numbers to 1e-12, and keys in the same order where it is shown."""
    if isinstance(one, dict):
        assert merged.keys() == one.keys(), place
        for name in one:
            require_equal(merged[name], one[name], f"{place}/{name}")
    elif isinstance(one, list):
        assert len(merged) == len(one), place
        for number, (a, b) in enumerate(zip(merged, one, strict=True)):
            require_equal(a, b, f"{place}/{number}")
    elif isinstance(one, float):
        assert merged == pytest.approx(one, rel=1e-12, abs=1e-12, nan_ok=True), place
    else:
        assert merged == one, place


def counts_of(config):
    metadata = config.get("metadata")
    return metadata.get("counts", {}) if isinstance(metadata, dict) else {}


def _require_repetitions(merged, one):
    """Takes the count of repeated rows out where it may differ: rows that are left out have no
    samples, so that merging sees them repeat others of their own part alone (README)."""
    if any(name.startswith("rows_left_out") for name in one):
        found, wanted = (counts.pop("rows_repeating_another", 0) for counts in (merged, one))
        assert found <= wanted


def require_as_of_one(merged, one):
    """Requires that a merged run is the one run: results, and samples to the byte."""
    of_merged, of_one = results_in(merged), results_in(one)
    assert "merged_from" in of_merged
    a, b = ({n: v for n, v in r.items() if n not in OF_RUNNING} for r in (of_merged, of_one))
    for name, figures in of_one["results"].items():
        assert list(a["results"][name]) == list(figures), name
    for name, config in b["configs"].items():
        _require_repetitions(*(counts_of(one) for one in (a["configs"][name], config)))
    require_equal(a, b)
    assert samples_in(merged) == samples_in(one)

"""Runs to export: made by the harness on small data, or written by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import raw_row, write_jsonl

STAMP = "2026-03-04T05-06-07.890123"
SOURCES = ("evol_instruct", "false_qa", "flan_v2_niv2", "sharegpt", "truthful_qa", "ultrachat")


def ultrafeedback_file(folder: Path) -> Path:
    """Two rows of each source in UltraFeedback's raw schema."""
    rows = [
        raw_row(
            f"question {i} of {source}?",
            (("the sky " * (1 + i), 5), (f"grass {i} " * (2 + j % 3), 2), ("a list", 3 - j % 2)),
            source=source,
        )
        for j, source in enumerate(SOURCES)
        for i in range(2)
    ]
    return write_jsonl(folder / "ultrafeedback.jsonl", rows)


def harness_run(
    folder: Path,
    tasks: Sequence[str],
    metadata: Mapping[str, Any],
    judge: Mapping[str, Any] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Runs the demo judge through the harness, which writes results and samples to the folder."""
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    tracker = EvaluationTracker(output_path=str(folder))
    with pytest.MonkeyPatch.context() as patched:
        # The harness asks pip for the installed packages, which takes most of the time here.
        patched.setattr("lm_eval.evaluator.add_env_info", lambda results: None)
        results: dict[str, Any] = simple_evaluate(
            model="ultrarm",
            model_args={"pretrained": "demo", **(judge or {})},
            tasks=list(tasks),
            task_manager=TaskManager(include_defaults=False, metadata=dict(metadata)),
            device="cpu",
            evaluation_tracker=tracker,
            **options,
        )
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    for task, of_task in samples.items():
        tracker.save_results_samples(task_name=task, samples=of_task)
    return results


def results_of(**changes: Any) -> dict[str, Any]:
    """What a results file holds of a judge on one task of two documents."""
    return {
        "results": {
            "pairs": {
                "alias": "pairs",
                "tie_rate,none": 0.25,
                "tie_rate_stderr,none": 0.01,
                "acc,none": 0.75,
                "acc_stderr,none": 0.25,
                "margin,none": -1.5,
                "margin_stderr,none": "N/A",
                "acc_longest,none": 0.5,
            }
        },
        "configs": {
            "pairs": {
                "task": "pairs",
                "dataset_path": "org/pairs",
                "test_split": "test",
                "output_type": "multiple_choice",
                "metadata": {"version": 1.0, "data_used": "org/pairs", "counts": {"pairs": 2}},
            }
        },
        "higher_is_better": {"pairs": {"acc": True, "tie_rate": False, "margin": True}},
        "n-samples": {"pairs": {"original": 2, "effective": 2}},
        "n-shot": {"pairs": 0},
        "group_subtasks": {},
        "config": {
            "model": "ultrarm",
            "judge": "ultrarm",
            "pretrained": "org/judge",
            "template": "ultrarm",
            "dtype": "bfloat16",
            "model_revision": "abc123",
            "model_sha": "5" * 64,
            "limit": None,
            "judge_counts": {"texts": 4, "truncated": 0},
        },
        "date": 1772600767.5,
        "lm_eval_version": "0.4.13",
        "transformers_version": "5.23.0",
        **changes,
    }


def sample_of(number: int, rewards: Sequence[float], **changes: Any) -> dict[str, Any]:
    """What a line of samples holds of a document with two completions."""
    return {
        "doc_id": number,
        "doc": {
            "prompt": [{"role": "user", "content": f"question {number}"}],
            "completions": [f"right {number}", f"wrong {number}"],
            "source": "hand",
        },
        "target": "0",
        "arguments": {
            "gen_args_0": {"arg_0": f"question {number}", "arg_1": f"right {number}"},
            "gen_args_1": {"arg_0": f"question {number}", "arg_1": f"wrong {number}"},
        },
        "resps": [[[str(reward), "False"]] for reward in rewards],
        "filtered_resps": [[str(reward), "False"] for reward in rewards],
        "filter": "none",
        "metrics": ["acc", "tie_rate", "margin"],
        "doc_hash": f"hash {number}",
        "acc": float(rewards[0] > rewards[1]) or 0.5 * (rewards[0] == rewards[1]),
        "tie_rate": float(rewards[0] == rewards[1]),
        "margin": rewards[0] - rewards[1],
        "acc_longest": [0.5, 1],
        **changes,
    }


def written_run(
    folder: Path,
    results: Mapping[str, Any] | None = None,
    samples: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> Path:
    """Writes a run as the harness does; its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    content = results_of() if results is None else results
    (folder / f"results_{STAMP}.json").write_text(json.dumps(content))
    given = {"pairs": [sample_of(0, [2.0, 1.0]), sample_of(1, [1.0, 1.0])]}
    for task, of_task in (given if samples is None else samples).items():
        lines = "".join(json.dumps(sample) + "\n" for sample in of_task)
        (folder / f"samples_{task}_{STAMP}.jsonl").write_text(lines)
    return folder


def group_results() -> dict[str, Any]:
    """A results file of a group of two tasks, which read one data set of the hub."""
    results = results_of()
    parts = {name: {"acc,none": value} for name, value in (("one", 1.0), ("two", 0.5))}
    results["results"] = {"both": {"acc,none": 0.75, "acc_stderr,none": 0.1}, **parts}
    results["group_subtasks"] = {"both": ["one", "two"]}
    results["configs"] = {
        name: {**results["configs"]["pairs"], "task": name} for name in ("one", "two")
    }
    results["higher_is_better"] = {name: {"acc": True} for name in ("both", "one", "two")}
    results["n-samples"] = {name: {"original": 2, "effective": 2} for name in ("one", "two")}
    return results

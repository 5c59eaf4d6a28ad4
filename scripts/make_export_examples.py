"""Makes the examples of the exports anew, `results/examples`: the same files each time.

    python scripts/make_export_examples.py [--run FOLDER] [-o FOLDER]

The demo judge is run on the bundled demo data, or the run of it in FOLDER is taken, and on some of
the same prompts in RewardBench's form. Runs made here get a fixed date, so that the files do not
change from one day to the next. The names of the model and of its data on the hub are made up.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ultrarm_eval.benchmarks.rewardbench import SUBSETS
from ultrarm_eval.cli.main import main as ultrarm_eval
from ultrarm_eval.demo import demo_data_path
from ultrarm_eval.exports.rewardbench import OVERALL_TASK

DEMO_TASK = "ultrafeedback_pairs_demo"
MODEL, DATASET = "example/demo-judge", "example/ultrafeedback-demo"
# 2026-01-01, 00:00 UTC.
DATE = 1767225600


def main() -> int:
    """Makes the examples."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--run", type=Path, metavar="FOLDER", help=f"a run of {DEMO_TASK}")
    parser.add_argument("-o", "--output", type=Path, default=Path("results/examples"))
    given = parser.parse_args()
    os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
    with TemporaryDirectory() as scratch:
        work = Path(scratch)
        demo = given.run or _run(work / "demo", DEMO_TASK, {}, {"pretrained": "demo"})
        board_data = _rewardbench_rows(work / "filtered.jsonl")
        board = _run(
            work / "rewardbench",
            OVERALL_TASK,
            {"data": str(board_data)},
            {"pretrained": "demo", "parity": "rewardbench"},
        )
        forms = {
            "eval-results": [str(demo), "--task", DEMO_TASK, "--dataset", DATASET],
            "model-index": [str(demo), "--task", DEMO_TASK, "--metrics", "all"],
            "every-eval-ever": [str(demo), "--task", DEMO_TASK],
            "rewardbench": [str(board)],
        }
        for form, arguments in forms.items():
            folder = given.output / form
            shutil.rmtree(folder, ignore_errors=True)
            command = ["export", form, *arguments, "-o", str(folder), "--model", MODEL]
            if ultrarm_eval(command) != 0:
                return 1
    return 0


def _run(
    folder: Path, task: str, metadata: Mapping[str, Any], arguments: Mapping[str, Any]
) -> Path:
    """Runs the demo judge on a task through the harness, as `lm_eval --log_samples` does."""
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    tracker = EvaluationTracker(output_path=str(folder))
    results = simple_evaluate(
        model="ultrarm",
        model_args=dict(arguments),
        tasks=[task],
        task_manager=TaskManager(include_defaults=False, metadata=dict(metadata)),
        device="cpu",
        evaluation_tracker=tracker,
    )
    samples = results.pop("samples")
    results["date"] = DATE
    tracker.save_results_aggregated(results=results, samples=samples)
    tracker.save_results_samples(task_name=task, samples=samples[task])
    return folder


def _rewardbench_rows(path: Path) -> Path:
    """Demo prompts in RewardBench's form: the best answer and the next, two for each subset."""
    with demo_data_path().open(encoding="utf-8") as file:
        demo = [json.loads(line) for line in file]
    rows: list[dict[str, Any]] = []
    for row in demo:
        best, second, *_ = sorted(row["completions"], key=lambda c: -c["fine-grained_score"])
        if best["fine-grained_score"] == second["fine-grained_score"]:
            continue
        rows.append(
            {
                "prompt": row["instruction"],
                "chosen": best["response"],
                "chosen_model": best["model"],
                "rejected": second["response"],
                "rejected_model": second["model"],
                "subset": SUBSETS[len(rows) // 2],
                "id": len(rows),
            }
        )
        if len(rows) == 2 * len(SUBSETS):
            break
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())

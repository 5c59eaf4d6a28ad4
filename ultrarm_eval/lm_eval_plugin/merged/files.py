"""The files of a merged run, as `lm_eval --output_path` writes those of one run."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from lm_eval.utils import handle_non_serializable, sanitize_model_name

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.io import whole_file, write_whole
from ultrarm_eval.lm_eval_plugin.merged.run import MergedRun, merge_run
from ultrarm_eval.lm_eval_plugin.merged.task import MergedTask, TextCounts, merge_task
from ultrarm_eval.runs.run import Run, read_run, results_files
from ultrarm_eval.runs.shards import MERGED_FROM, RunShards


@dataclass(frozen=True)
class WrittenRun:
    """A merged run on the disk.

    Attributes:
        path: Its results file.
        run: The merged run.
        tasks: Its tasks.
    """

    path: Path
    run: MergedRun
    tasks: tuple[MergedTask, ...]


def write_merged(shards: RunShards, folder: Path) -> WrittenRun:
    """Merges runs and writes the files of the merged run.

    The files are named after the newest run, so that the same runs give the same files again. The
    results are written last: without them the samples belong to no run.

    Args:
        shards: The runs.
        folder: The folder to write to.

    Raises:
        ConfigurationError: The folder contains another run.
        UltrarmEvalError: The runs cannot be merged.
        OSError: The folder cannot be written.
    """
    former = _former(folder)
    stamp = max(run.stamp for run in shards.runs)
    name = str(shards.runs[0].results.get("model_name_sanitized") or "")
    inner = folder / (name or sanitize_model_name(shards.runs[0].model))
    unfinished = inner / f".unfinished_{stamp}"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        texts = TextCounts()
        tasks: list[MergedTask] = []
        for one in shards.tasks:
            path = unfinished / f"samples_{one.key}_{stamp}.jsonl"
            with whole_file(path) as part, part.open("w", encoding="utf-8") as file:
                tasks.append(merge_task(one, file.write, texts))
        run = merge_run(shards, tasks, texts)
        written = json.dumps(
            run.results, indent=2, default=handle_non_serializable, ensure_ascii=False
        )
        results = inner / f"results_{stamp}.json"
        for run_there in former:
            _remove(run_there)
        for path in sorted(unfinished.iterdir()):
            path.replace(inner / path.name)
        write_whole(results, written)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return WrittenRun(results, run, tuple(tasks))


def _former(folder: Path) -> list[Run]:
    """The earlier merged runs in a folder, which are replaced.

    Raises:
        ConfigurationError: The folder contains another run, or is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"-o {folder}: this is a file. Give a folder to write to.")
    runs = [read_run(path) for path in results_files(folder)] if folder.exists() else []
    for run in runs:
        if MERGED_FROM not in run.results:
            raise ConfigurationError(
                f"-o {folder}: the folder already contains a run, {run.path}. Give a new folder: "
                "commands read all runs of a folder together."
            )
    return runs


def _remove(run: Run) -> None:
    run.path.unlink()
    for task in run.results["results"]:
        run.samples_path(task).unlink(missing_ok=True)

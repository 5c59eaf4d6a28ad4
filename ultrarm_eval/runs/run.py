"""A run as lm-eval wrote it: `results_*.json` and `samples_TASK_*.jsonl`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

from ultrarm_eval.errors import DataError
from ultrarm_eval.io import json_lines, read_json
from ultrarm_eval.runs.numbers import finite
from ultrarm_eval.runs.task_name import TaskName, task_names

#: The time in a file's name.
STAMP = r"\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}(?:\.\d+)?"
# `--output_path FILE.json` gives FILE instead of `results`.
_RESULTS = re.compile(rf".+_({STAMP})\.json")
# Arguments of a model that the harness takes for its name; without any it draws one.
_NAMING = ("peft", "delta", "pretrained", "model", "path", "engine")
_DAMAGED = "The file is damaged or truncated."
# In seconds since 1970: the year 2200. Numbers above it are not dates.
_LAST = 7.3e9
_DRAWN = re.compile(r"[a-z0-9]{8}")


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
        path: Its results file.
        stamp: When it was written, as in the files' names.
        results: The file's content.
    """

    path: Path
    stamp: str
    results: dict[str, Any]

    @property
    def config(self) -> Mapping[str, Any]:
        """How the run was made: the settings of the model or judge, and lm-eval's own."""
        config = self.results.get("config")
        return config if isinstance(config, Mapping) else {}

    @property
    def model(self) -> str:
        """What was evaluated: the judge's checkpoint or name, or the model's name."""
        config, named = self.config, self.results.get("model_name")
        # The harness always writes the arguments, if only that there are none.
        is_unnamed = "model_args" in config and not names_model(config["model_args"])
        if is_unnamed and _DRAWN.fullmatch(str(named)):
            named = None
        kind = config.get("judge") or config.get("model")
        return str(config.get("pretrained") or named or kind or self.path.parent.name)

    @property
    def started(self) -> datetime | None:
        """When it started, in UTC; None if not recorded."""
        date = finite(self.results.get("date"))
        return datetime.fromtimestamp(date, timezone.utc) if date and 0 < date < _LAST else None

    @cached_property
    def names(self) -> Mapping[str, TaskName]:
        """The names of its tasks and groups, by lm-eval's keys."""
        return task_names(self.results)

    def name_of(self, key: str) -> TaskName:
        """The name of the task or group with a key of lm-eval."""
        return self.names.get(key) or TaskName(key, key)

    def key_of(self, task: str) -> str | None:
        """lm-eval's key of a task or group of that name; None where the run has none."""
        return next((key for key, name in self.names.items() if name.task == task), None)

    def samples_path(self, key: str) -> Path:
        """Where lm-eval writes the samples of a task, whether they exist or not.

        Args:
            key: lm-eval's key of the task.
        """
        return self.path.parent / f"samples_{key}_{self.stamp}.jsonl"

    def samples(self, key: str) -> Iterator[dict[str, Any]]:
        """Yields the samples of a task.

        Args:
            key: lm-eval's key of the task.

        Raises:
            DataError: There is no file of them, or a line is damaged.
        """
        path = self.samples_path(key)
        if not path.is_file():
            raise DataError(
                f"{path}: there are no samples of {self.name_of(key).task} next to the results. "
                "Run lm_eval with --log_samples."
            )
        for line in json_lines(path):
            yield line.parsed(_DAMAGED)


def find_runs(given: str, task: str) -> list[Run]:
    """The runs of a task, in the order of their paths.

    Args:
        given: A results file, or a folder that contains some at any depth.
        task: The task that the run has to have.

    Raises:
        DataError: There is none, runs of several models have the task, or a file cannot be read.
    """
    path = Path(given).expanduser()
    if not path.is_dir():
        run = read_run(path)
        if run.key_of(task) is None:
            raise _without_task(path, task, [run])
        return [run]
    runs = [read_run(p) for p in results_files(path)]
    if not runs:
        raise DataError(
            f"{path}: there is no results_*.json in this folder. Give the folder that lm_eval "
            "--output_path wrote to, or a results file."
        )
    having = [run for run in runs if run.key_of(task) is not None]
    if not having:
        raise _without_task(path, task, runs)
    models = sorted({run.model for run in having})
    if len(models) > 1:
        raise DataError(
            f"{path}: {task} was run with several models: {', '.join(models)}. Give the folder or "
            "the results file of one of them."
        )
    return having


def results_files(folder: Path) -> list[Path]:
    """The results files of a folder, at any depth, in the order of their paths."""
    return sorted(p for p in folder.rglob("*.json") if _RESULTS.fullmatch(p.name))


def _without_task(path: Path, task: str, runs: Sequence[Run]) -> DataError:
    tasks = sorted({name.task for run in runs for name in run.names.values()})
    return DataError(
        f"{path}: there is no run of {task}; tasks here: {', '.join(tasks) or 'none'}. Run "
        f"lm_eval --tasks {task} --log_samples."
    )


def read_run(path: Path) -> Run:
    """Reads a results file.

    Raises:
        DataError: It is not a results file, or cannot be read.
    """
    named = _RESULTS.fullmatch(path.name)
    if not path.is_file() or named is None:
        raise DataError(
            f"{path}: this is not a results file of lm_eval (results_TIME.json), nor a folder of "
            "them."
        )
    results = read_json(path, mend=_DAMAGED)
    if not isinstance(results, dict) or not isinstance(results.get("results"), dict):
        raise DataError(f"{path}: this JSON has no 'results' of lm_eval.")
    return Run(path, named[1], results)


def names_model(given: Any) -> bool:
    """Whether a model's arguments, a mapping or a text, determine lm-eval's name of the model."""
    if isinstance(given, Mapping):
        return any(name in given for name in _NAMING)
    return isinstance(given, str) and any(f"{name}=" in given for name in _NAMING)

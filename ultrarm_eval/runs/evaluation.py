"""All results of a folder by model: one result for every task."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ultrarm_eval.errors import DataError
from ultrarm_eval.runs.identity import distinguishing, mapping, model_settings, task_settings
from ultrarm_eval.runs.judge_identity import same_judges, written
from ultrarm_eval.runs.run import STAMP, Run, read_run, results_files
from ultrarm_eval.runs.task_result import TaskResult, results_by_name

# The most damaged metrics named.
_NAMED = 3
_SAMPLES = re.compile(rf"samples_(?P<task>.+)_(?P<stamp>{STAMP})\.jsonl")


@dataclass(frozen=True)
class Evaluation:
    """The results of one model, or of one judge with its settings.

    Attributes:
        model: The model's name in its runs.
        settings: What its results depend on, as far as recorded.
        tasks: The result of every task by title: the task's name, with the settings that differ
            where several have the same name.
        groups: The result of every group by title.
        remarks: What was skipped or is missing.
        label: Its unique name: the model, with the settings that differ from others of the same
            name.
        superseded: How many results are not used, because a better one of the same task and
            settings is.
    """

    model: str
    settings: Mapping[str, Any]
    tasks: Mapping[str, TaskResult]
    groups: Mapping[str, TaskResult]
    remarks: tuple[str, ...] = ()
    label: str = ""
    superseded: int = 0

    @property
    def runs(self) -> list[Run]:
        """The runs its results are from, oldest first."""
        by_path = {result.run.path: result.run for result in self.tasks.values()}
        return sorted(by_path.values(), key=lambda run: run.stamp)

    @property
    def newest(self) -> Run:
        """The newest of its runs."""
        return max(self.runs, key=lambda run: (not _is_lost(run), run.stamp))


def read_evaluation(given: str | Path) -> Evaluation:
    """The results of the one model in a results file or a folder.

    Raises:
        DataError: There are none, of several models, or they cannot be read.
    """
    evaluations = read_evaluations(given)
    if len(evaluations) > 1:
        labels = "; ".join(evaluation.label for evaluation in evaluations)
        raise DataError(
            f"{given}: this contains results of {len(evaluations)} models or settings: {labels}. "
            "Give the folder or the results file of one of them."
        )
    return evaluations[0]


def read_evaluations(given: str | Path) -> list[Evaluation]:
    """The results of every model in a results file or a folder, in order of label.

    A folder may contain any number of runs at any depth. Of several results of one task a complete
    run is preferred to a partial one, then one with samples, then the newest. Samples without a
    results file are those of an interrupted run.

    Raises:
        DataError: There is nothing to read, or all of it is damaged.
    """
    path = Path(given).expanduser()
    if not path.is_dir():
        if not path.exists():
            raise DataError(f"{path}: there is no such file or folder.")
        runs, damaged = [read_run(path)], list[DataError]()
    else:
        runs, damaged = _runs_of(path)
    identities = [(run.model, model_settings(run)) for run in runs]
    of_each = [[runs[place] for place in places] for places in same_judges(identities)]
    remarks = [f"Skipped: {error}" for error in damaged]
    evaluations = [_evaluation(of_one) for of_one in _with_lost(of_each)]
    for evaluation in evaluations:
        if not evaluation.tasks:
            of = f", only of groups ({', '.join(evaluation.groups)})" if evaluation.groups else ""
            remarks.append(f"Skipped: {evaluation.model} has no result of any task{of}.")
    evaluations = [
        dataclasses.replace(evaluation, remarks=(*remarks, *evaluation.remarks))
        for evaluation in evaluations
        if evaluation.tasks
    ]
    if not evaluations:
        raise (
            damaged[0]
            if damaged
            else DataError(
                f"{path}: there is no result of any task here. Give the folder that lm_eval "
                "--output_path wrote to, or a results file (results_TIME.json)."
            )
        )
    return sorted(labelled(evaluations), key=lambda evaluation: evaluation.label)


def labelled(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """The evaluations in their order, with unique labels."""
    labels = distinguishing([(e.model, e.settings) for e in evaluations])
    return [dataclasses.replace(e, label=n) for e, n in zip(evaluations, labels, strict=True)]


def _runs_of(folder: Path) -> tuple[list[Run], list[DataError]]:
    read = [_readable(path) for path in results_files(folder)]
    runs = [run for run in read if isinstance(run, Run)]
    damaged = [error for error in read if isinstance(error, DataError)]
    known = {(run.path.parent, run.stamp) for run in runs}
    left: dict[tuple[Path, str], dict[str, Any]] = {}
    for path in sorted(folder.rglob("samples_*.jsonl")):
        named = _SAMPLES.fullmatch(path.name)
        if named is not None and (path.parent, named["stamp"]) not in known:
            left.setdefault((path.parent, named["stamp"]), {})[named["task"]] = {}
    for (parent, stamp), tasks in left.items():
        runs.append(Run(parent / f"results_{stamp}.json", stamp, {"results": tasks}))
    return runs, damaged


def _readable(path: Path) -> Run | DataError:
    try:
        return read_run(path)
    except DataError as error:
        return error


def _with_lost(by_identity: Iterable[list[Run]]) -> list[list[Run]]:
    """The runs of each model; samples without results belong to the only model in their folder.

    Nothing else identifies their model.
    """
    known = [runs for runs in by_identity if not _is_lost(runs[0])]
    lost = [run for runs in by_identity for run in runs if _is_lost(run)]
    alone: dict[Path, list[Run]] = {}
    for run in lost:
        beside = [runs for runs in known if any(r.path.parent == run.path.parent for r in runs)]
        if len(beside) == 1:
            beside[0].append(run)
        else:
            alone.setdefault(run.path.parent, []).append(run)
    return [*known, *alone.values()]


def _is_lost(run: Run) -> bool:
    return run.results.keys() == {"results"} and not any(run.results["results"].values())


def _evaluation(runs: Sequence[Run]) -> Evaluation:
    tasks: list[TaskResult] = []
    groups: list[TaskResult] = []
    for run in runs:
        members = mapping(run.results.get("group_subtasks"))
        for key, figures in run.results["results"].items():
            # Older versions write every task as a group without members.
            (groups if members.get(key) else tasks).append(TaskResult(key, run, mapping(figures)))
    newest = max(runs, key=lambda run: (not _is_lost(run), run.stamp))
    counting = _counting(tasks)
    of_groups = _counting(groups)
    superseded = [*counting.superseded, *of_groups.superseded]
    return Evaluation(
        model=newest.model,
        settings=model_settings(newest),
        tasks=counting.results,
        groups=of_groups.results,
        remarks=(*counting.remarks, *_told(superseded)),
        label=newest.model,
        superseded=sum(number - 1 for _, number, _ in superseded),
    )


@dataclass(frozen=True)
class _Counting:
    """The result to use of each task with its settings, by title.

    Attributes:
        results: The results.
        remarks: What is skipped.
        superseded: For each task with several runs of the same settings: its name, the number of
            runs, and the file of the one that is used.
    """

    results: dict[str, TaskResult]
    remarks: list[str]
    superseded: list[tuple[str, int, str]]


def _counting(found: Iterable[TaskResult]) -> _Counting:
    counting: list[TaskResult] = []
    remarks: list[str] = []
    superseded: list[tuple[str, int, str]] = []
    for name, placed in results_by_name((0, result) for result in found).items():
        of_name = [result for _, result in placed]
        whole = [result for result in of_name if not _is_lost(result.run)]
        results = whole or of_name
        if len(whole) < len(of_name) and whole:
            remarks.append(
                f"{name}: skipped samples without results, because there is a complete run."
            )
        by_settings: dict[str, list[TaskResult]] = {}
        for result in results:
            # A run of which the samples alone remain does not record its settings.
            settings = written(task_settings(result.run, result.key))
            by_settings.setdefault(settings, []).append(result)
        for alike in by_settings.values():
            best = max(alike, key=lambda result: result.worth)
            counting.append(best)
            remarks += _damaged(best)
            if len(alike) > 1:
                superseded.append((name, len(alike), best.run.path.name))
    titles = distinguishing([(r.task, task_settings(r.run, r.key)) for r in counting])
    titled = sorted(zip(titles, counting, strict=True), key=lambda item: item[0])
    return _Counting(dict(titled), remarks, superseded)


def _damaged(result: TaskResult) -> Iterator[str]:
    found = [f"{key} is {value}" for key, value in result.damaged_figures.items()]
    if found:
        more = f", and {len(found) - _NAMED} others" if len(found) > _NAMED else ""
        yield (
            f"{result.task}: {result.run.path.name} contains invalid metric values: "
            f"{', '.join(found[:_NAMED])}{more}. The file is damaged or was edited."
        )


def _told(superseded: Sequence[tuple[str, int, str]]) -> Iterator[str]:
    """What is not used, once for all tasks that it applies to."""
    names: dict[tuple[int, str], list[str]] = {}
    for name, number, counts in superseded:
        names.setdefault((number, counts), []).append(name)
    for (number, counts), of_tasks in names.items():
        yield f"{', '.join(of_tasks)}: {number} runs with these settings; {counts} is used."

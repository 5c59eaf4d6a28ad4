"""All that a folder holds about each model: of every task the result that counts."""

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

# Of damaged figures, as many are named.
_NAMED = 3
_SAMPLES = re.compile(rf"samples_(?P<task>.+)_(?P<stamp>{STAMP})\.jsonl")


@dataclass(frozen=True)
class Evaluation:
    """The results of one model, or of one judge with its settings.

    Attributes:
        model: What its runs call it.
        settings: What its results depend on, as far as the runs say it.
        tasks: The result of every task, by its title: the task's name, and where there are several
            of one name the settings in which they differ.
        groups: The same of every group.
        remarks: What was left out or is missing.
        label: Its name among others: the model, and the settings in which it differs from others
            of the same name.
        superseded: How many results are left out, as others of the same task and settings count.
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
    """The results of the one model that a results file or a folder is about.

    Raises:
        DataError: There are none, of several models, or they cannot be read.
    """
    evaluations = read_evaluations(given)
    if len(evaluations) > 1:
        labels = "; ".join(evaluation.label for evaluation in evaluations)
        raise DataError(
            f"{given}: there are results of {len(evaluations)} models or settings here: {labels}. "
            "Give the folder or the results file of one of them."
        )
    return evaluations[0]


def read_evaluations(given: str | Path) -> list[Evaluation]:
    """The results of every model that a results file or a folder is about, in order of label.

    A folder may hold any number of runs at any depth. Of several results of one task, one over all
    the data counts before one over a part, then one with samples, and then the newest. Samples
    without a results file are those of a run of which nothing else is left.

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
    remarks = [f"Left out: {error}" for error in damaged]
    evaluations = [_evaluation(of_one) for of_one in _with_lost(of_each)]
    for evaluation in evaluations:
        if not evaluation.tasks:
            of = f" but of groups ({', '.join(evaluation.groups)})" if evaluation.groups else ""
            remarks.append(f"Left out: {evaluation.model} has no result of any task{of}.")
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
    """The evaluations in their order, with labels that tell them apart."""
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
    """The runs of each model; samples without results are those of the one model beside them.

    Nothing else says whose they are.
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
    """Of each task with its settings the result that counts, by title.

    Attributes:
        results: Those results.
        remarks: What is left out.
        superseded: Of each task with several runs of the same settings its name, how many there
            are, and the file of the one that counts.
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
                f"{name}: samples without results beside those of a whole run are left out."
            )
        by_settings: dict[str, list[TaskResult]] = {}
        for result in results:
            # A run of which the samples alone are left says nothing of its settings.
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
            f"{result.task}: {result.run.path.name} has figures that are none: "
            f"{', '.join(found[:_NAMED])}{more}. The file is damaged or was edited."
        )


def _told(superseded: Sequence[tuple[str, int, str]]) -> Iterator[str]:
    """What is left out, once for all tasks of which the same is true."""
    names: dict[tuple[int, str], list[str]] = {}
    for name, number, counts in superseded:
        names.setdefault((number, counts), []).append(name)
    for (number, counts), of_tasks in names.items():
        yield f"{', '.join(of_tasks)}: {number} runs with these settings; {counts} counts."

"""Runs over shards of the data, and which of them belong together as one complete run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ultrarm_eval.data.rows import DataPart
from ultrarm_eval.errors import DataError
from ultrarm_eval.runs.identity import OF_DATA, mapping, model_settings, task_settings
from ultrarm_eval.runs.json_values import shown_json
from ultrarm_eval.runs.judge_identity import FINGERPRINT, written
from ultrarm_eval.runs.run import Run, read_run, results_files
from ultrarm_eval.runs.task_result import TaskResult, results_by_name

#: The results' key that marks a merged run.
MERGED_FROM = "merged_from"
# The most files named.
_NAMED = 4


@dataclass(frozen=True)
class TaskShards:
    """The results of all shards of a task, in the order of the shards.

    Attributes:
        task: The task's name.
        results: One result for each shard.
        part: The shard of the first result; the others are of the same data.
    """

    task: str
    results: tuple[TaskResult, ...]
    part: DataPart

    @property
    def key(self) -> str:
        """lm-eval's key of the task: with a group if it was in one in any run."""
        return max(self.results, key=lambda result: result.key != result.task).key


@dataclass(frozen=True)
class RunShards:
    """Runs that together make one complete run.

    Attributes:
        runs: The runs, in order of their first shard.
        tasks: The shards of each task, in the runs' order of tasks.
        remarks: What was skipped.
    """

    runs: tuple[Run, ...]
    tasks: tuple[TaskShards, ...]
    remarks: tuple[str, ...] = ()


def read_shards(
    given: Iterable[str | Path], tasks: Sequence[str] | None = None, *, latest: bool = False
) -> RunShards:
    """Reads runs over all shards of the data.

    Args:
        given: Results files, and folders that contain some at any depth.
        tasks: The tasks to merge; all if None.
        latest: Whether the newest of several results of one shard is used; otherwise they are
            refused.

    Returns:
        The runs and their tasks, each with every shard once.

    Raises:
        DataError: A shard is missing or occurs more than once; runs are of different judges,
            settings, data or versions, or covered only a subset of their shard; samples were not
            logged; or a file cannot be read.
    """
    runs, remarks = _runs(given)
    results = [
        TaskResult(key, run, mapping(run.results["results"][key]))
        for run in runs
        for key in _task_keys(run)
    ]
    of_each = {
        name: [one for _, one in of]
        for name, of in results_by_name((0, r) for r in results).items()
    }
    found = {name: of for name, of in of_each.items() if tasks is None or name in tasks}
    for name in tasks or ():
        if name not in found:
            known = ", ".join(sorted(of_each)) or "none"
            raise DataError(f"--tasks {name}: no run has this task. Tasks in these runs: {known}.")
    if not found:
        raise DataError("These runs contain no result of any task.")
    having = [run for run in runs if any(r.run is run for of in found.values() for r in of)]
    _require_same_judge(having)
    _require_same_harness(having)
    sets = []
    for name, results in found.items():
        shards, left_out = _task_shards(name, results, latest=latest)
        sets.append(shards)
        remarks += left_out
    used = {id(result.run) for one in sets for result in one.results}
    first = {
        id(result.run): place for one in reversed(sets) for place, result in enumerate(one.results)
    }
    ordered = sorted((r for r in having if id(r) in used), key=lambda run: first[id(run)])
    return RunShards(tuple(ordered), tuple(sets), tuple(remarks))


def part_of(result: TaskResult) -> DataPart:
    """Which shard of the data a result is over.

    Raises:
        DataError: It is not over a shard, or does not record of which data.
    """
    where = result.run.path
    written_part = result.metadata.get("part")
    if written_part is None:
        shard = result.metadata.get("shard")
        if shard is not None:
            raise DataError(
                f"{where}: {result.task} ran as shard {shard}, but does not record of which data, "
                "as earlier versions did not. Run it again."
            )
        raise DataError(
            f"{where}: {result.task} is not a shard of a run: it ran without the metadata shard, "
            "and not on a file of ultrarm-eval shard next to its shards.json. Omit it, or name the "
            "tasks to merge with --tasks."
        )
    try:
        part = DataPart(**written_part)
        is_part = 1 <= part.number <= part.of <= part.rows and isinstance(part.digest, str)
    except TypeError:
        is_part = False
    if not is_part:
        raise DataError(
            f"{where}: {result.task} records the invalid shard {shown_json(written_part)}: the "
            "file is damaged or was edited."
        )
    return part


def named_files(results: Iterable[TaskResult | Run]) -> str:
    """The results files of some results, for a message."""
    paths = list(dict.fromkeys(str(_run(one).path) for one in results))
    more = f" and {len(paths) - _NAMED} others" if len(paths) > _NAMED else ""
    return ", ".join(paths[:_NAMED]) + more


def _run(one: TaskResult | Run) -> Run:
    return one if isinstance(one, Run) else one.run


def _runs(given: Iterable[str | Path]) -> tuple[list[Run], list[str]]:
    paths: dict[Path, Path] = {}
    for one in given:
        path = Path(one).expanduser()
        if not path.exists():
            raise DataError(f"{path}: there is no such file or folder.")
        for file in results_files(path) if path.is_dir() else [path]:
            paths.setdefault(file.resolve(), file)
    read = [read_run(path) for path in paths.values()]
    merged = [run for run in read if MERGED_FROM in run.results]
    runs = [run for run in read if MERGED_FROM not in run.results]
    if not runs:
        raise DataError(
            f"{', '.join(map(str, given))}: there is no results_*.json of a run here. Give the "
            "folders that lm_eval --output_path wrote to."
        )
    remarks = [f"Skipped, because it is a merged run itself: {run.path}" for run in merged]
    return runs, remarks


def _task_keys(run: Run) -> list[str]:
    members = mapping(run.results.get("group_subtasks"))
    # Older versions write every task as a group without members.
    return [name for name in run.results["results"] if not members.get(name)]


def _require_same_judge(runs: Sequence[Run]) -> None:
    def identity(run: Run) -> dict[str, Any]:
        settings = model_settings(run)
        # The path of a checkpoint may differ between machines, its fingerprint does not.
        named = {} if settings.get(FINGERPRINT) else {"model": run.model}
        return {**named, **settings}

    differing = _differing(runs, identity)
    if differing:
        raise DataError(
            f"These runs are of different judges or models: {differing}. Merge the shards of "
            "one run."
        )


def _require_same_harness(runs: Sequence[Run]) -> None:
    def version(run: Run) -> dict[str, Any]:
        number = str(run.results.get("lm_eval_version"))
        return {"lm_eval_version": ".".join(number.split(".")[:2])}

    differing = _differing(runs, version)
    if differing:
        raise DataError(
            f"These runs were written by different versions of lm-eval: {differing}. Run the "
            "shards of one version again."
        )


def _task_shards(
    task: str, results: Sequence[TaskResult], *, latest: bool
) -> tuple[TaskShards, list[str]]:
    parts = [part_of(result) for result in results]
    of_result = dict(zip(map(id, results), parts, strict=True))
    for name, what in (
        ("of", "were split into different numbers of shards"),
        ("rows", "are of data with different numbers of rows"),
        ("digest", "are of different data"),
    ):
        differing = _differing(results, _part_field(of_result, name))
        if differing:
            raise DataError(f"{task}: these runs {what}: {differing}.")
    by_number: dict[int, list[TaskResult]] = {}
    for result, part in zip(results, parts, strict=True):
        by_number.setdefault(part.number, []).append(result)
    doubles = {n: of for n, of in sorted(by_number.items()) if len(of) > 1}
    if doubles and not latest:
        number, of = next(iter(doubles.items()))
        more = f", and {len(doubles) - 1} other shards more than once" if len(doubles) > 1 else ""
        raise DataError(
            f"{task}: shard {number} of {parts[0].of} occurs {len(of)} times{more}: "
            f"{named_files(of)}. Remove the wrong ones, or use the newest with --latest."
        )
    total = parts[0].of
    missing = [number for number in range(1, total + 1) if number not in by_number]
    if missing:
        numbers = ", ".join(map(str, missing[:10])) + (", ..." if len(missing) > 10 else "")
        raise DataError(
            f"{task}: {len(missing)} of {total} shards are missing: {numbers}. Found: "
            f"{named_files(results)}."
        )
    chosen = [max(by_number[n], key=lambda r: r.run.stamp) for n in range(1, total + 1)]
    for result in chosen:
        _require_all_documents(result)
    remarks = [
        f"Skipped, because there is a newer result of shard {number} of {task}: "
        f"{named_files(r for r in of if r is not chosen[number - 1])}"
        for number, of in doubles.items()
    ]
    _require_same_task(task, chosen)
    return TaskShards(task, tuple(chosen), of_result[id(chosen[0])]), remarks


def _part_field(parts: Mapping[int, DataPart], name: str) -> Callable[[Any], dict[str, Any]]:
    return lambda result: {name: getattr(parts[id(result)], name)}


def _require_all_documents(result: TaskResult) -> None:
    """Refuses a result over only some of its shard's documents, and one without samples."""
    config, where = result.run.config, result.run.path
    counted = mapping(mapping(result.run.results.get("n-samples")).get(result.key))
    is_some = counted.get("effective") != counted.get("original")
    if config.get("limit") is not None or is_some:
        how = "--samples" if config.get("limit") is None else f"--limit {config['limit']}"
        raise DataError(
            f"{where}: {result.task} evaluated {counted.get('effective')} of the "
            f"{counted.get('original')} documents of its shard ({how}). Run the complete shard."
        )
    if result.samples_path is None:
        raise DataError(
            f"{where}: there are no samples of {result.task} next to these results "
            f"({result.run.samples_path(result.key).name}). Metrics are computed from the samples "
            "of all shards: run lm_eval with --log_samples."
        )


def _require_same_task(task: str, results: Sequence[TaskResult]) -> None:
    def settings(result: TaskResult) -> dict[str, Any]:
        found = task_settings(result.run, result.key)
        return {name: value for name, value in found.items() if name not in OF_DATA}

    def config(result: TaskResult) -> dict[str, Any]:
        # lm-eval's own marks, which say in which group a task ran.
        known = result.config.items()
        found = {n: v for n, v in known if n != "metadata" and not n.startswith("_")}
        versions = mapping(result.run.results.get("versions"))
        return {**found, "version": versions.get(result.key)}

    def form(result: TaskResult) -> dict[str, Any]:
        keys = sorted(name for name in result.figures if "," not in name)
        return {"results": keys}

    for read in (settings, config, form):
        differing = _differing(results, read)
        if differing:
            raise DataError(
                f"{task}: these runs differ in the settings of the task: {differing}. Run the "
                "shards of one setting again."
            )


def _differing(things: Sequence[Any], identity: Callable[[Any], Mapping[str, Any]]) -> str | None:
    """The settings that differ between results, with the files of each value; None if none do."""
    known = [identity(thing) for thing in things]
    names = dict.fromkeys(name for one in known for name in one)
    for name in names:
        groups: dict[str, list[Any]] = {}
        for thing, one in zip(things, known, strict=True):
            groups.setdefault(written(one.get(name)), []).append(thing)
        if len(groups) > 1:
            values = [
                f"{name}={shown_json(identity(of[0]).get(name))} in {named_files(of)}"
                for of in groups.values()
            ]
            more = f"; and {len(values) - _NAMED} others" if len(values) > _NAMED else ""
            return "; ".join(values[:_NAMED]) + more
    return None

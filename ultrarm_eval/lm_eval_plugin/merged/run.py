"""Merges the results of all shards into those that one run would have written."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.lm_eval_plugin.merged.groups import merged_group
from ultrarm_eval.lm_eval_plugin.merged.task import MergedTask, TextCounts
from ultrarm_eval.runs.identity import mapping, member_tasks
from ultrarm_eval.runs.json_values import shown_json
from ultrarm_eval.runs.judge_identity import written
from ultrarm_eval.runs.run import Run
from ultrarm_eval.runs.shards import MERGED_FROM, RunShards, part_of

# Numbers that add up, wherever they stand.
_SECONDS = ("scoring_seconds", "total_evaluation_time_seconds")
_FIRST, _LAST = ("date", "start_time"), ("end_time",)
# Settings that say where was computed: all of them are told.
_DEVICES = ("device", "device_used", "device_requested")
_COUNTS = "judge_counts"
# By task or group.
_BY_NAME = ("configs", "versions", "n-shot", "higher_is_better", "n-samples", "task_hashes")


@dataclass(frozen=True)
class MergedRun:
    """A run that was merged.

    Attributes:
        results: What one run would have written, and its origins under `merged_from`.
        differing: Settings that differ between the runs without affecting rewards, with their
            values.
    """

    results: Mapping[str, Any]
    differing: Mapping[str, Sequence[Any]]


def merge_run(shards: RunShards, tasks: Sequence[MergedTask], texts: TextCounts) -> MergedRun:
    """Merges the results of the runs.

    Args:
        shards: The runs.
        tasks: The merged tasks.
        texts: The texts that the judge scored.

    Raises:
        DataError: The scores of a group cannot be computed.
    """
    runs = shards.runs
    joining = _Joining()
    named = {task.shards.key: task for task in tasks}
    results: dict[str, Any] = {}
    for key in dict.fromkeys(key for run in runs for key in run.results):
        values = [run.results[key] for run in runs if key in run.results]
        if key in ("results", "groups"):
            results[key] = {}
        elif key == "group_subtasks":
            results[key] = _first_of_each(values)
        elif key in _BY_NAME:
            results[key] = _of_names(key, runs, named)
        elif key == "config":
            results[key] = _config(values, texts, joining)
        else:
            results[key] = joining.joined(values, key)
    _add_figures(results, runs, named)
    results[MERGED_FROM] = {
        "runs": [_about(run, shards) for run in runs],
        "differing": joining.differing,
    }
    return MergedRun(results, joining.differing)


def _add_figures(
    results: dict[str, Any], runs: Sequence[Run], tasks: Mapping[str, MergedTask]
) -> None:
    entries: dict[str, Any] = {name: dict(task.figures) for name, task in tasks.items()}
    left: list[str] = []
    for name in dict.fromkeys(name for run in runs for name in run.results["results"]):
        having = [run for run in runs if name in run.results["results"]]
        if name in entries:
            results["results"][name] = entries[name]
        elif all(member in entries for member in member_tasks(having[0], name) or (name,)):
            results["results"][name] = merged_group(name, having, tasks)
        else:
            left.append(name)
    for run in runs:
        for name in mapping(run.results.get("groups")):
            if name in results["results"]:
                results["groups"][name] = results["results"][name]
    if not results.get("groups"):
        results.pop("groups", None)
    for key in (*_BY_NAME, "group_subtasks"):
        for name in left:
            mapping_of = results.get(key)
            if isinstance(mapping_of, dict):
                mapping_of.pop(name, None)


def _of_names(key: str, runs: Sequence[Run], tasks: Mapping[str, MergedTask]) -> dict[str, Any]:
    """The entries by the names of tasks and groups."""
    each = [mapping(run.results.get(key)) for run in runs]
    found: dict[str, Any] = {}
    for name in dict.fromkeys(name for of_run in each for name in of_run):
        values = [of_run[name] for of_run in each if name in of_run]
        task = tasks.get(name)
        if key == "higher_is_better":
            # A part has the metrics of its own categories.
            found[name] = _first_of_each(values)
        elif task is None or key in ("versions", "n-shot"):
            found[name] = values[0]
        elif key == "configs":
            found[name] = {**values[0], "metadata": dict(task.metadata)}
        elif key == "n-samples":
            found[name] = dict.fromkeys(values[0], task.documents)
        else:
            found[name] = task.task_hash
    return found


def _config(values: Sequence[Any], texts: TextCounts, joining: _Joining) -> dict[str, Any]:
    """The run's configuration."""
    rest = [{n: v for n, v in mapping(value).items() if n != _COUNTS} for value in values]
    found = dict(joining.joined(rest, "config"))
    counts = [mapping(mapping(value).get(_COUNTS)) for value in values]
    if any(counts):
        total: Counter[str] = Counter()
        for one in counts:
            total.update({str(name): int(number) for name, number in one.items()})
        known = {"texts": texts.texts, "distinct_texts": texts.distinct}
        joined = {**total, **{name: n for name, n in known.items() if name in total}}
        # In the place where it stood.
        found = {
            name: joined if name == _COUNTS else found[name]
            for name in mapping(values[0])
            if name == _COUNTS or name in found
        } | {name: value for name, value in found.items() if name not in values[0]}
    return found


class _Joining:
    """Merges values of several runs, and records which differ.

    Attributes:
        differing: The differing values, by their place in the results.
    """

    def __init__(self) -> None:
        self.differing: dict[str, list[Any]] = {}

    def joined(self, values: Sequence[Any], place: str) -> Any:
        """One value: the common one, the sum of seconds, all devices, or the first run's."""
        name = place.rpartition(".")[2]
        if name in _SECONDS:
            total = math.fsum(float(value) for value in values if value is not None)
            return str(total) if isinstance(values[0], str) else total
        distinct = {written(value): value for value in values}
        if len(distinct) == 1:
            return values[0]
        if name in _FIRST or name in _LAST:
            return (min if name in _FIRST else max)(v for v in values if v is not None)
        if all(isinstance(value, Mapping) for value in values):
            return {
                key: self.joined([v[key] for v in values if key in v], f"{place}.{key}")
                for key in dict.fromkeys(key for value in values for key in value)
            }
        self.differing[place] = list(distinct.values())
        if name in _DEVICES:
            return ", ".join(str(value) for value in distinct.values())
        return values[0]


def _about(run: Run, shards: RunShards) -> dict[str, Any]:
    parts = {
        one.task: f"{part_of(result).number}/{part_of(result).of}"
        for one in shards.tasks
        for result in one.results
        if result.run is run
    }
    known = sorted(set(parts.values()))
    return {
        "file": str(run.path),
        "part": known[0] if len(known) == 1 else parts,
        "date": run.results.get("date"),
        "device": run.config.get("device_used", run.config.get("device")),
        "scoring_seconds": run.config.get("scoring_seconds"),
        "total_evaluation_time_seconds": run.results.get("total_evaluation_time_seconds"),
        _COUNTS: run.config.get(_COUNTS),
    }


def _first_of_each(values: Sequence[Any]) -> dict[str, Any]:
    """Merges mappings, with the first value of each name."""
    found: dict[str, Any] = {}
    for value in values:
        found = {**mapping(value), **found}
    ordered = dict.fromkeys(name for value in values for name in mapping(value))
    return {name: found[name] for name in ordered}


def differing_in_words(differing: Mapping[str, Sequence[Any]]) -> list[str]:
    """The differences between the runs, one per line."""
    return [
        f"{place}: {', '.join(shown_json(value) for value in values)}"
        for place, values in differing.items()
    ]

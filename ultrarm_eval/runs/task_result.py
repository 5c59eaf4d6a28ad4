"""The result of a run on one task."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ultrarm_eval.errors import DataError
from ultrarm_eval.io import json_lines
from ultrarm_eval.runs.digest import samples_digest, text_digest
from ultrarm_eval.runs.figure import Figure, harness_interval
from ultrarm_eval.runs.identity import mapping, member_tasks
from ultrarm_eval.runs.json_values import shown_json
from ultrarm_eval.runs.numbers import finite
from ultrarm_eval.runs.run import Run

#: The metric that leaderboards read.
MAIN_METRIC = "acc"
_MAIN_KEY = f"{MAIN_METRIC},none"
# lm-eval writes this where a metric is not defined.
_NOT_DEFINED = ("N/A", "", " ")
# The largest integers that floats represent exactly; larger values are not document counts.
_MOST_DOCUMENTS = 2**53
_NO_METRICS = ("name", "alias", "sample_len", "sample_count", "samples")


@dataclass(frozen=True)
class TaskResult:
    """The result of a run on a task or group.

    Attributes:
        key: lm-eval's key, see `task_name`.
        run: The run it is from.
        figures: lm-eval's metrics, by metric and filter (`acc,none`, `acc_stderr,none`); empty
            where the run was interrupted before they were written.
        called: The task's name among results of other runs; None for its name in its own run.
    """

    key: str
    run: Run
    figures: Mapping[str, Any]
    called: str | None = None

    @property
    def task(self) -> str:
        """The task's name."""
        return self.run.name_of(self.key).task if self.called is None else self.called

    @property
    def samples_path(self) -> Path | None:
        """The file of its samples; None where there is none."""
        path = self.run.samples_path(self.key)
        return path if path.is_file() else None

    @property
    def config(self) -> Mapping[str, Any]:
        """The task's configuration as lm-eval wrote it; a group has none."""
        return mapping(mapping(self.run.results.get("configs")).get(self.key))

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The task's metadata."""
        return mapping(self.config.get("metadata"))

    @cached_property
    def data_digest(self) -> str | None:
        """Equal for runs over the same rows of the same data; None for a run without samples.

        Other data may contain the same documents in other rows: see `content_digest`. Results of
        older versions do not contain it: then the samples are read. A group has one for the
        documents of all its tasks.
        """
        if self.members != (self,):
            return _of_tasks((one.task, one.data_digest) for one in self.members)
        stored = self.metadata.get("data_digest")
        if stored is not None or self.samples_path is None:
            return None if stored is None else str(stored)
        return samples_digest(_readable(self.samples_path))

    @cached_property
    def content_digest(self) -> str | None:
        """Equal for runs over the same documents in any order; None without samples.

        Reads the samples. A group has one for the documents of all its tasks.
        """
        if self.members != (self,):
            return _of_tasks((one.task, one.content_digest) for one in self.members)
        path = self.samples_path
        return None if path is None else samples_digest(_readable(path), by_content=True)

    @property
    def worth(self) -> tuple[bool, bool, bool, str]:
        """Sort key: of several results of one task the greatest is used.

        One with metrics before one without, a complete one before a partial one, then one with
        samples, and then the newest.
        """
        has_samples = self.samples_path is not None
        return bool(self.figures), not self.parts, has_samples, self.run.stamp

    @property
    def metrics(self) -> tuple[str, ...]:
        """The keys of its metrics, without those of the standard errors."""
        return tuple(
            key
            for key, value in self.figures.items()
            if key not in _NO_METRICS
            and "_stderr," not in key
            and not key.endswith(",")
            and isinstance(value, int | float)
            and not isinstance(value, bool)
            # JSON has integers that no float can hold.
            and (isinstance(value, float) or finite(value) is not None)
        )

    @property
    def damaged_figures(self) -> dict[str, str]:
        """Invalid values in place of a metric, by key."""
        written: dict[str, Any] = {
            key: value
            for key, value in self.figures.items()
            # Metrics of third-party tasks may be lists and mappings.
            if isinstance(value, str | int)
            and "," in key
            and key not in self.metrics
            and value not in _NOT_DEFINED
        }
        main = finite(self.figures.get(_MAIN_KEY), spelled=False)
        # Third-party accuracies may range from 0 to 100.
        if "counts" in self.metadata and main is not None and not 0 <= main <= 1:
            written[_MAIN_KEY] = main
        # A standard error may be missing, or NaN for a single document.
        return {k: shown_json(v) for k, v in written.items() if "_stderr," not in k or _is_odd(v)}

    @property
    def main_figure(self) -> Figure | None:
        """The metric to quote: `acc,none` if there is one, otherwise the first; None if none."""
        keys = self.metrics
        if not keys:
            return None
        ours = [key for key in keys if key.partition(",")[0] == MAIN_METRIC]
        return self.figure((ours or list(keys))[0])

    def figure(self, key: str) -> Figure:
        """A value by its key, one of `metrics`."""
        metric, _, filter_name = key.partition(",")
        value, documents = float(self.figures[key]), self.all_documents
        error = self.figures.get(f"{metric}_stderr,{filter_name}")
        known = finite(error) if isinstance(error, int | float) else None
        return Figure(
            metric,
            filter_name,
            value,
            known,
            self.higher_is_better(metric),
            documents,
            harness_interval(metric, value, known, documents),
        )

    @cached_property
    def members(self) -> tuple[TaskResult, ...]:
        """The results of the tasks of a group; of a task only this result."""
        names = member_tasks(self.run, self.key)
        figures = {name: mapping(self.run.results["results"].get(name)) for name in names}
        return tuple(TaskResult(name, self.run, figures[name]) for name in names) or (self,)

    @cached_property
    def all_documents(self) -> int | None:
        """How many documents were evaluated, of a group in all its tasks; None if unknown."""
        counts = [one.documents for one in self.members]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None

    def higher_is_better(self, metric: str) -> bool | None:
        """Whether a higher value of a metric is better; None where neither is."""
        directions = mapping(mapping(self.run.results.get("higher_is_better")).get(self.key))
        value = directions.get(metric.partition(",")[0])
        return value if isinstance(value, bool) else None

    @property
    def documents(self) -> int | None:
        """How many documents were evaluated, if recorded."""
        counted = self._counted
        value = counted.get("effective", self.figures.get("sample_len"))
        is_count = isinstance(value, int) and not isinstance(value, bool)
        return value if is_count and 0 <= value <= _MOST_DOCUMENTS else None

    @property
    def num_fewshot(self) -> int | None:
        """The number of few-shot examples, if recorded."""
        shots = mapping(self.run.results.get("n-shot")).get(self.key)
        return shots if isinstance(shots, int) else None

    @property
    def in_sample(self) -> bool:
        """Whether the judge was trained on the task's data.

        Where a judge scores a model's answers, this is about the judge. For a group, whether it was
        trained on the data of any of its tasks.
        """
        if self.members != (self,):
            return any(one.in_sample for one in self.members)
        named = self.metadata.get("in_sample_for")
        judge = mapping(self.metadata.get("judge_used")).get("pretrained", self.run.model)
        return isinstance(named, list | tuple) and judge in named

    @property
    def parts(self) -> dict[str, Any]:
        """What limited a partial run to a subset of the data: `--limit`, `--samples`, a shard.

        For a group, what limited any of its tasks. A `--limit` that all documents are within limits
        nothing.
        """
        samples = self.run.config.get("samples")
        limit = self.run.config.get("limit")
        if all(one._is_within(limit) for one in self.members):
            limit = None
        given = {
            # lm-eval writes --limit 60 as 60.0; below 1 it is a share.
            "limit": int(limit) if isinstance(limit, float) and limit.is_integer() else limit,
            # A judge that writes critiques has a setting of that name, how many of each answer.
            "samples": samples if isinstance(samples, Mapping) else None,
            "shard": _first(one.metadata.get("shard") for one in self.members),
        }
        found = {name: value for name, value in given.items() if value is not None}
        # lm-eval does not record `--samples`; its document counts show it.
        counted = _first(one._counted_part() for one in self.members)
        return found if found or counted is None else {"documents": counted}

    @property
    def _counted(self) -> Mapping[str, Any]:
        return mapping(mapping(self.run.results.get("n-samples")).get(self.key))

    def _is_within(self, limit: Any) -> bool:
        """Whether all documents are within a limit, as far as their counts are recorded."""
        original = self._counted.get("original")
        # A limit below 1 is a share of the documents.
        return (
            isinstance(limit, int | float)
            and limit >= 1
            and isinstance(original, int)
            and original <= limit
            and self._counted_part() is None
        )

    def _counted_part(self) -> str | None:
        counted = self._counted
        seen, all_of_them = counted.get("effective"), counted.get("original")
        if isinstance(seen, int) and isinstance(all_of_them, int) and seen < all_of_them:
            return f"{seen} of {all_of_them}"
        return None


def results_by_name(
    results: Iterable[tuple[int, TaskResult]],
) -> dict[str, list[tuple[int, TaskResult]]]:
    """Results of several runs by name.

    Where one of the runs has two results of a name, as of a task in two groups, lm-eval's keys are
    used as names in all runs.

    Args:
        results: Results, each with its run's index.
    """
    given = [(place, one, one.run.name_of(one.key)) for place, one in results]
    twins = {name.own for _, _, name in given if not name.is_only}
    named: dict[str, list[tuple[int, TaskResult]]] = {}
    for place, one, name in given:
        called = name.key if name.own in twins else name.own
        renamed = one if called == one.task else dataclasses.replace(one, called=called)
        named.setdefault(called, []).append((place, renamed))
    return named


def _readable(path: Path) -> Iterator[dict[str, Any]]:
    """The samples of a file, without damaged ones."""
    for line in json_lines(path):
        with contextlib.suppress(DataError):
            yield line.parsed()


def _of_tasks(digests: Iterable[tuple[str, str | None]]) -> str | None:
    """The hash of the documents of several tasks; None where one of these is not known."""
    named = sorted(digests, key=str)
    known = [f"{task}:{digest}" for task, digest in named if digest]
    return text_digest("\n".join(known)) if len(known) == len(named) else None


def _is_odd(stderr: Any) -> bool:
    return isinstance(stderr, bool) or not isinstance(stderr, int | float) or stderr < 0


def _first(values: Iterable[Any]) -> Any:
    """The first of some values that is not None."""
    return next((value for value in values if value is not None), None)

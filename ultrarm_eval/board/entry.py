"""What one evaluation says about one task or group, before it stands beside others."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.runs.evaluation import Evaluation
from ultrarm_eval.runs.identity import OF_DATA, member_tasks, task_settings
from ultrarm_eval.runs.run import Run
from ultrarm_eval.runs.task_result import TaskResult

_STAMP = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2})-(\d{2})-(\d{2}).*")


@dataclass(frozen=True)
class Entry:
    """What one evaluation says about one task or group.

    Attributes:
        row: The evaluation's place among all.
        result: The result.
        members: Names of a group's tasks; none for a task.
        settings: What its figures depend on, the data apart.
        data: Names of the data.
        data_digest: The digest of the documents, where it is known.
        documents: How many documents were evaluated, where it is known.
        partial: What made the run see a part of the data alone.
        in_sample: Whether the judge was trained on the data, of a group on those of any task.
    """

    row: int
    result: TaskResult
    members: tuple[str, ...]
    settings: Mapping[str, Any]
    data: Mapping[str, Any]
    data_digest: str | None
    documents: int | None
    partial: Mapping[str, Any]
    in_sample: bool

    @property
    def worth(self) -> tuple[bool, str]:
        """Of several of one evaluation the greatest counts: a whole one, then the newest."""
        return not self.partial, self.result.run.stamp


def entries_of(row: int, evaluation: Evaluation) -> Iterator[Entry]:
    """What an evaluation says: of its groups, then of its tasks."""
    for result in (*evaluation.groups.values(), *evaluation.tasks.values()):
        members = member_tasks(result.run, result.task)
        of_tasks = [_of_task(result.run, name) for name in members] or [result]
        settings = task_settings(result.run, result.task)
        counts = [one.documents for one in of_tasks]
        known = [count for count in counts if count is not None]
        yield Entry(
            row=row,
            result=result,
            members=members,
            settings={name: v for name, v in settings.items() if name not in OF_DATA},
            data={name: v for name, v in settings.items() if name in OF_DATA},
            data_digest=_digest(of_tasks) if members else result.data_digest,
            documents=sum(known) if len(known) == len(counts) else None,
            partial=result.parts,
            in_sample=any(one.in_sample for one in of_tasks),
        )


def date_of(run: Run) -> str:
    """When a run was made, in ISO 8601: in UTC, or as its file's name has it."""
    date = run.results.get("date")
    # From 1970 to 2200: what is outside of it is no date.
    if isinstance(date, int | float) and 0 < date < 7.3e9:
        return dt.datetime.fromtimestamp(date, dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _STAMP.sub(r"\1:\2:\3", run.stamp)


def _of_task(run: Run, name: str) -> TaskResult:
    figures = run.results["results"].get(name)
    return TaskResult(name, run, figures if isinstance(figures, Mapping) else {})


def _digest(results: list[TaskResult]) -> str | None:
    """One digest for the documents of all tasks of a group."""
    digests = [(one.task, one.data_digest) for one in results]
    if any(digest is None for _, digest in digests):
        return None
    lines = "\n".join(f"{task}:{digest}" for task, digest in sorted(digests, key=str))
    return hashlib.sha256(lines.encode("utf-8", "replace")).hexdigest()

"""A board: evaluations as rows, every metric of every group and task as columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ultrarm_eval.board.column import Column
from ultrarm_eval.board.mean import Mean
from ultrarm_eval.board.published import PublishedBenchmark
from ultrarm_eval.report.facts import Fact

FORMAT = "ultrarm_eval.board/1"


@dataclass(frozen=True)
class Task:
    """A task or a group of tasks on the board.

    Attributes:
        key: Tells it apart from others of the board.
        title: Its name, and where there are several of one name the settings in which they differ.
        task: Its name.
        is_group: Whether it is a group; its figures are the harness's own.
        members: Names of a group's tasks.
        settings: What its figures depend on.
        documents: How many documents its results are compared over, where it is known.
        data_digest: The digest of these documents, where it is known.
        is_shared: Whether all whole rows have its main metric over the same documents.
        notes: What has to be known before its figures are compared.
    """

    key: str
    title: str
    task: str
    is_group: bool
    members: tuple[str, ...]
    settings: Mapping[str, Any]
    documents: int | None
    data_digest: str | None
    is_shared: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """What a row's runs say about a task.

    Attributes:
        task: The task's key on the board.
        file: The results file, from the folder of all on.
        date: When the run was made, in ISO 8601.
        lm_eval_version: The harness's version.
        documents: How many documents were evaluated, where it is known.
        data_digest: Their digest, where it is known.
        partial: What made the run see a part of the data alone.
        marks: Why its figures are not ranked among the others.
        figures: The harness's figures as it wrote them.
    """

    task: str
    file: str
    date: str
    lm_eval_version: str | None
    documents: int | None
    data_digest: str | None
    partial: Mapping[str, Any]
    marks: tuple[str, ...]
    figures: Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """An evaluation on the board.

    Attributes:
        label: Its name among the others.
        model: What its runs call the model.
        settings: What its results depend on.
        facts: How its results were made.
        remarks: What was left out or is missing.
        results: What its runs say about each task, by the task's key.
    """

    label: str
    model: str
    settings: Mapping[str, Any]
    facts: tuple[Fact, ...]
    remarks: tuple[str, ...]
    results: Mapping[str, Result]


@dataclass(frozen=True)
class Board:
    """A board.

    Attributes:
        tasks: Its groups, then its tasks; of each the ones that most rows have first.
        rows: Its rows, ordered by the mean, or else by the first column that all whole rows share.
        columns: Every metric of every task, in the order of the tasks, main metrics first.
        mean: The mean over the tasks that all whole rows share, if there are two of them.
        left_out: What could not be read.
        published: Figures of others, which were not measured by these runs.
        format: Its format and version.
    """

    tasks: tuple[Task, ...]
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    mean: Mean | None
    left_out: tuple[str, ...]
    published: tuple[PublishedBenchmark, ...] = ()
    format: str = field(default=FORMAT)

    @property
    def sorted_by(self) -> Column | Mean:
        """What the rows are ordered by."""
        if self.mean is not None:
            return self.mean
        shared = {task.key for task in self.tasks if task.is_shared}
        mains = [column for column in self.columns if column.is_main]
        return next((column for column in mains if column.task in shared), mains[0])

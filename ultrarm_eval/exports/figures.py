"""Which scores of an evaluation are exported."""

from __future__ import annotations

import logging
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.errors import ConfigurationError, DataError, unknown_choice
from ultrarm_eval.runs.evaluation import Evaluation
from ultrarm_eval.runs.figure import Figure
from ultrarm_eval.runs.identity import mapping
from ultrarm_eval.runs.task_result import TaskResult

logger = logging.getLogger(__name__)

#: The main metric of each task, which is `acc` wherever there is one, or every metric.
METRICS = ("main", "all")


@dataclass(frozen=True)
class ExportedFigure:
    """A score that is exported.

    Attributes:
        result: The run's result on the task.
        figure: The score; its value is a finite number.
        is_main: Whether it is the task's main metric.
        data_digest: The hash of the documents, where recorded or where there are samples.
    """

    result: TaskResult
    figure: Figure
    is_main: bool
    data_digest: str | None = None

    @property
    def task(self) -> str:
        """The name of the task or group."""
        return self.result.task

    @property
    def members(self) -> tuple[TaskResult, ...]:
        """The results of a group's tasks; of a task its own."""
        return self.result.members

    @property
    def key(self) -> str:
        """lm-eval's key, metric and filter: `acc,none`."""
        return self.figure.key

    @property
    def metric(self) -> str:
        """The metric without its filter."""
        return self.figure.metric

    @property
    def filter_name(self) -> str:
        """The filter of the answers; `none` where there is none."""
        return self.figure.filter or "none"

    @property
    def value(self) -> float:
        """The score's value."""
        return self.figure.value

    @property
    def error(self) -> float | None:
        """Its standard error, if it has a finite one."""
        error = self.figure.stderr
        return error if error is not None and math.isfinite(error) else None

    @property
    def is_group(self) -> bool:
        """Whether it is the score of several tasks."""
        return self.members != (self.result,)

    @property
    def parts(self) -> dict[str, Any]:
        """What limited a partial run to a subset of the data, for any of the tasks."""
        return {name: value for one in self.members for name, value in one.parts.items()}


def exported_figures(
    evaluation: Evaluation,
    *,
    tasks: Sequence[str] = (),
    metrics: str = "main",
    allow_partial: bool = False,
) -> list[ExportedFigure]:
    """The scores to export: of each task its main metric first.

    Args:
        evaluation: The results.
        tasks: The tasks and groups to export, by name or title; all if empty.
        metrics: One of `METRICS`.
        allow_partial: Whether scores of partial runs are exported.

    Raises:
        ConfigurationError: There is no such task, or metrics is unknown.
        DataError: There is no score, one is not a finite number, two results have the same name,
            or the run is partial.
    """
    if metrics not in METRICS:
        raise unknown_choice("metrics", metrics, METRICS)
    found: list[ExportedFigure] = []
    for result in _chosen(evaluation, tasks):
        figures = _figures_of(result, metrics)
        if not figures and result.key not in mapping(result.run.results.get("group_subtasks")):
            # A group may have none: then it is only a heading.
            logger.warning("Skipped %s: its run was interrupted and has no results.", result.task)
        found += figures
    if not found:
        raise DataError(
            f"{evaluation.label}: there is no score to export. Either the run was interrupted: run "
            "it again, with --use_cache to resume. Or this is a group without a score of its own: "
            "name its tasks with --task."
        )
    _require_one_of_each(found)
    for figure in found:
        if figure.parts and not allow_partial:
            raise DataError(
                f"{figure.result.run.path}: {figure.task} was evaluated on a subset of its data "
                f"({spelled_out(figure.parts)}), but leaderboards need complete runs. Run all of "
                "it, or export it with --allow-partial, which marks it as partial."
            )
    return found


def spelled_out(settings: Mapping[str, Any]) -> str:
    """Settings as text; a long one, such as a list of documents, is shortened."""
    return ", ".join(
        f"{name} {textwrap.shorten(str(value), 60)}" for name, value in settings.items()
    )


def _chosen(evaluation: Evaluation, tasks: Sequence[str]) -> list[TaskResult]:
    titled = [*evaluation.groups.items(), *evaluation.tasks.items()]
    if not tasks:
        return [result for _, result in titled]
    for name in tasks:
        if not any(name in (title, result.task) for title, result in titled):
            raise unknown_choice("task", name, [title for title, _ in titled])
    return [result for title, result in titled if {title, result.task} & set(tasks)]


def _figures_of(result: TaskResult, metrics: str) -> list[ExportedFigure]:
    main = result.main_figure
    if main is None:
        return []
    keys = [main.key]
    if metrics == "all":
        keys += [key for key in result.metrics if key != main.key]
    # For an older run it is computed from the samples: once, not for every score.
    digest = result.data_digest if result.members == (result,) else None
    found = []
    for figure in map(result.figure, keys):
        if not math.isfinite(figure.value):
            raise DataError(
                f"{result.run.path}: {result.task} has the score {figure.key} = {figure.value}, "
                "which is not a finite number. Exclude the task by naming the others with --task."
            )
        found.append(ExportedFigure(result, figure, figure.key == main.key, digest))
    return found


def _require_one_of_each(figures: Sequence[ExportedFigure]) -> None:
    first: dict[str, TaskResult] = {}
    for figure in figures:
        if first.setdefault(figure.task, figure.result) is not figure.result:
            raise ConfigurationError(
                f"There are several results of {figure.task} with different settings "
                f"({first[figure.task].run.path.name} and {figure.result.run.path.name}); an "
                "export has one. Give the results file of one of them."
            )

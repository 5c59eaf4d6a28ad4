"""A report as data, before it becomes a page, Markdown or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ultrarm_eval.report.facts import Fact, facts_of
from ultrarm_eval.report.pairs import (
    Candidate,
    ShownPair,
    candidates,
    disagreements,
    show_pairs,
)
from ultrarm_eval.report.task_report import TaskReport, report_task
from ultrarm_eval.runs.evaluation import Evaluation
from ultrarm_eval.runs.figure import Figure
from ultrarm_eval.runs.samples import Samples
from ultrarm_eval.runs.samples_file import read_samples

FORMAT = "ultrarm_eval.report/1"


@dataclass(frozen=True)
class JudgeReport:
    """The report of one judge, or of one model.

    Attributes:
        label: Its name among others.
        facts: How its results were made.
        tasks: The report of each task, the one with most documents first.
        groups: lm-eval's metrics of groups of tasks.
        remarks: What was skipped or is missing.
    """

    label: str
    facts: tuple[Fact, ...]
    tasks: tuple[TaskReport, ...]
    groups: Mapping[str, tuple[Figure, ...]]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """A report.

    Attributes:
        format: Its format and version.
        title: Its title.
        judges: The report of each judge.
        pairs: Pairs worth reading.
        pairs_left_out: How many more pairs did not fit on the page.
    """

    title: str
    judges: tuple[JudgeReport, ...]
    pairs: tuple[ShownPair, ...]
    pairs_left_out: int
    format: str = field(default=FORMAT)


def make_report(evaluations: Sequence[Evaluation], *, pairs: int) -> Report:
    """Reports on the results of one or several judges.

    Args:
        evaluations: The results, with labels that tell them apart.
        pairs: The most pairs of each task and reason that are shown with their texts.

    Raises:
        DataError: A file of samples was changed while it was read.
    """
    reports: list[JudgeReport] = []
    samples: dict[str, dict[str, Samples]] = {}
    # Only documents of several files are compared by content.
    several = sum(len(evaluation.tasks) for evaluation in evaluations) > 1
    for evaluation in evaluations:
        of_tasks = {
            title: read_samples(result, by_content=several)
            for title, result in evaluation.tasks.items()
        }
        samples[evaluation.label] = {t: o for t, o in of_tasks.items() if o is not None}
        reports.append(_report_judge(evaluation, of_tasks))
    worth = [
        candidate
        for report in reports
        for task in report.tasks
        if task.title in samples[report.label]
        for candidate in candidates(
            report.label, task.title, samples[report.label][task.title], pairs
        )
    ]
    worth = _without_repetitions([*disagreements(evaluations, samples, pairs), *worth])
    shown, left_out = show_pairs(worth)
    return Report(_title(reports), tuple(reports), tuple(shown), left_out)


def _report_judge(evaluation: Evaluation, samples: Mapping[str, Samples | None]) -> JudgeReport:
    tasks = [
        report_task(title, result, samples[title]) for title, result in evaluation.tasks.items()
    ]
    # A stable sort: tasks of equal size stay in the order of their titles.
    tasks.sort(key=lambda task: -(task.data["documents"] or 0))
    return JudgeReport(
        evaluation.label,
        facts_of(evaluation),
        tuple(tasks),
        {
            title: tuple(map(result.figure, result.metrics))
            for title, result in evaluation.groups.items()
        },
        evaluation.remarks,
    )


def _without_repetitions(found: Sequence[Candidate]) -> list[Candidate]:
    """Each pair once: the task of a benchmark contains the documents of its subsets' tasks."""
    seen: set[Any] = set()
    kept = []
    for one in found:
        samples = one.samples
        pair = samples.pairs.iloc[one.chosen.pair]
        document = samples.documents.iloc[int(pair.document)]
        # Without hashes, documents are identified by index, which starts at 0 in every task.
        key = (
            one.judge,
            one.task if samples.digest is None else None,
            document.hash,
            document.occurrence,
            pair.chosen,
            pair.rejected,
        )
        if key not in seen:
            seen.add(key)
            kept.append(one)
    return kept


def _title(reports: Sequence[JudgeReport]) -> str:
    if len(reports) == 1:
        return reports[0].label
    named = ", ".join(report.label for report in reports[:3])
    more = len(reports) - 3
    return f"{named} and {more} more" if more > 0 else named

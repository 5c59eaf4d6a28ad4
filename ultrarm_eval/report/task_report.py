"""The report of one task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ultrarm_eval.data.counts import counted
from ultrarm_eval.report.lengths import LengthReport, length_report
from ultrarm_eval.report.margins import (
    CalibrationReport,
    MarginReport,
    calibration_report,
    margin_report,
)
from ultrarm_eval.report.pair_sums import PairSums
from ultrarm_eval.report.ranks import RankConfusion, rank_confusion
from ultrarm_eval.report.slices import (
    Slice,
    all_documents,
    all_pairs,
    slices,
)
from ultrarm_eval.runs.figure import Figure
from ultrarm_eval.runs.identity import mapping
from ultrarm_eval.runs.sample import PREFERENCE, REFERENCE
from ultrarm_eval.runs.samples import Samples
from ultrarm_eval.runs.task_result import MAIN_METRIC, TaskResult
from ultrarm_eval.stats.significance import FEWEST_PROMPTS


@dataclass(frozen=True)
class TaskReport:
    """The report of one task.

    Attributes:
        title: Its title in the report.
        task: The task's name.
        kind: What its pairs are, see `ultrarm_eval.runs.sample`; None without pairs.
        main: The metric to quote; None where an interrupted run has none.
        figures: All metrics.
        data: The data that were evaluated, and their hash.
        settings: The rules of the comparison.
        counts: What was used and what was excluded, and why.
        in_sample: Whether the judge was trained on these data.
        partial: What limited a partial run to a subset of the data.
        overall: Accuracy over the documents, from the samples.
        pooled: Accuracy over all pairs, from the samples.
        slices: Accuracy by subset.
        margins: The distribution of the margins.
        calibration: The calibration of the margins.
        lengths: How far length explains the rewards.
        ranks: Rank by rating against rank by reward.
        remarks: What is missing or was excluded.
        are_pairs: Whether every document has two answers that form one pair.
    """

    title: str
    task: str
    kind: str | None
    main: Figure | None
    figures: tuple[Figure, ...]
    data: Mapping[str, Any]
    settings: Mapping[str, Any]
    counts: Mapping[str, int]
    in_sample: bool
    partial: Mapping[str, Any]
    overall: Slice | None = None
    pooled: Slice | None = None
    slices: tuple[Slice, ...] = ()
    margins: MarginReport | None = None
    calibration: CalibrationReport | None = None
    lengths: LengthReport | None = None
    ranks: RankConfusion | None = None
    remarks: tuple[str, ...] = ()
    are_pairs: bool = False

    @property
    def value_name(self) -> str:
        """What the values of its documents are called."""
        return self._value_names[1]

    @property
    def headline(self) -> Figure | None:
        """The value to quote; None where there is none."""
        if self.overall is not None and (self.main is None or self.kind == REFERENCE):
            return self.figure_of(self.overall)
        if self.main is None or self.overall is None:
            return self.main
        # The interval computed from the samples is clustered by prompt.
        is_same = self.main.equals(self.overall.accuracy)
        return replace(self.main, interval=self.overall.interval) if is_same else self.main

    def figure_of(self, part: Slice) -> Figure:
        """The value of a subset of the task."""
        metric, label = self._value_names
        return Figure(
            metric,
            "none",
            part.accuracy,
            documents=part.documents,
            interval=part.interval,
            label=label,
        )

    @property
    def _value_names(self) -> tuple[str, str]:
        """The metric of its documents' values, and its name in the report."""
        if self.kind == REFERENCE:
            return "win_rate", "win rate"
        if self.kind is not None or self.main is None:
            return MAIN_METRIC, "accuracy"
        return self.main.metric, self.main.metric

    @property
    def shown_slices(self) -> tuple[Slice, ...]:
        """The subsets that are large enough for a row."""
        return tuple(one for one in self.slices if one.documents >= FEWEST_PROMPTS)

    @property
    def small_slices_note(self) -> str:
        """How many subsets are too small for a row; empty where there are none."""
        number = len(self.slices) - len(self.shown_slices)
        if not number:
            return ""
        one = number == 1
        return (
            f"{counted(number, 'subset')} of fewer than {FEWEST_PROMPTS} documents "
            f"{'is' if one else 'are'} not shown: the interval would be too wide to be useful. "
            f"The JSON contains {'it' if one else 'them'}."
        )

    @property
    def pooled_apart(self) -> Slice | None:
        """The accuracy over all pairs, unless it equals that over documents by definition."""
        return None if self.are_pairs else self.pooled


def report_task(title: str, result: TaskResult, samples: Samples | None) -> TaskReport:
    """Reports on a task.

    Args:
        title: Its title in the report.
        result: lm-eval's results.
        samples: Its samples, if there are any.
    """
    metadata = result.metadata
    about: dict[str, Any] = {
        "title": title,
        "task": result.task,
        "main": result.main_figure,
        "figures": tuple(map(result.figure, result.metrics)),
        "settings": {
            name: metadata[name]
            for name in ("preference", "ties", "min_gap", "reference", "n", "version")
            if metadata.get(name) is not None
        },
        "in_sample": result.in_sample,
        "partial": result.parts,
    }
    counts = dict(mapping(metadata.get("counts")))
    for name in ("completions_without_score", "documents_without_score", "answers_without_score"):
        if metadata.get(name):
            counts[name] = metadata[name]
    data = {"data": metadata.get("data_used"), "documents": result.documents}
    remarks = list(_remarks(result))
    if samples is None:
        remarks.append(_without_samples(result))
        data["digest"] = metadata.get("data_digest")
        return TaskReport(kind=None, data=data, counts=counts, remarks=tuple(remarks), **about)
    counts |= samples.counts
    remarks += samples.remarks
    remarks += _disagreeing(result, samples)
    about["are_pairs"] = _are_pairs(samples)
    data |= {"documents": len(samples.documents), "digest": samples.digest}
    has_labels = samples.kind == PREFERENCE
    sums = PairSums.of(samples)
    return TaskReport(
        kind=samples.kind,
        data=data,
        counts=counts,
        overall=all_documents(samples),
        pooled=all_pairs(samples, sums),
        slices=tuple(slices(samples, sums)),
        margins=margin_report(samples),
        calibration=calibration_report(samples) if has_labels else None,
        lengths=length_report(samples, sums),
        ranks=rank_confusion(samples),
        remarks=tuple(remarks),
        **about,
    )


def _are_pairs(samples: Samples) -> bool:
    total = len(samples.documents)
    of_each = np.bincount(samples.pairs.document, minlength=total)
    answers = np.bincount(samples.completions.document, minlength=total)
    return bool((of_each == 1).all() and (answers == 2).all())


def _without_samples(result: TaskResult) -> str:
    if result.samples_path is not None:
        return (
            f"{result.samples_path.name} contains no readable sample with a score, so the report "
            "shows only the metrics."
        )
    return (
        f"There are no samples of {result.task} next to the results, so the report shows only its "
        "metrics. Run lm_eval with --log_samples."
    )


def _remarks(result: TaskResult) -> list[str]:
    remarks = []
    if not result.figures:
        remarks.append(
            f"{result.task} has no metrics of lm-eval: the run was interrupted, or its results "
            "file is missing. The values below are computed from its samples."
        )
    if result.parts:
        parts = ", ".join(f"{name} {value}" for name, value in result.parts.items())
        remarks.append(f"Partial run: only a subset of the data was evaluated ({parts}).")
    return remarks


def _disagreeing(result: TaskResult, samples: Samples) -> list[str]:
    """Remarks where the samples are not those that the metrics were computed from."""
    found = []
    expected = result.documents
    total = len(samples.documents) + samples.counts.get("documents_without_score", 0)
    if expected is not None and total != expected:
        found.append(
            f"The results cover {expected} documents and the samples {total}: the samples file is "
            "incomplete, and values computed from it differ from lm-eval's metrics."
        )
    return found

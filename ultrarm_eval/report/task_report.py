"""What a report says about a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

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
    """What is known of a task.

    Attributes:
        title: What the report calls it.
        task: The task's name.
        kind: What its pairs are, see `ultrarm_eval.runs.sample`; None without pairs.
        main: The figure to quote; None where an interrupted run has none.
        figures: All figures.
        data: The data it was made of, and its digest.
        settings: The rules of the comparison.
        counts: What was used and what was left out, and why.
        in_sample: Whether the judge was trained on these data.
        partial: What made the run see a part of the data alone.
        overall: Accuracy over the documents, from the samples.
        pooled: The same over all pairs.
        slices: Accuracy by parts.
        margins: How the margins are spread.
        calibration: Whether they mean what they say.
        lengths: What length explains.
        ranks: Rank by rating against rank by reward.
        remarks: What is missing or was left out.
        are_pairs: Whether every document is two answers and the pair that they are.
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
        """What the values of its documents are."""
        return self._value_names[1]

    @property
    def headline(self) -> Figure | None:
        """The figure to quote; None where there is none."""
        if self.overall is not None and (self.main is None or self.kind == REFERENCE):
            return self.figure_of(self.overall)
        if self.main is None or self.overall is None:
            return self.main
        # That of the samples knows which documents share a prompt.
        is_same = self.main.equals(self.overall.accuracy)
        return replace(self.main, interval=self.overall.interval) if is_same else self.main

    def figure_of(self, part: Slice) -> Figure:
        """The figure of a part of the task."""
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
        """The metric of its documents' values, and what the report calls it."""
        if self.kind == REFERENCE:
            return "win_rate", "win rate"
        if self.kind is not None or self.main is None:
            return MAIN_METRIC, "accuracy"
        return self.main.metric, self.main.metric

    @property
    def shown_slices(self) -> tuple[Slice, ...]:
        """The parts that are large enough for a row."""
        return tuple(one for one in self.slices if one.documents >= FEWEST_PROMPTS)

    @property
    def small_slices_note(self) -> str:
        """How many parts are too small for a row; empty where there is none."""
        count = len(self.slices) - len(self.shown_slices)
        if not count:
            return ""
        parts = "1 part is" if count == 1 else f"{count} parts are"
        return (
            f"{parts} left out, of fewer than {FEWEST_PROMPTS} documents: an interval would say "
            "next to nothing. JSON has them."
        )

    @property
    def pooled_apart(self) -> Slice | None:
        """The accuracy over all pairs, unless it is that over the documents by definition."""
        return None if self.are_pairs else self.pooled


def report_task(title: str, result: TaskResult, samples: Samples | None) -> TaskReport:
    """Reports on a task.

    Args:
        title: What the report calls it.
        result: The harness's figures.
        samples: Its samples, if they are there.
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
            f"{result.samples_path.name} holds no sample that can be read and has a score, so "
            "there is nothing to say beyond the figures."
        )
    return (
        f"There are no samples of {result.task} beside the results, so there is nothing to say "
        "beyond its figures. Run lm_eval with --log_samples."
    )


def _remarks(result: TaskResult) -> list[str]:
    remarks = []
    if not result.figures:
        remarks.append(
            f"{result.task} has no figures of the harness: the run was interrupted, or its results "
            "file is missing. What follows is from its samples."
        )
    if result.parts:
        parts = ", ".join(f"{name} {value}" for name, value in result.parts.items())
        remarks.append(f"This is a part of the data only ({parts}).")
    return remarks


def _disagreeing(result: TaskResult, samples: Samples) -> list[str]:
    """Says so where the samples are not those that the figures were made of."""
    found = []
    expected = result.documents
    total = len(samples.documents) + samples.counts.get("documents_without_score", 0)
    if expected is not None and total != expected:
        found.append(
            f"The results are of {expected} documents and the samples of {total}: the file of "
            "samples is incomplete, and figures from it differ from the harness's."
        )
    return found

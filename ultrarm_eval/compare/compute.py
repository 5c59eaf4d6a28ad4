"""Compares runs: every two of them on every group and task that both have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path

from ultrarm_eval.compare.agreement import judges_agreement
from ultrarm_eval.compare.cautions import (
    Cautions,
    SettingDifference,
    caution_about_pairs,
    caution_about_same_run,
    caution_about_settings,
    caution_about_side,
    setting_differences,
)
from ultrarm_eval.compare.comparison import (
    AgreementRow,
    ComparedRun,
    Comparison,
    NotShared,
    Row,
    Unmatched,
)
from ultrarm_eval.compare.groups import group_part, group_side, shared_groups
from ultrarm_eval.compare.parts import (
    Part,
    Side,
    have_same_measure,
    paired_parts,
    unpaired_part,
)
from ultrarm_eval.compare.statements import corrected
from ultrarm_eval.errors import DataError
from ultrarm_eval.runs.evaluation import Evaluation, labelled, read_evaluations
from ultrarm_eval.runs.identity import task_settings
from ultrarm_eval.runs.matching import MatchedDocuments, match_documents
from ultrarm_eval.runs.same_documents import document_digests
from ultrarm_eval.runs.samples import Indices, Samples
from ultrarm_eval.runs.samples_file import read_samples
from ultrarm_eval.runs.shared_tasks import SharedTask, shared_tasks
from ultrarm_eval.runs.task_result import TaskResult
from ultrarm_eval.show.text import visible_name

# The most documents named that only one run has.
_NAMED = 5


def compare_runs(paths: Sequence[str | Path], *, by: Sequence[str] = ()) -> Comparison:
    """Reads runs and compares them.

    Args:
        paths: Results files and folders; each model, or judge with its settings, in one of them is
            a separate run.
        by: Also compares them on the subsets of each task (`parts.DIMENSIONS`).

    Raises:
        DataError: Something cannot be read, there are fewer than two runs, or no two share a task.
    """
    evaluations, said = read_compared(paths)
    return compare(evaluations, by=by, cautions=said)


def compare(
    evaluations: Sequence[Evaluation], *, by: Sequence[str] = (), cautions: Sequence[str] = ()
) -> Comparison:
    """Compares every two runs on every task that both have.

    Args:
        evaluations: The runs, with unique labels.
        by: Also compares them on the subsets of each task (`parts.DIMENSIONS`).
        cautions: Cautions found so far.

    Raises:
        DataError: There are fewer than two runs, or no two share a task.
    """
    if len(evaluations) < 2:
        raise DataError("Only one run was given; a comparison needs at least two.")
    # Matched by name: settings that differ are reported.
    tasks = shared_tasks(
        [(n, result) for n, one in enumerate(evaluations) for result in one.tasks.values()],
        by_name=True,
    )
    if not any(len(task.results) > 1 for task in tasks):
        raise _nothing_shared(evaluations)
    groups = shared_groups(evaluations)
    work = _Work(evaluations, groups)
    for caution in cautions:
        work.cautions.add(caution)
    for group in groups:
        work.add_set_aside(group)
        work.add_group(group)
    for task in tasks:
        work.add_set_aside(task)
        if len(task.results) > 1:
            work.add(task, by)
    return work.finished(tasks, by)


def read_compared(paths: Sequence[str | Path]) -> tuple[list[Evaluation], list[str]]:
    """Reads runs in the order given.

    Args:
        paths: Results files and folders; each model, or judge with its settings, in one of them is
            a separate run.

    Returns:
        The runs with unique labels, and cautions about them.

    Raises:
        DataError: Something cannot be read, or there are fewer than two runs.
    """
    found = [(path, read_evaluations(path)) for path in paths]
    evaluations = [evaluation for _, inside in found for evaluation in inside]
    if not evaluations:
        raise DataError("There is nothing to compare. Give results files or folders.")
    if len(evaluations) < 2:
        raise DataError(
            f"{paths[0]}: this contains only one run, {visible_name(evaluations[0].label)}; a "
            "comparison needs at least two. Give another results file or folder."
        )
    said = [
        f"{visible_name(Path(path).name or path)} contains results of {len(inside)} models or "
        "settings; each is compared as a separate run."
        for path, inside in found
        if len(inside) > 1
    ]
    return labelled(evaluations), said


class _Work:
    """Collects the results of a comparison, task by task."""

    def __init__(self, evaluations: Sequence[Evaluation], groups: Sequence[SharedTask]) -> None:
        self._evaluations = evaluations
        self._letters = letters(len(evaluations))
        self._labels = dict(
            zip(self._letters, (visible_name(e.label) for e in evaluations), strict=True)
        )
        self.cautions = Cautions()
        # Samples of tasks in a group are needed twice but read once.
        self._in_groups = {
            (member.run.path, member.key)
            for group in groups
            for result in group.results.values()
            for member in result.members
        }
        self._samples: dict[tuple[Path, str, str], Samples | None] = {}
        self._rows: list[Row] = []
        self._agreements: list[AgreementRow] = []
        self._unmatched: list[Unmatched] = []
        self._settings: list[SettingDifference] = []
        of_judges = {letter: e.settings for letter, e in self._named()}
        self._settings += setting_differences(None, of_judges)
        for letter, evaluation in self._named():
            for remark in evaluation.remarks:
                self.cautions.add(f"{letter}: {remark}")

    def add_set_aside(self, task: SharedTask) -> None:
        """Cautions about results of a task that are not used, as their run has a better one."""
        for place, result in task.set_aside:
            self.cautions.add(
                f"{self._letters[place]}: {result.run.path.name} is not used, because a newer or "
                "complete run covers the same documents.",
                task.title,
            )

    def add(self, task: SharedTask, by: Sequence[str]) -> None:
        """Compares the runs on a task."""
        sides = [
            Side(self._letters[place], result, self._observe(result))
            for place, result in sorted(task.results.items())
        ]
        evaluation_of = dict(self._named())
        for side in sides:
            caution_about_side(self.cautions, task.title, side, evaluation_of[side.letter])
        caution_about_settings(self.cautions, task.title, sides)
        self._settings += setting_differences(
            task.title, {s.letter: task_settings(s.result.run, s.result.key) for s in sides}
        )
        for a, b in combinations(sides, 2):
            caution_about_same_run(self.cautions, task.title, a, b)
            self._rows += [
                Row(task.title, a.letter, b.letter, part) for part in self._parts(task, a, b, by)
            ]

    def add_group(self, group: SharedTask) -> None:
        """Compares the runs on a group of tasks, every two of which one at least has its figure."""
        for first, second in combinations(range(len(self._evaluations)), 2):
            if first in group.results or second in group.results:
                a, b = (group_side(group, p, self._evaluations[p]) for p in (first, second))
                letters = self._letters[first], self._letters[second]
                part = group_part(group.title, letters, (a, b), self._observe, self.cautions)
                if part is not None:
                    self._rows.append(Row(group.title, *letters, part))

    def _observe(self, result: TaskResult, key: str | None = None) -> Samples | None:
        main = result.main_figure
        key = key or ("" if main is None else main.key)
        known = result.run.path, result.key, key
        if known in self._samples:
            return self._samples[known]
        found = read_samples(result, key)
        if (result.run.path, result.key) in self._in_groups:
            self._samples[known] = found
        return found

    def _parts(self, task: SharedTask, a: Side, b: Side, by: Sequence[str]) -> list[Part]:
        if a.observed is not None and b.observed is not None:
            matched = match_documents(a.observed, b.observed)
            self._add_unmatched(task.title, a.letter, b.letter, a.observed, b.observed, matched)
            if not len(matched):
                self.cautions.add(
                    f"{a.letter} and {b.letter} have no documents in common: their data or "
                    "settings differ, so nothing is compared.",
                    task.title,
                )
                return []
            agreement = judges_agreement(a.observed, b.observed, matched)
            if agreement is not None:
                self._agreements.append(AgreementRow(task.title, a.letter, b.letter, agreement))
            caution_about_pairs(self.cautions, task.title, a, b, matched)
            parts = paired_parts(a, b, matched, by) if have_same_measure(a, b) else []
            if parts:
                return parts
            self.cautions.add(
                f"{a.letter} and {b.letter} have no common document with values of the same "
                "metric.",
                task.title,
            )
        part = unpaired_part(a, b)
        if part is None:
            self.cautions.add(f"{a.letter} and {b.letter} have no metric in common.", task.title)
            return []
        digests = set(document_digests([a.result, b.result]))
        if len(digests) > 1 and None not in digests:
            self.cautions.add(
                f"{a.letter} and {b.letter} cover different documents, which may explain a "
                "difference.",
                task.title,
            )
        return [part]

    def _add_unmatched(
        self,
        title: str,
        a: str,
        b: str,
        of_a: Samples,
        of_b: Samples,
        matched: MatchedDocuments,
    ) -> None:
        if len(matched.only_a) or len(matched.only_b):
            self._unmatched.append(
                Unmatched(
                    title,
                    a,
                    b,
                    len(matched),
                    len(matched.only_a),
                    len(matched.only_b),
                    _first(of_a, matched.only_a),
                    _first(of_b, matched.only_b),
                )
            )

    def finished(self, tasks: Sequence[SharedTask], by: Sequence[str]) -> Comparison:
        """The comparison, its p-values corrected and its sentences made."""
        for dimension in by:
            if not any(row.part.dimension == dimension for row in self._rows):
                self.cautions.add(f"No task has subsets by {dimension}.")
        rows = corrected(self._rows, self._labels)
        total = len(self._evaluations)
        return Comparison(
            tuple(_compared_run(letter, e) for letter, e in self._named()),
            sum(row.adjusted_p is not None for row in rows),
            tuple(rows),
            tuple(self._agreements),
            tuple(self._unmatched),
            tuple(
                NotShared(task.title, tuple(self._letters[place] for place in sorted(task.results)))
                for task in tasks
                if len(task.results) < total
            ),
            tuple(self._settings),
            self.cautions.listed(),
        )

    def _named(self) -> Iterator[tuple[str, Evaluation]]:
        return zip(self._letters, self._evaluations, strict=True)


def _first(observed: Samples, numbers: Indices) -> tuple[str, ...]:
    names = map(str, observed.documents.number[numbers])
    # In numerical order, whatever the order of the samples.
    return tuple(sorted(names, key=lambda name: (len(name), name))[:_NAMED])


def _nothing_shared(evaluations: Sequence[Evaluation]) -> DataError:
    each = "; ".join(
        f"{visible_name(e.label)} has {', '.join(map(visible_name, e.tasks))}" for e in evaluations
    )
    return DataError(
        f"No two of the runs have a task in common: {each}. Give runs of the same task."
    )


def letters(count: int) -> list[str]:
    """Short names for runs: A to Z, then A2 to Z2, and so on."""
    return [
        f"{chr(ord('A') + number % 26)}{number // 26 + 1 if number >= 26 else ''}"
        for number in range(count)
    ]


def _compared_run(letter: str, evaluation: Evaluation) -> ComparedRun:
    """A run as it is listed in a comparison."""
    return ComparedRun(
        letter,
        evaluation.label,
        evaluation.model,
        {name: str(value) for name, value in evaluation.settings.items()},
        tuple(run.path.name for run in evaluation.runs),
    )

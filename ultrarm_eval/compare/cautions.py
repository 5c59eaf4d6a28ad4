"""What a reader of a comparison has to know before believing it."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ultrarm_eval.compare.parts import Side
from ultrarm_eval.runs.evaluation import Evaluation
from ultrarm_eval.runs.identity import OF_DATA, task_settings
from ultrarm_eval.runs.judge_identity import without_fingerprints
from ultrarm_eval.runs.matching import MatchedDocuments, match_pairs

_SLACK = 1e-6
# Of several tasks, as many are named.
_NAMED = 4


@dataclass(frozen=True)
class SettingDifference:
    """A setting in which runs differ.

    Attributes:
        task: The task it is of; None for a setting of the judge or model.
        name: The setting.
        values: Its value by the run's letter, as text; runs that do not say it are left out.
    """

    task: str | None
    name: str
    values: Mapping[str, str]


class Cautions:
    """Collects what is to be said, each thing once for all tasks that it is true of."""

    def __init__(self) -> None:
        self._said: dict[str, list[str]] = {}

    def add(self, message: str, task: str | None = None) -> None:
        """Says something about all or about one task."""
        tasks = self._said.setdefault(message, [])
        if task is not None and task not in tasks:
            tasks.append(task)

    def listed(self) -> tuple[str, ...]:
        """Everything that was said, what is about all first."""
        of_all = [message for message, tasks in self._said.items() if not tasks]
        of_tasks = [f"{some_of(t)}: {message}" for message, t in self._said.items() if t]
        return (*of_all, *of_tasks)


def setting_differences(
    task: str | None, settings: Mapping[str, Mapping[str, Any]]
) -> list[SettingDifference]:
    """The settings in which runs differ.

    Args:
        task: The task they are of; None for those of the judge or model.
        settings: The settings by the run's letter.
    """
    names = dict.fromkeys(name for of_run in settings.values() for name in of_run)
    differing = []
    for name in names:
        values = {letter: str(s[name]) for letter, s in settings.items() if name in s}
        if len(set(values.values())) > 1 or len(values) < len(settings):
            differing.append(SettingDifference(task, name, values))
    # A digest tells a reader nothing that another setting does not.
    told = without_fingerprints(one.name for one in differing)
    return [one for one in differing if one.name in told] if told else differing


def caution_about_settings(cautions: Cautions, task: str, sides: Sequence[Side]) -> None:
    """Says in which of a task's own settings runs differ, those of the data apart."""
    settings = {s.letter: task_settings(s.result.run, s.result.key) for s in sides}
    # Of a run of which the samples alone are left, the settings are not known.
    known = {letter: of_run for letter, of_run in settings.items() if of_run}
    # Where the same documents are compared, it does not matter what they were read from.
    told = [d for d in setting_differences(task, known) if d.name not in OF_DATA]
    if told:
        each = "; ".join(
            f"{d.name} is "
            + ", ".join(f"{d.values.get(letter, 'not given')} in {letter}" for letter in known)
            for d in told
        )
        cautions.add(
            f"The runs differ in the task's settings, and a difference may be theirs: {each}.", task
        )


def caution_about_side(cautions: Cautions, task: str, side: Side, evaluation: Evaluation) -> None:
    """Says what limits one run's part in a comparison."""
    letter, result, observed = side.letter, side.result, side.observed
    if result.parts:
        parts = ", ".join(f"{name} {value}" for name, value in result.parts.items())
        cautions.add(f"{letter} saw a part of the data alone ({parts}).", task)
    if result.in_sample:
        cautions.add(
            f"In-sample: the judge of {letter} was trained on these data, and its figure says "
            "nothing about other data.",
            task,
        )
    if observed is None:
        if result.samples_path is None:
            message = f"There are no samples of {letter}; lm_eval --log_samples writes them."
        else:
            message = (
                f"Nothing in the samples of {letter} can be used ({result.samples_path.name}): the "
                "file is empty, damaged or was edited."
            )
        cautions.add(message, task)
        return
    for remark in observed.remarks:
        cautions.add(f"{letter}: {remark}", task)
    without = observed.counts.get("documents_without_score", 0)
    if without:
        cautions.add(
            f"{letter} left documents without a score, {without} of them: the others alone are "
            "compared, which may be the easier ones.",
            task,
        )
    documents = observed.documents
    if all(map(operator.eq, documents.hash, map(str, documents.number))):
        cautions.add(
            f"The samples of {letter} have no hashes of documents: they are matched by the "
            "harness's number, which is right for the same data in the same order alone.",
            task,
        )


def caution_about_pairs(
    cautions: Cautions, task: str, a: Side, b: Side, matched: MatchedDocuments
) -> None:
    """Says what limits the comparison of two runs with samples."""
    if a.observed is None or b.observed is None:
        return
    pairs = match_pairs(a.observed, b.observed, matched)
    if pairs.only_a or pairs.only_b:
        cautions.add(
            f"In the same documents {a.letter} has {pairs.only_a} pairs that {b.letter} does not "
            f"have, and {b.letter} {pairs.only_b} that {a.letter} does not have; each run's figure "
            "is over its own.",
            task,
        )
    for side in (a, b):
        _caution_about_weights(cautions, task, side)


def caution_about_same_run(cautions: Cautions, task: str, a: Side, b: Side) -> None:
    """Says where two runs are one."""
    paths = [(s.result.run.path.resolve(), s.result.key) for s in (a, b)]
    if paths[0] == paths[1]:
        cautions.add(
            f"{a.letter} and {b.letter} are the same run ({a.result.run.path.name}): there can be "
            "no difference.",
            task,
        )


def _caution_about_weights(cautions: Cautions, task: str, side: Side) -> None:
    observed, main = side.observed, side.result.main_figure
    if observed is None or main is None or main.metric != side.measure[0]:
        return
    values = observed.documents.value.to_numpy()
    known = values[~np.isnan(values)]
    if len(known) != side.result.documents or observed.counts:
        return
    mean = float(known.mean())
    if abs(mean - main.value) > _SLACK * max(1.0, abs(main.value)):
        cautions.add(
            f"Here every document counts the same, which gives {side.letter} {mean:.4f}; the "
            f"figure in its results, {main.value:.4f}, is made otherwise.",
            task,
        )


def some_of(tasks: Sequence[str]) -> str:
    """Names of tasks; of many the first, and how many others there are."""
    if len(tasks) <= _NAMED:
        return ", ".join(tasks)
    return f"{', '.join(tasks[: _NAMED - 1])} and {len(tasks) - _NAMED + 1} others"

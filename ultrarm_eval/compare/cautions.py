"""Cautions of a comparison: what limits its conclusions."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ultrarm_eval.compare.parts import Side
from ultrarm_eval.data.counts import counted
from ultrarm_eval.runs.evaluation import Evaluation
from ultrarm_eval.runs.identity import OF_DATA, task_settings
from ultrarm_eval.runs.judge_identity import without_fingerprints
from ultrarm_eval.runs.matching import MatchedDocuments, match_pairs
from ultrarm_eval.show.formats import count

_SLACK = 1e-6
# The most tasks named in a caution.
_NAMED = 4


@dataclass(frozen=True)
class SettingDifference:
    """A setting in which runs differ.

    Attributes:
        task: The task it is of; None for a setting of the judge or model.
        name: The setting.
        values: Its value by the run's letter, as text, without runs that do not record it.
    """

    task: str | None
    name: str
    values: Mapping[str, str]


class Cautions:
    """Collects cautions, each once with all tasks that it applies to."""

    def __init__(self) -> None:
        self._said: dict[str, list[str]] = {}

    def add(self, message: str, task: str | None = None) -> None:
        """Adds a caution about everything or about one task."""
        tasks = self._said.setdefault(message, [])
        if task is not None and task not in tasks:
            tasks.append(task)

    def listed(self) -> tuple[str, ...]:
        """All cautions, those about everything first."""
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
    # A hash is only listed where no other setting shows the difference.
    told = without_fingerprints(one.name for one in differing)
    return [one for one in differing if one.name in told] if told else differing


def caution_about_settings(cautions: Cautions, task: str, sides: Sequence[Side]) -> None:
    """Adds in which of a task's own settings, except those of the data, the runs differ."""
    settings = {s.letter: task_settings(s.result.run, s.result.key) for s in sides}
    # The settings of a run that only has samples left are unknown.
    known = {letter: of_run for letter, of_run in settings.items() if of_run}
    # Documents are compared by content, so their source does not matter.
    told = [d for d in setting_differences(task, known) if d.name not in OF_DATA]
    if told:
        each = "; ".join(
            f"{d.name} is "
            + ", ".join(f"{d.values.get(letter, 'not given')} in {letter}" for letter in known)
            for d in told
        )
        cautions.add(
            f"The runs differ in the task's settings, which may explain a difference: {each}.", task
        )


def caution_about_side(cautions: Cautions, task: str, side: Side, evaluation: Evaluation) -> None:
    """Adds what limits one run of a comparison."""
    letter, result, observed = side.letter, side.result, side.observed
    if result.parts:
        parts = ", ".join(f"{name} {value}" for name, value in result.parts.items())
        cautions.add(f"{letter} is a partial run over a subset of the data ({parts}).", task)
    if result.in_sample:
        cautions.add(
            f"In-sample: the judge of {letter} was trained on these data, so its score does not "
            "measure performance on unseen data.",
            task,
        )
    if observed is None:
        if result.samples_path is None:
            message = f"{letter} has no samples; lm_eval --log_samples writes them."
        else:
            message = (
                f"No sample of {letter} is usable ({result.samples_path.name}): no document has a "
                "score, or the file is empty or damaged."
            )
        cautions.add(message, task)
        return
    for remark in observed.remarks:
        cautions.add(f"{letter}: {remark}", task)
    without = observed.counts.get("documents_without_score", 0)
    if without:
        cautions.add(
            f"{letter} has {counted(without, 'document')} without a score, excluded from the "
            "comparison. The remaining documents may be easier.",
            task,
        )
    documents = observed.documents
    if all(map(operator.eq, documents.hash, map(str, documents.number))):
        cautions.add(
            f"The samples of {letter} have no document hashes. Documents are matched by lm-eval's "
            "index, which is correct only for the same data in the same order.",
            task,
        )


def caution_about_pairs(
    cautions: Cautions, task: str, a: Side, b: Side, matched: MatchedDocuments
) -> None:
    """Adds what limits the comparison of two runs with samples."""
    if a.observed is None or b.observed is None:
        return
    pairs = match_pairs(a.observed, b.observed, matched)
    if pairs.only_a or pairs.only_b:
        cautions.add(
            f"In the matched documents {count(pairs.only_a)} pairs are only in {a.letter} and "
            f"{count(pairs.only_b)} only in {b.letter}; the value of each run is over its own "
            "pairs.",
            task,
        )
    for side in (a, b):
        _caution_about_weights(cautions, task, side)


def caution_about_same_run(cautions: Cautions, task: str, a: Side, b: Side) -> None:
    """Adds where two runs are the same."""
    paths = [(s.result.run.path.resolve(), s.result.key) for s in (a, b)]
    if paths[0] == paths[1]:
        cautions.add(
            f"{a.letter} and {b.letter} are the same run ({a.result.run.path.name}), so there is "
            "no difference to find.",
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
            f"The comparison weights all documents equally, which gives {mean:.4f} for "
            f"{side.letter}; the value in its results, {main.value:.4f}, is aggregated "
            "differently.",
            task,
        )


def some_of(tasks: Sequence[str]) -> str:
    """Names of tasks; the first ones of many, and how many others there are."""
    if len(tasks) <= _NAMED:
        return ", ".join(tasks)
    return f"{', '.join(tasks[: _NAMED - 1])} and {count(len(tasks) - _NAMED + 1)} others"

"""Rows on which a judge's ranking contradicts the ratings, from a run's samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.records import PromptRecord
from ultrarm_eval.documents.document import is_comparison
from ultrarm_eval.documents.prompt_counts import texts_digest
from ultrarm_eval.errors import DataError
from ultrarm_eval.io import json_lines
from ultrarm_eval.messages import well_formed
from ultrarm_eval.rules import ComparisonRules, checked_min_gap
from ultrarm_eval.runs.evaluation import read_evaluation
from ultrarm_eval.runs.sample import Sample, read_sample
from ultrarm_eval.runs.task_result import TaskResult
from ultrarm_eval.sources.preference_data import PreferenceData


@dataclass(frozen=True)
class Disagreement:
    """A row that a judge ranks incorrectly.

    Attributes:
        row: Its index in the data.
        task: The task of the sample.
        margin: The largest amount by which a rejected completion's reward exceeds a chosen one's.
        rewards: The reward of each completion of the row; None where there is none.
        rules: The run's preference and minimum gap.
    """

    row: int
    task: str
    margin: float
    rewards: tuple[float | None, ...]
    rules: ComparisonRules


@dataclass(frozen=True)
class Disagreements:
    """A run's samples compared with the ratings of some data.

    Attributes:
        judge: The judge's name in the run.
        found: The rows that the judge ranks incorrectly, the largest margin first.
        documents: How many of the data's rows have samples.
        unmatched: How many sampled documents are not a row of the data.
        damaged: How many lines of samples are unreadable.
    """

    judge: str
    found: tuple[Disagreement, ...]
    documents: int
    unmatched: int
    damaged: int


@dataclass
class _Sampled:
    """A document of a sample."""

    row: Any
    task: str
    preference: str | None
    rules: ComparisonRules
    margin: float
    rewards: tuple[float, ...]


@dataclass
class _Samples:
    """The documents of a run's samples by the hash of their texts."""

    by_digest: dict[bytes, list[_Sampled]] = field(default_factory=dict)
    damaged: int = 0


def find_disagreements(data: PreferenceData, results: str | Path) -> Disagreements:
    """Finds the rows on which a run's judge errs most.

    Args:
        data: The data.
        results: What lm_eval wrote with `--output_path` and `--log_samples`: a folder, or a results
            file with its samples next to it.

    Raises:
        DataError: There are no samples of these data, results of several judges, or nothing can be
            read.
    """
    evaluation = read_evaluation(results)
    samples = _Samples()
    for result in evaluation.tasks.values():
        _read_samples(result, samples)
    if not samples.by_digest:
        raise DataError(
            f"{results}: there are no samples of preference tasks here (tasks: "
            f"{', '.join(evaluation.tasks)}). Run lm_eval with --log_samples, and give the folder "
            "of --output_path."
        )
    total = sum(map(len, samples.by_digest.values()))
    found: dict[int, Disagreement] = {}
    rows = _matching_rows(data, samples)
    matched = set[int]()
    unmatched = 0
    for digest, of_texts in samples.by_digest.items():
        for sampled in of_texts:
            here = rows.get((sampled.preference, digest))
            if here is None:
                unmatched += 1
                continue
            row = sampled.row if sampled.row in here else next(iter(here))
            matched.add(row)
            if sampled.margin > 0 and (row not in found or sampled.margin > found[row].margin):
                rewards = _of_row(here[row], sampled.rewards)
                found[row] = Disagreement(row, sampled.task, sampled.margin, rewards, sampled.rules)
    if not matched:
        raise DataError(
            f"{results}: none of its {total:,} sampled documents is a row of {data.origin}. Give "
            "the data that the run read (configs[task].metadata.data_used in its results)."
        )
    worst = sorted(found.values(), key=lambda one: (-one.margin, one.row))
    return Disagreements(evaluation.label, tuple(worst), len(matched), unmatched, samples.damaged)


def _read_samples(result: TaskResult, samples: _Samples) -> None:
    path = result.samples_path
    if path is None:
        return
    for line in json_lines(path):
        try:
            content = line.parsed()
            document: Any = content.get("doc")
            if not is_comparison(document):
                continue
            judged = read_sample(content, result.metadata, f"{path}, line {line.number}")
        except DataError:
            samples.damaged += 1
            continue
        if judged is not None:
            sampled = _sampled(document, judged, result)
            samples.by_digest.setdefault(_digest(judged), []).append(sampled)


def _digest(judged: Sample) -> bytes:
    turns = [
        {name: well_formed(str(message.get(name))) for name in ("role", "content")}
        for message in judged.prompt
    ]
    return texts_digest(turns, map(well_formed, judged.completions))


def _sampled(document: Mapping[str, Any], judged: Sample, result: TaskResult) -> _Sampled:
    # A benchmark's item has no preference: its labels say which answers are correct.
    preference = str(document["preference"]) if "preference" in document else None
    gap = checked_min_gap(result.metadata.get("min_gap", 0))
    wrong = [judged.rewards[p.rejected] - judged.rewards[p.chosen] for p in judged.pairs]
    return _Sampled(
        document.get("row"),
        result.task,
        preference,
        ComparisonRules(preference, min_gap=gap),
        max((margin for margin in wrong if math.isfinite(margin)), default=-math.inf),
        tuple(judged.rewards),
    )


def _matching_rows(
    data: PreferenceData, samples: _Samples
) -> dict[tuple[str | None, bytes], dict[int, list[bool]]]:
    """For each preference and hash the rows with these texts, and which completions they are."""
    preferences = {one.preference for each in samples.by_digest.values() for one in each}
    found: dict[tuple[str | None, bytes], dict[int, list[bool]]] = {}
    for index, record in _records(data):
        for preference in preferences:
            by = preference or data.source.preferences[0]
            usable = [by not in completion.unusable_for for completion in record.completions]
            texts = (completion.text for completion in record.usable_by(by))
            digest = texts_digest(record.prompt, texts)
            if digest in samples.by_digest:
                found.setdefault((preference, digest), {})[index] = usable
    return found


def _records(data: PreferenceData) -> Iterator[tuple[int, PromptRecord]]:
    """The rows that are readable and not excluded."""
    for index in range(len(data.rows)):
        try:
            record = data.record(index, data.rows[index], DataCounts())
        except DataError:
            # A run on these data would have stopped there, so no sample is about it.
            continue
        if record is not None:
            yield index, record


def _of_row(usable: list[bool], rewards: tuple[float, ...]) -> tuple[float | None, ...]:
    """The rewards of a document's completions, for all completions of its row."""
    given = iter(rewards)
    return tuple(next(given) if is_usable else None for is_usable in usable)

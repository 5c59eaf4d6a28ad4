"""The samples of a task in columns: documents, pairs and completions, without their texts."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ultrarm_eval.errors import DataError
from ultrarm_eval.runs.columns import (
    CompletionColumns,
    DocumentColumns,
    Numbers,
    PairColumns,
)
from ultrarm_eval.runs.digest import documents_digest
from ultrarm_eval.runs.judged_document import (
    PREFERENCE,
    REFERENCE,
    JudgedDocument,
    read_sample,
)
from ultrarm_eval.runs.numbers import finite
from ultrarm_eval.runs.sample_lines import sample_lines
from ultrarm_eval.runs.sample_values import shown
from ultrarm_eval.runs.task_result import TaskResult


@dataclass(frozen=True)
class Observations:
    """The samples of a task.

    Attributes:
        result: The task's result.
        kind: What its pairs are, see `judged_document`; None for tasks without pairs.
        documents: The documents.
        pairs: The pairs of all documents.
        completions: The completions of all documents.
        digest: Identifies the documents, whatever their order, those without a score included; None
            where the samples have no hashes.
        counts: What was left out, by reason.
        remarks: The same in words.
    """

    result: TaskResult
    kind: str | None
    documents: DocumentColumns
    pairs: PairColumns
    completions: CompletionColumns
    digest: str | None
    counts: Mapping[str, int]
    remarks: tuple[str, ...] = field(default=())


def observe(result: TaskResult, key: str | None = None) -> Observations | None:
    """Reads the samples of a task once, line by line.

    Args:
        result: The task's result.
        key: Metric and filter of the documents' values; those of the main figure if None.

    Returns:
        The samples; None where there is no file of them or nothing in it.
    """
    path = result.samples_path
    if path is None:
        return None
    reading = _Reading(result, key)
    for line in sample_lines(path):
        reading.add(line.start, line.content, f"{path}, line {line.number}")
    return reading.finished()


class _Reading:
    """Grows the columns."""

    def __init__(self, result: TaskResult, key: str | None) -> None:
        main = result.main_figure
        key = key or ("" if main is None else main.key)
        self._result, self._metadata = result, result.metadata
        self._metric, _, self._filter = key.partition(",")
        self._filters = {key.partition(",")[2] for key in result.metrics}
        self._seen: Counter[str] = Counter()
        self._have_hashes = True
        self._prompts: dict[object, int] = {}
        self._kind: str | None = None
        self._counts: Counter[str] = Counter()
        self._errors: list[DataError] = []
        self._undefined: list[str] = []
        self._keys: list[tuple[str, int]] = []
        self._numbers: list[Any] = []
        self._starts, self._of_prompt = array("q"), array("q")
        self._values, self._prompt_lengths = array("d"), array("d")
        self._parts: dict[str, list[str]] = {}
        self._aspects: dict[str, array[float]] = {}
        self._evidence: list[Any] = []
        # Numbers of documents and completions are exact in double precision, too.
        self._pairs = [array("d") for _ in range(9)]
        self._completions = [array("d") for _ in range(4)]

    def add(self, start: int, content: dict[str, Any] | DataError, where: str) -> None:
        """Adds a line of the file."""
        try:
            if isinstance(content, DataError):
                raise content
            self._add(start, content, where)
        except DataError as error:
            self._counts["lines_damaged"] += 1
            self._errors.append(error)

    def _add(self, start: int, sample: dict[str, Any], where: str) -> None:
        # Without figures that name one, the first sample's: every filter has all documents.
        self._filter = self._filter or str(sample.get("filter", ""))
        if sample.get("filter", self._filter) != self._filter:
            is_text = isinstance(sample["filter"], str)
            if not is_text or (self._filters and sample["filter"] not in self._filters):
                raise DataError(
                    f"{where}: the filter {shown(sample['filter'])} is none of those of the "
                    "figures; the file is damaged or was edited."
                )
            return
        document = read_sample(sample, self._metadata, where)
        digest = str(sample.get("doc_hash", sample.get("doc_id")))
        self._have_hashes &= "doc_hash" in sample
        key = digest, self._seen[digest]
        # Before anything is left out: runs of several judges number equal documents alike.
        self._seen[digest] += 1
        value = _value(sample, self._metric)
        worth = [] if document is None else pair_credits(document, value)
        if document is not None and document.kind == REFERENCE:
            # Its main metric may be the reward, which has a value without a reference's, too.
            value = math.fsum(worth) / len(worth) if worth else None
        if document is not None and value is None and not document.pairs:
            self._counts["documents_without_score"] += 1
            return
        if value is None and self._is_undefined(sample, document):
            self._undefined.append(where)
        index = len(self._keys)
        self._keys.append(key)
        self._numbers.append(sample.get("doc_id"))
        self._starts.append(start)
        self._values.append(math.nan if value is None else value)
        prompt = None if document is None else document.prompt_key
        self._of_prompt.append(self._prompts.setdefault(prompt or key, len(self._prompts)))
        self._evidence.append(None if document is None else document.evidence)
        self._prompt_lengths.append(math.nan if document is None else document.prompt_length)
        self._add_parts(index, {} if document is None else document.parts)
        if document is not None:
            self._kind = document.kind
            self._add_aspects(index, document.aspects)
            self._add_pairs(index, document, worth)

    def _is_undefined(self, sample: Mapping[str, Any], document: JudgedDocument | None) -> bool:
        """Whether a sample lacks what it adds to the figure."""
        # What is composed of all documents has several numbers of each.
        if document is None or document.kind != PREFERENCE:
            return not isinstance(sample.get(self._metric or "acc"), list | tuple)
        return bool(document.pairs) and not isinstance(sample.get("acc"), list | tuple)

    def _add_parts(self, index: int, parts: Mapping[str, str]) -> None:
        for name in parts:
            self._parts.setdefault(name, [""] * index)
        for name, column in self._parts.items():
            column.append(parts.get(name, ""))

    def _add_aspects(self, index: int, aspects: Mapping[str, float | None]) -> None:
        for name, value in aspects.items():
            column = self._aspects.setdefault(name, array("d"))
            column.extend([math.nan] * (index - len(column)))
            column.append(math.nan if value is None else value)

    def _add_pairs(self, index: int, document: JudgedDocument, worth: Sequence[float]) -> None:
        lengths = [len(text) for text in document.completions]
        rewards, ratings = document.rewards, document.ratings
        for pair, credit in zip(document.pairs, worth, strict=True):
            first, second = rewards[pair.chosen], rewards[pair.rejected]
            row = (
                index,
                pair.chosen,
                pair.rejected,
                first,
                second,
                credit,
                ratings[pair.chosen] - ratings[pair.rejected],
                lengths[pair.chosen],
                lengths[pair.rejected],
            )
            for column, value in zip(self._pairs, row, strict=True):
                column.append(value)
        for reward, rating, length in zip(rewards, ratings, lengths, strict=True):
            if not math.isnan(reward):
                for column, value in zip(
                    self._completions, (index, reward, rating, length), strict=True
                ):
                    column.append(value)

    def finished(self) -> Observations | None:
        """The columns; None where there is no document."""
        if not self._keys:
            return None
        total = len(self._keys)
        for column in self._aspects.values():
            column.extend([math.nan] * (total - len(column)))
        remarks = []
        if self._errors:
            remarks.append(
                f"{len(self._errors)} lines of the samples are left out, the first of them: "
                f"{self._errors[0]}"
            )
        counts = dict(self._counts)
        # Where all lack it, the figure is no mean over documents.
        if self._undefined and len(self._undefined) < total:
            counts["documents_without_value"] = len(self._undefined)
            remarks.append(
                f"{len(self._undefined)} documents have no number of {self._metric or 'acc'} and "
                f"are left out of its mean, the first of them in {self._undefined[0]}."
            )
        return Observations(
            self._result,
            self._kind,
            DocumentColumns(
                self._keys,
                np.array(self._starts, np.int64),
                self._numbers,
                np.array(self._values, np.float64),
                np.array(self._of_prompt, np.int64),
                np.array(self._prompt_lengths, np.float64),
                self._parts,
                {name: np.array(column, np.float64) for name, column in self._aspects.items()},
                tuple(self._prompts),
                [] if all(one is None for one in self._evidence) else self._evidence,
            ),
            _pair_columns([np.array(column, np.float64) for column in self._pairs]),
            _completion_columns([np.array(column, np.float64) for column in self._completions]),
            self._digest(),
            counts,
            tuple(remarks),
        )

    def _digest(self) -> str | None:
        if not self._have_hashes:
            return None
        return documents_digest(
            (digest, occurrence)
            for digest, total in self._seen.items()
            for occurrence in range(total)
        )


def _pair_columns(columns: Sequence[Numbers]) -> PairColumns:
    numbers, measured = [column.astype(np.int64) for column in columns[:3]], columns[3:]
    return PairColumns(numbers[0], numbers[1], numbers[2], *measured)


def _completion_columns(columns: Sequence[Numbers]) -> CompletionColumns:
    return CompletionColumns(columns[0].astype(np.int64), *columns[1:])


def pair_credits(document: JudgedDocument, value: float | None) -> list[float]:
    """What each pair of a document is worth.

    Args:
        document: The document.
        value: Its accuracy by its task: a benchmark's rule for equal rewards may be its own.
    """
    if len(document.pairs) == 1 and value is not None and document.kind == PREFERENCE:
        return [value]
    rewards = document.rewards
    return [
        document.tie_credit
        if rewards[pair.chosen] == rewards[pair.rejected]
        else float(rewards[pair.chosen] > rewards[pair.rejected])
        for pair in document.pairs
    ]


def _value(sample: Mapping[str, Any], metric: str) -> float | None:
    value = sample.get(metric or "acc")
    # Some tasks of the harness give truth values.
    return float(value) if isinstance(value, bool) else finite(value, spelled=False)

"""Reads a task's samples file: once, line by line, into tables, and single documents again."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ultrarm_eval.errors import DataError
from ultrarm_eval.io import JsonLine, json_lines, parse_json
from ultrarm_eval.runs.digest import document_digest, documents_digest
from ultrarm_eval.runs.numbers import finite
from ultrarm_eval.runs.sample import PREFERENCE, REFERENCE, Sample, read_sample, shown
from ultrarm_eval.runs.sample_values import is_list
from ultrarm_eval.runs.samples import Indices, Numbers, Samples
from ultrarm_eval.runs.task_result import TaskResult

_DAMAGED = "The file is damaged or was edited."


def read_samples(
    result: TaskResult, key: str | None = None, *, by_content: bool = True
) -> Samples | None:
    """Reads the samples of a task once, line by line.

    Args:
        result: The task's result.
        key: Metric and filter of the documents' values; those of the main metric if None.
        by_content: Whether documents are identified by the hash of their content, as matching them
            with those of another file needs. Otherwise it is lm-eval's, which is in the file.

    Returns:
        The samples; None where there is no samples file or it is empty.
    """
    path = result.samples_path
    if path is None:
        return None
    reading = _Reading(result, key, by_content=by_content)
    for line in json_lines(path):
        reading.add(line)
    return reading.finished()


def sample_at(samples: Samples, document: int) -> Sample:
    """Reads a document of the table again, with its texts.

    Raises:
        DataError: The file was changed since the table was made.
    """
    path = samples.result.samples_path
    if path is None:
        raise DataError(f"The samples of {samples.result.task} are no longer there.")
    start = int(samples.documents.start[document])
    where = f"{path}, byte {start}"
    with path.open("rb") as file:
        file.seek(start)
        content = parse_json(file.readline(), where, mend="The file was changed.")
    metadata = samples.result.metadata
    found = read_sample(content, metadata, where) if isinstance(content, dict) else None
    if found is None:
        raise DataError(f"{where}: the file was changed while it was read.")
    return found


class _Reading:
    """Builds the tables."""

    def __init__(self, result: TaskResult, key: str | None, *, by_content: bool) -> None:
        main = result.main_figure
        self._by_content = by_content
        key = key or ("" if main is None else main.key)
        self._result, self._metadata = result, result.metadata
        self._metric, _, self._filter = key.partition(",")
        self._filters = {key.partition(",")[2] for key in result.metrics}
        self._seen: Counter[str] = Counter()
        self._met: Counter[str] = Counter()
        self._have_hashes = True
        self._kind: str | None = None
        self._counts: Counter[str] = Counter()
        self._errors: list[DataError] = []
        self._undefined: list[str] = []
        self._hashes: list[str] = []
        self._numbers: list[Any] = []
        self._prompts: list[str] = []
        self._occurrences, self._starts = array("q"), array("q")
        self._values, self._prompt_lengths = array("d"), array("d")
        self._parts: list[Mapping[str, str]] = []
        self._aspects: list[Mapping[str, float | None]] = []
        self._evidence: list[Any] = []
        # Of all documents one after the other; how many are of each is in `_totals` and `_paired`.
        self._totals, self._paired = array("q"), array("q")
        self._rewards, self._ratings, self._lengths = array("d"), array("d"), array("d")
        self._chosen, self._rejected, self._credits = array("q"), array("q"), array("d")

    def add(self, line: JsonLine) -> None:
        """Adds a line of the file."""
        try:
            self._add(line.start, line.parsed(_DAMAGED), f"{line.path}, line {line.number}")
        except DataError as error:
            self._counts["lines_damaged"] += 1
            self._errors.append(error)

    def _add(self, start: int, content: dict[str, Any], where: str) -> None:
        # Without metrics that name a filter, the first sample's: every filter has all documents.
        self._filter = self._filter or str(content.get("filter", ""))
        if content.get("filter", self._filter) != self._filter:
            is_text = isinstance(content["filter"], str)
            if not is_text or (self._filters and content["filter"] not in self._filters):
                raise DataError(
                    f"{where}: the results have no metrics of the filter "
                    f"{shown(content['filter'])}. {_DAMAGED}"
                )
            return
        sample = read_sample(content, self._metadata, where)
        digest = str(content.get("doc_hash", content.get("doc_id")))
        self._have_hashes &= "doc_hash" in content
        self._seen[digest] += 1
        # Without a prompt the content decides which documents share one.
        is_needed = self._by_content or (sample is not None and not sample.prompt)
        is_hashed = is_needed and "doc_hash" in content
        content_hash = document_digest(content) if is_hashed else digest
        # Before anything is excluded, so that runs of different judges count occurrences alike.
        occurrence = self._met[content_hash]
        self._met[content_hash] += 1
        value = _value(content, self._metric)
        worth = [] if sample is None else pair_credits(sample, value)
        if sample is not None and sample.kind == REFERENCE:
            # The win rate's value: the main metric may be the reward, which needs no reference.
            value = math.fsum(worth) / len(worth) if worth else None
        if sample is not None and value is None and not sample.pairs:
            self._counts["documents_without_score"] += 1
            return
        if value is None and self._is_undefined(content, sample):
            self._undefined.append(where)
        prompt = None if sample is None else sample.prompt_key
        self._hashes.append(content_hash)
        self._occurrences.append(occurrence)
        self._numbers.append(content.get("doc_id"))
        self._starts.append(start)
        self._values.append(math.nan if value is None else value)
        # Unique for a document without a prompt: no key of a prompt contains a space.
        self._prompts.append(prompt or f"{content_hash} {occurrence}")
        self._prompt_lengths.append(math.nan if sample is None else sample.prompt_length)
        self._parts.append({} if sample is None else sample.parts)
        self._aspects.append({} if sample is None else sample.aspects)
        self._evidence.append(None if sample is None else sample.evidence)
        self._totals.append(0 if sample is None else len(sample.completions))
        self._paired.append(0 if sample is None else len(sample.pairs))
        if sample is not None:
            self._kind = sample.kind
            self._rewards.extend(sample.rewards)
            self._ratings.extend(sample.ratings)
            self._lengths.extend(map(len, sample.completions))
            self._chosen.extend([pair.chosen for pair in sample.pairs])
            self._rejected.extend([pair.rejected for pair in sample.pairs])
            self._credits.extend(worth)

    def _is_undefined(self, content: Mapping[str, Any], sample: Sample | None) -> bool:
        """Whether a sample lacks its contribution to the metric."""
        # Metrics that are pooled over documents have several numbers for each.
        if sample is None or sample.kind != PREFERENCE:
            return not is_list(content.get(self._metric or "acc"))
        return bool(sample.pairs) and not is_list(content.get("acc"))

    def finished(self) -> Samples | None:
        """The tables; None where there is no document."""
        if not self._hashes:
            return None
        prompts, prompt_keys = pd.factorize(np.array(self._prompts, object), sort=True)
        documents = pd.DataFrame(
            {
                # As objects, because texts of damaged files may have characters that UTF-8 cannot
                # encode.
                "hash": pd.Series(self._hashes, dtype=object),
                "occurrence": _integers(self._occurrences),
                "number": pd.Series(self._numbers, dtype=object),
                "start": _integers(self._starts),
                "value": _numbers(self._values),
                "prompt": prompts,
                "prompt_length": _numbers(self._prompt_lengths),
            }
        )
        counts, remarks = self._left_out()
        return Samples(
            self._result,
            self._kind,
            documents,
            pd.DataFrame(self._parts, dtype=object).fillna(""),
            pd.DataFrame(self._aspects).astype(np.float64),
            *self._tables(),
            list(prompt_keys),
            [] if all(one is None for one in self._evidence) else self._evidence,
            self._digest(),
            counts,
            remarks,
        )

    def _tables(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The pairs and the completions with a reward."""
        totals = _integers(self._totals)
        rewards, ratings = _numbers(self._rewards), _numbers(self._ratings)
        lengths = _numbers(self._lengths)
        document = np.repeat(np.arange(len(totals)), _integers(self._paired))
        chosen, rejected = _integers(self._chosen), _integers(self._rejected)
        # The first completion of each pair's document.
        first = (np.cumsum(totals) - totals)[document]
        sides = (first + chosen, first + rejected)
        own, other = (rewards[side] for side in sides)
        # Equal infinities have no difference of their own.
        with np.errstate(invalid="ignore"):
            margin = np.where(own != other, own - other, 0.0)
        pairs = {
            "document": document,
            "chosen": chosen,
            "rejected": rejected,
            "chosen_reward": own,
            "rejected_reward": other,
            "credit": _numbers(self._credits),
            "gap": ratings[sides[0]] - ratings[sides[1]],
            "chosen_length": lengths[sides[0]],
            "rejected_length": lengths[sides[1]],
            "margin": margin,
        }
        has_reward = ~np.isnan(rewards)
        completions = {
            "document": np.repeat(np.arange(len(totals)), totals)[has_reward],
            "reward": rewards[has_reward],
            "rating": ratings[has_reward],
            "length": lengths[has_reward],
        }
        return pd.DataFrame(pairs), pd.DataFrame(completions)

    def _left_out(self) -> tuple[dict[str, int], tuple[str, ...]]:
        """What was excluded, counted and in words."""
        counts, remarks = dict(self._counts), []
        if self._errors:
            count = len(self._errors)
            skipped = (
                "1 line of the samples was"
                if count == 1
                else f"{count:,} lines of the samples were"
            )
            remarks.append(f"{skipped} skipped, the first of them: {self._errors[0]}")
        # Where all lack it, the metric is not a mean over documents.
        if self._undefined and len(self._undefined) < len(self._hashes):
            count = counts["documents_without_value"] = len(self._undefined)
            excluded = "1 document without" if count == 1 else f"{count:,} documents without"
            remarks.append(
                f"{excluded} a value of {self._metric or 'acc'} excluded from its mean, the first "
                f"of them in {self._undefined[0]}."
            )
        return counts, tuple(remarks)

    def _digest(self) -> str | None:
        if not self._have_hashes:
            return None
        return documents_digest(
            (digest, occurrence)
            for digest, total in self._seen.items()
            for occurrence in range(total)
        )


def _numbers(values: array[float]) -> Numbers:
    return np.frombuffer(values, np.float64)


def _integers(values: array[int]) -> Indices:
    return np.frombuffer(values, np.int64)


def pair_credits(sample: Sample, value: float | None) -> list[float]:
    """The credit of each pair of a document.

    Args:
        sample: The document with its rewards.
        value: Its accuracy by its task: a benchmark's rule for equal rewards may be its own.
    """
    if len(sample.pairs) == 1 and value is not None and sample.kind == PREFERENCE:
        return [value]
    rewards = sample.rewards
    return [
        sample.tie_credit
        if rewards[pair.chosen] == rewards[pair.rejected]
        else float(rewards[pair.chosen] > rewards[pair.rejected])
        for pair in sample.pairs
    ]


def _value(content: Mapping[str, Any], metric: str) -> float | None:
    value = content.get(metric or "acc")
    # Some tasks of the harness give truth values.
    return float(value) if isinstance(value, bool) else finite(value, spelled=False)

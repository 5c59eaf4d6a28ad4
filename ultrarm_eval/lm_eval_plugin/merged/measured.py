"""Recomputes the metrics of sampled documents with the same code as a run."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from lm_eval.api.metrics import mean

from ultrarm_eval.benchmarks.measurement import (
    OWN_RULE,
    BenchmarkMeasurement,
    Measurement,
    PreferenceMeasurement,
)
from ultrarm_eval.documents.document import LABELLED, OPEN, RATED, Document
from ultrarm_eval.errors import DataError
from ultrarm_eval.lm_eval_plugin.abstentions import Abstentions, Aggregation, unscored_answers
from ultrarm_eval.lm_eval_plugin.comparison_figures import ComparisonFigures
from ultrarm_eval.lm_eval_plugin.generation_task import POOLED
from ultrarm_eval.lm_eval_plugin.merged.samples import MergedSamples
from ultrarm_eval.rules import ComparisonRules, checked_min_gap, checked_ties
from ultrarm_eval.runs.identity import mapping
from ultrarm_eval.runs.json_values import shown_json
from ultrarm_eval.runs.sample import suite_of
from ultrarm_eval.runs.sample_values import computed_value
from ultrarm_eval.runs.shards import TaskShards

# Written values are read back exactly; other versions may add in another order.
_SLACK = 1e-9


class Measured(Protocol):
    """How a task's samples become values, and how values are aggregated."""

    abstentions: Abstentions

    @abstractmethod
    def values(self, sample: Mapping[str, Any], where: str) -> dict[str, Any]:
        """The metrics of a sample's document, in the order in which a run writes them.

        Raises:
            DataError: The sample lacks required fields, or contradicts its rewards.
        """

    @abstractmethod
    def aggregations(self) -> Mapping[str, Aggregation]:
        """The aggregation of a metric's values, by metric."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """Facts known only after everything is aggregated, for the task's metadata."""


def measured(shards: TaskShards, samples: MergedSamples) -> Measured:
    """Returns how the samples of a task are measured.

    Raises:
        DataError: They lack required fields.
    """
    form = mapping(samples.first.get("doc")).get("format")
    if form in (RATED, LABELLED):
        return _Compared(shards, samples, str(form))
    metadata = shards.results[0].metadata
    if (form == OPEN or "judge_used" in metadata) and samples.first.get("metrics") != ["bypass"]:
        return _Judged()
    raise DataError(
        f"{shards.task}: its samples lack the fields from which its metrics are computed "
        f"(metrics: {shown_json(samples.first.get('metrics'))}). Only this package's preference "
        "and judged tasks can be merged. Leave this task out with --tasks."
    )


class _Compared:
    """Completions compared by a judge or a language model: recomputed from the rewards."""

    def __init__(self, shards: TaskShards, samples: MergedSamples, form: str) -> None:
        first = shards.results[0]
        self.abstentions = Abstentions()
        self._measurement = _measurement(shards, samples, form)
        self._figures = ComparisonFigures(self._measurement.metrics, self.abstentions)
        self._by_likelihood = first.run.config.get("judge") is None
        self._may_abstain = any("completions_without_score" in r.metadata for r in shards.results)
        self._unscored = self._documents_unscored = 0

    def values(self, sample: Mapping[str, Any], where: str) -> dict[str, Any]:
        """See `Measured.values`."""
        try:
            document = Document.from_json(sample["doc"])
            rewards = self._rewards(document, sample)
        except (DataError, KeyError, TypeError, ValueError, IndexError) as error:
            raise DataError(
                f"{where}: this is not a sample of its task ({type(error).__name__}: {error}). "
                "The file is damaged or was edited."
            ) from error
        found = (
            self._measurement.measure_likelihoods(document, rewards)
            if self._by_likelihood
            else self._measurement.measure(document, rewards)
        )
        self._unscored += unscored_answers([sample])
        self._documents_unscored += found is None
        values: dict[str, Any] = found or dict(self._measurement.without_rewards())
        for name in sample.get("metrics") or ():
            value = values.get(name)
            if name not in values or not _same(computed_value(sample.get(name), value), value):
                raise DataError(
                    f"{where}: {name} is {shown_json(sample.get(name))}, but its rewards give "
                    f"{shown_json(value)}. The file was edited, or another version of "
                    "ultrarm-eval wrote it: run its shard again with this version."
                )
        return values

    def _rewards(self, document: Document, sample: Mapping[str, Any]) -> dict[int, float]:
        asked = self._measurement.completions_to_score(document)
        answers = [float(response[0]) for response in sample["filtered_resps"]]
        said = sample.get("judged") or ()
        # A judge that may abstain has a judgement for each completion.
        if len(said) != len(answers):
            said = [{"reward": reward} for reward in answers]
        return {
            i: answer
            for i, answer, judged in zip(asked, answers, said, strict=True)
            if judged["reward"] is not None
        }

    def aggregations(self) -> Mapping[str, Aggregation]:
        """See `Measured.aggregations`."""
        return self._figures.aggregations(may_abstain=self._may_abstain)

    def facts(self) -> dict[str, Any]:
        """See `Measured.facts`."""
        found = self._figures.facts()
        if self._may_abstain:
            found["completions_without_score"] = self._unscored
            found["documents_without_score"] = self._documents_unscored
        return found


class _Judged:
    """Generated answers scored by a judge: the values are in the samples."""

    def __init__(self) -> None:
        self.abstentions = Abstentions()
        self._names: dict[str, None] = {}

    def values(self, sample: Mapping[str, Any], where: str) -> dict[str, Any]:
        """See `Measured.values`."""
        names = sample.get("metrics")
        if not isinstance(names, list) or any(name not in sample for name in names):
            raise DataError(
                f"{where}: this sample lacks its metrics. The file was edited; run its shard again."
            )
        self._names |= dict.fromkeys(map(str, names))
        return {str(name): sample[name] for name in names}

    def aggregations(self) -> Mapping[str, Aggregation]:
        """See `Measured.aggregations`; over all documents if no answer lacks a score."""
        return {
            name: self.abstentions.over_defined(name, POOLED.get(name, mean))
            for name in self._names
        }

    def facts(self) -> dict[str, Any]:
        """See `Measured.facts`."""
        return {}


def _measurement(shards: TaskShards, samples: MergedSamples, form: str) -> Measurement:
    first = shards.results[0]
    metadata = first.metadata
    if form == RATED:
        document = Document.from_json(samples.first["doc"])
        rules = ComparisonRules(
            str(metadata.get("preference")),
            checked_ties(metadata.get("ties")),
            checked_min_gap(metadata.get("min_gap")),
        )
        return PreferenceMeasurement(rules, document.aspects, samples.categories)
    suite = suite_of(metadata)
    if suite is None:
        raise DataError(
            f"{shards.task}: the benchmark {metadata.get('suite')!r} is not registered here, so "
            "its metrics cannot be computed. Install the package that provides it."
        )
    subset = mapping(first.config.get("dataset_kwargs")).get("subset")
    ties = metadata.get("ties")
    return BenchmarkMeasurement(suite, ties=None if ties == OWN_RULE else ties, subset=subset)


def _same(logged: Any, computed: Any) -> bool:
    if isinstance(computed, Sequence) and not isinstance(computed, str):
        return (
            isinstance(logged, Sequence)
            and len(logged) == len(computed)
            and all(map(_same, logged, computed))
        )
    if isinstance(computed, float | int) and isinstance(logged, float | int):
        if math.isnan(computed) or math.isnan(logged):
            return math.isnan(computed) and math.isnan(logged)
        return math.isclose(logged, computed, rel_tol=_SLACK, abs_tol=_SLACK)
    return bool(logged == computed)

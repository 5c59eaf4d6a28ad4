"""Documents whose completions a judge compares, with the metrics of its rewards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ultrarm_eval.benchmarks.benchmark import Benchmark, BenchmarkDocuments
from ultrarm_eval.benchmarks.measurement import (
    OWN_RULE,
    BenchmarkMeasurement,
    Measurement,
    PreferenceMeasurement,
)
from ultrarm_eval.data.rows import Shard
from ultrarm_eval.documents.base import Documents
from ultrarm_eval.documents.preference import PreferenceDocuments
from ultrarm_eval.rules import ComparisonRules
from ultrarm_eval.sources.preference_data import PreferenceData


class Comparison(Measurement):
    """Documents, and the metrics of a judge's rewards for their completions.

    Attributes:
        documents: The documents.
        facts: What the results record of the data and the rules.
    """

    documents: Documents
    facts: Mapping[str, Any]


class PreferenceComparison(PreferenceMeasurement, Comparison):
    """The documents of preference data, compared under rules."""

    def __init__(
        self,
        data: PreferenceData,
        rules: ComparisonRules,
        *,
        origin: str | None = None,
        shard: Shard | None = None,
        category: str | None = None,
    ) -> None:
        """Reads the data once.

        Args:
            data: The data.
            rules: How completions are compared.
            origin: Reads only the prompts of one collection, see `PreferenceDocuments`.
            shard: Reads only one shard of the rows.
            category: A column whose values each get an accuracy.

        Raises:
            UltrarmEvalError: See `PreferenceDocuments`; there are too many categories.
        """
        documents = PreferenceDocuments(data, rules, origin=origin, shard=shard, category=category)
        self.documents = documents
        self.facts = {
            "data_used": data.origin,
            "data_schema": data.source.name,
            "preference": documents.preference,
            "ties": rules.ties,
            "min_gap": float(rules.min_gap),
        }
        where = f"{data.origin}: the column {category!r} (category)"
        super().__init__(rules, data.source.aspects, documents.categories, where=where)


class BenchmarkComparison(BenchmarkMeasurement, Comparison):
    """A benchmark's items, or those of one subset of it."""

    def __init__(
        self,
        benchmark: Benchmark,
        documents: BenchmarkDocuments,
        *,
        origin: str,
        ties: str | None,
        subset: str | None = None,
    ) -> None:
        """Takes a benchmark's items.

        Args:
            benchmark: The benchmark.
            documents: Its items.
            origin: Where they are from.
            ties: The credit of equal rewards; None for the benchmark's own rule.
            subset: The subset of the task; None for the whole benchmark.
        """
        self.documents = documents
        self.facts = {
            "data_used": origin,
            "suite": benchmark.name,
            "ties": ties or OWN_RULE,
        }
        super().__init__(benchmark, ties=ties, subset=subset)

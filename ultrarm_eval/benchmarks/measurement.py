"""Metrics of a judge's rewards for the completions of a document.

Preference data (UltraFeedback and your own pairs) rate completions and are compared under rules
that a run chooses; a benchmark says which completions are correct and has its own rule.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ultrarm_eval.benchmarks.benchmark import Benchmark
from ultrarm_eval.benchmarks.figures import Figure, require_finite, tie_share, value_of
from ultrarm_eval.documents.document import Document
from ultrarm_eval.errors import DataError
from ultrarm_eval.metrics.over_prompts import (
    Metric,
    length_controlled_accuracy,
    pooled_accuracy,
)
from ultrarm_eval.metrics.within_prompt import (
    accuracy_of,
    compare,
    completions_to_score,
    prompt_metrics,
)
from ultrarm_eval.pairs import preference_pairs
from ultrarm_eval.rules import TIE_CREDITS, ComparisonRules

#: The accuracy, and the accuracy of a language model by log-likelihood per byte.
ACCURACY, PER_BYTE = "acc", "acc_norm"
#: The value of `ties` in results where the benchmark has its own rule.
OWN_RULE = "the benchmark's own rule"
_MOST_CATEGORIES = 200
# The harness joins a metric and its filter by a comma, and its WandbLogger a task and a metric by a
# slash; both take the names apart again.
_IN_NAMES = str.maketrans({",": ";", "/": "-"})


class Measurement(ABC):
    """The metrics of a judge's rewards for the completions of a document.

    Attributes:
        metrics: The metrics by name, in the order in which a document has their values.
    """

    metrics: Mapping[str, Metric]

    @abstractmethod
    def completions_to_score(self, document: Document) -> Sequence[int]:
        """The completions whose rewards are needed, by their index, ascending."""

    @abstractmethod
    def measure(
        self,
        document: Document,
        rewards: Mapping[int, float],
        per_byte: Mapping[int, float] | None = None,
    ) -> dict[str, Any] | None:
        """The metrics of a document.

        Args:
            document: The document.
            rewards: The reward of each completion that has one.
            per_byte: For a language model, the log-likelihood per byte.

        Returns:
            The values by metric; None where too few completions have a reward.

        Raises:
            ScoringError: A reward is not a number.
        """

    def measure_likelihoods(
        self, document: Document, likelihoods: Mapping[int, float]
    ) -> dict[str, Any] | None:
        """The metrics of a document by the log-likelihoods of a language model.

        Args:
            document: The document.
            likelihoods: The log-likelihood of each requested completion.
        """
        sizes = {i: len(document.completions[i].encode("utf-8")) for i in likelihoods}
        per_byte = {i: value / max(1, sizes[i]) for i, value in likelihoods.items()}
        return self.measure(document, likelihoods, per_byte)

    def without_rewards(self) -> dict[str, None]:
        """The values of a document with too few rewards: None for every metric."""
        return dict.fromkeys(name for name in self.metrics if name != PER_BYTE)


class PreferenceMeasurement(Measurement):
    """Completions with ratings, compared under rules."""

    def __init__(
        self,
        rules: ComparisonRules,
        aspects: Sequence[str],
        categories: Sequence[str],
        *,
        where: str = "category",
    ) -> None:
        """Names the metrics.

        Args:
            rules: How completions are compared.
            aspects: Ratings that each get an accuracy.
            categories: The categories that do, in the order of their first documents.
            where: Where the categories are from, for messages.

        Raises:
            DataError: There are too many categories.
        """
        self._rules = rules
        metrics = {
            ACCURACY: Metric(),
            "acc_pairs": Metric(pooled_accuracy),
            "tie_rate": Metric(higher_is_better=False),
            "margin": Metric(),
            "nll": Metric(higher_is_better=False),
            "best_of_n": Metric(),
            "kendall_tau": Metric(may_be_undefined=True),
            # A property of the data, and not of the judge.
            "acc_longest": Metric(pooled_accuracy, higher_is_better=None),
            "acc_length_controlled": Metric(length_controlled_accuracy),
            **{accuracy_of(one): Metric(may_be_undefined=True) for one in aspects},
            PER_BYTE: Metric(),
        }
        self._categories = _named(categories, metrics, where)
        by_category = dict.fromkeys(self._categories.values(), Metric(is_of_some=True))
        self.metrics = {**metrics, **by_category}

    def completions_to_score(self, document: Document) -> Sequence[int]:
        """The rated ones, and those that an aspect compares."""
        return completions_to_score(document, self._rules)

    def measure(
        self,
        document: Document,
        rewards: Mapping[int, float],
        per_byte: Mapping[int, float] | None = None,
    ) -> dict[str, Any] | None:
        """See `Measurement.measure`: one pair with both rewards is enough."""
        lacking = set(self.completions_to_score(document)) - rewards.keys()
        if lacking:
            document = document.without_ratings_of(lacking)
        pairs = preference_pairs(document.main_ratings, self._rules.min_gap)
        if not pairs:
            return None
        values = prompt_metrics(document, rewards, self._rules)
        if per_byte is not None:
            values[PER_BYTE] = compare(pairs, per_byte, self._rules.tie_credit).accuracy
        for category, name in self._categories.items():
            values[name] = values[ACCURACY] if category == document.category else None
        return values


class BenchmarkMeasurement(Measurement):
    """Correct and incorrect completions, scored as by the benchmark's authors."""

    def __init__(
        self, benchmark: Benchmark, *, ties: str | None, subset: str | None = None
    ) -> None:
        """Names the metrics.

        Args:
            benchmark: The benchmark.
            ties: The credit of equal rewards; None for the benchmark's own rule.
            subset: The subset of the task; None for the whole benchmark.
        """
        self._benchmark = benchmark
        self._tie = TIE_CREDITS.get(ties or "", 0.0)
        own = benchmark.subset_figures.get(subset or "")
        self._is_composed = own is not None
        accuracy = None if own is None else _value(own)
        self._figures = {} if subset else benchmark.figures
        self.metrics = {
            ACCURACY: Metric(accuracy),
            "tie_rate": Metric(higher_is_better=False),
            # The longest-answer baseline is not a metric of the judge.
            "acc_longest": Metric(accuracy, higher_is_better=None),
            PER_BYTE: Metric(accuracy),
            **{name: Metric(_value(figure)) for name, figure in self._figures.items()},
        }

    def completions_to_score(self, document: Document) -> Sequence[int]:
        """All of them."""
        return range(len(document.completions))

    def measure(
        self,
        document: Document,
        rewards: Mapping[int, float],
        per_byte: Mapping[int, float] | None = None,
    ) -> dict[str, Any] | None:
        """See `Measurement.measure`: every completion needs its reward."""
        if len(rewards) < len(document.completions):
            return None
        given = _in_order(rewards)
        require_finite(given)
        values = {
            ACCURACY: self._accuracy(document, given),
            "tie_rate": tie_share(given, document.correct or 0),
            "acc_longest": self._accuracy(document, [float(n) for n in document.lengths]),
        }
        if per_byte is not None:
            values[PER_BYTE] = self._accuracy(document, _in_order(per_byte))
        return {**values, **dict.fromkeys(self._figures, self._evidence(document, given))}

    def _accuracy(self, document: Document, rewards: Sequence[float]) -> Any:
        if self._is_composed:
            return self._evidence(document, rewards)
        return self._benchmark.credit(document, rewards, self._tie)

    def _evidence(self, document: Document, rewards: Sequence[float]) -> Any:
        credit = self._benchmark.credit(document, rewards, self._tie)
        return self._benchmark.evidence(document, rewards, credit)


def _value(figure: Figure) -> Callable[[Sequence[Any]], float | None]:
    return lambda evidence: value_of(figure(evidence))


def _in_order(rewards: Mapping[int, float]) -> list[float]:
    return [rewards[i] for i in range(len(rewards))]


def _named(categories: Sequence[str], metrics: Mapping[str, Metric], what: str) -> dict[str, str]:
    """The name of each category's accuracy, unique among the metrics."""
    if len(categories) > _MOST_CATEGORIES:
        raise DataError(
            f"{what} has {len(categories):,} values; each category gets a row, so at most "
            f"{_MOST_CATEGORIES} are allowed. Name a column with fewer."
        )
    names: dict[str, str] = {}
    taken = set(metrics)
    # Sorted, so that which of two categories keeps a shared name does not depend on their order.
    for category in sorted(categories, key=lambda one: (_in_name(one) != one, one)):
        name = f"acc_{_in_name(category)}"
        while name in taken:
            name = name.replace("acc_", "acc_category_", 1)
        taken.add(name)
        names[category] = name
    return {category: names[category] for category in categories}


def _in_name(category: str) -> str:
    """A category as part of a metric's name; the harness uses the suffix `_stderr` itself."""
    return category.translate(_IN_NAMES).replace("_stderr", "-stderr") or "empty"

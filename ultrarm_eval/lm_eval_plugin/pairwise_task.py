"""Preference tasks for the harness: documents in, rewards or log-likelihoods back, metrics out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ultrarm_eval.demo import DEMO_NAME
from ultrarm_eval.documents.document import ratings_of, without_ratings_of
from ultrarm_eval.documents.prompt_documents import PromptDocuments
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.lm_eval_plugin.abstentions import unscored_answers
from ultrarm_eval.lm_eval_plugin.aggregations import Aggregations, directions
from ultrarm_eval.lm_eval_plugin.compared_task import ComparedTask
from ultrarm_eval.lm_eval_plugin.metadata import TaskOptions, read_options
from ultrarm_eval.lm_eval_plugin.reward import Reward, is_unscored
from ultrarm_eval.metrics.of_prompt import (
    accuracy_of,
    completions_to_score,
    metric_names,
    prompt_metrics,
)
from ultrarm_eval.metrics.pairwise import compare
from ultrarm_eval.pairs import preference_pairs
from ultrarm_eval.plugins import registry
from ultrarm_eval.sources.preference_data import PreferenceData, open_hub, open_named_or_local

logger = logging.getLogger(__name__)

_ACCURACY_PER_BYTE = "acc_norm"


class PairwiseTask(ComparedTask):
    """Compares the completions of each prompt by a judge's rewards or a model's likelihoods.

    A document is a prompt with all its completions; each completion that is compared is one
    request, however many pairs and metrics it occurs in.
    """

    #: Whether `data` may name a data set of the hub, which has revisions.
    data_may_be_on_hub = False

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        """Loads the data.

        Args:
            config: The task's YAML, with the run's metadata merged in.

        Raises:
            UltrarmEvalError: The metadata or the data cannot be used.
        """
        self._by_likelihood = False
        self._options = TaskOptions()
        self._aspects: tuple[str, ...] = ()
        self._aggregations = Aggregations()
        super().__init__(config)

    def download(self, *args: Any, **kwargs: Any) -> None:
        """Opens the data, and counts what is used and what is left out, and why."""
        metadata = dict(self.config.metadata or {})
        on_hub = self.data_may_be_on_hub
        task = str(self.config.task)
        self._options = options = read_options(metadata, task, data_may_be_on_hub=on_hub)
        data = self.open_data(options)
        documents = PromptDocuments(
            data, options.rules, origin=self._wanted_source(), shard=options.shard
        )
        self._aspects = data.source.aspects
        counts = self.tell_counts(documents)
        self.config.metadata = {
            **options.of_task(metadata),
            "data_used": data.origin,
            "data_schema": data.source.name,
            "preference": documents.preference,
            "ties": options.rules.ties,
            "min_gap": float(options.rules.min_gap),
            "shard": None if options.shard is None else str(options.shard),
            "counts": counts,
        }
        self.dataset = {self.config.test_split: documents}

    def open_data(self, options: TaskOptions) -> PreferenceData:
        """Opens the data the run asks for; the task's own data set if it asks for none."""
        sources, split = registry().sources(), str(self.config.test_split)
        if options.data is not None:
            return open_named_or_local(options.data, split, sources)
        return open_hub(str(self.config.dataset_path), split, options.data_revision, sources)

    def _wanted_source(self) -> str | None:
        """The collection whose prompts alone are read, from the YAML's `dataset_kwargs`."""
        given = dict(self.config.dataset_kwargs or {})
        source = given.pop("source", None)
        if given:
            raise ConfigurationError(
                f"{self.config.task}: dataset_kwargs has {', '.join(map(repr, given))}; a "
                "preference task takes 'source' there, and nothing else."
            )
        return None if source is None else str(source)

    def doc_to_target(self, doc: Mapping[str, Any], *_: Any) -> int:
        """The first of the best rated completions."""
        ratings = ratings_of(doc)
        best = max(rating for rating in ratings if rating is not None)
        return ratings.index(best)

    def completions_asked(self, doc: Mapping[str, Any]) -> Sequence[int]:
        """The completions that a metric needs."""
        return completions_to_score(doc, self._options.rules)

    def process_results(
        self, doc: Mapping[str, Any], results: Sequence[tuple[float, bool]]
    ) -> dict[str, Any]:
        """The metrics of one prompt.

        Args:
            doc: The document.
            results: A `Reward`, or log-likelihood and greediness, for each completion that was
                asked for, in their order.
        """
        if "bypass" in self._metric_fn_list:
            return {"bypass": None}
        rules = self._options.rules
        asked = completions_to_score(doc, rules)
        unscored = {i for i, result in zip(asked, results, strict=True) if is_unscored(result[0])}
        if unscored:
            doc = without_ratings_of(doc, unscored)
            if not preference_pairs(ratings_of(doc), rules.min_gap):
                return dict.fromkeys(metric_names(self._aspects))
        scores = {
            i: float(result[0])
            for i, result in zip(asked, results, strict=True)
            if i not in unscored
        }
        metrics = prompt_metrics(doc, scores, rules)
        self._by_likelihood = not all(isinstance(result, Reward) for result in results)
        if self._by_likelihood:
            per_byte = {
                i: score / max(1, len(doc["completions"][i].encode("utf-8")))
                for i, score in scores.items()
            }
            pairs = preference_pairs(ratings_of(doc), rules.min_gap)
            metrics[_ACCURACY_PER_BYTE] = compare(pairs, per_byte, rules.tie_credit).accuracy
        return metrics

    def after_evaluation(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What is known once the metrics are aggregated, for the task's metadata in the results.

        Args:
            samples: The samples of all processes; none where they are not logged.

        Returns:
            Under `undefined` by metric in how many of the evaluated documents it was not defined;
            where the judge had no score for a completion, how many of them, and of documents
            without any pair, are left out of every metric.
        """
        undefined = {name: count for name, count in self._aggregations.undefined.items() if count}
        found = {**super().after_evaluation(samples), "undefined": undefined}
        if self.judge_may_abstain and samples:
            found["completions_without_score"] = unscored_answers(samples)
            found["documents_without_score"] = sum(s.get("acc", 0) is None for s in samples)
        return found

    def aggregation(self) -> dict[str, Callable[[Sequence[Any]], Any]]:
        """How a metric's values become one: the mean over prompts, or pooled over pairs."""
        if "bypass" in self._metric_fn_list:
            return dict(self._aggregation_list)
        undefinable = self._undefinable()
        by_metric = self._aggregations.by_metric(undefinable)
        if not self.judge_may_abstain:
            return by_metric
        return self.abstentions.over_defined(by_metric, left_alone=undefinable)

    def higher_is_better(self) -> dict[str, bool]:
        """Which way each metric gets better."""
        if "bypass" in self._metric_fn_list:
            return dict(self._higher_is_better)
        names = self._aggregations.by_metric(self._undefinable())
        return directions([n for n in names if n != _ACCURACY_PER_BYTE or self._by_likelihood])

    def _undefinable(self) -> list[str]:
        return ["kendall_tau", *map(accuracy_of, self._aspects)]


class DemoTask(PairwiseTask):
    """A preference task on the bundled data, whatever data the run's other tasks read."""

    def open_data(self, options: TaskOptions) -> PreferenceData:
        """Opens the bundled data."""
        if options.data not in (None, DEMO_NAME) and options.named_as == self.config.task:
            raise ConfigurationError(
                f"--metadata data names {options.data!r} for {self.config.task}, which always "
                "reads the bundled demo data. Leave it out."
            )
        if options.data not in (None, DEMO_NAME) or options.data_revision is not None:
            logger.info("%s always reads the bundled demo data.", self.config.task)
        return open_named_or_local(DEMO_NAME, str(self.config.test_split), registry().sources())

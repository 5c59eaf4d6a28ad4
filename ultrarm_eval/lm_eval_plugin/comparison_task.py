"""The task in which a judge, or a language model, compares a document's completions.

What is compared, and how it is scored, is a `Comparison`: preference data under the run's rules, or
the benchmark that the task's YAML names (`dataset_kwargs: {suite: NAME}`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lm_eval.api.instance import Instance

from ultrarm_eval.benchmarks.comparison import Comparison, PreferenceComparison
from ultrarm_eval.benchmarks.measurement import ACCURACY, PER_BYTE
from ultrarm_eval.demo import DEMO_NAME
from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.judges.base import may_abstain
from ultrarm_eval.lm_eval_plugin.abstentions import unscored_answers
from ultrarm_eval.lm_eval_plugin.base_task import ConversationTask
from ultrarm_eval.lm_eval_plugin.benchmark_data import open_benchmark
from ultrarm_eval.lm_eval_plugin.comparison_figures import ComparisonFigures
from ultrarm_eval.lm_eval_plugin.document_json import DocumentsJson, document_of
from ultrarm_eval.lm_eval_plugin.document_values import uncompensated
from ultrarm_eval.lm_eval_plugin.harness_task import whose_request
from ultrarm_eval.lm_eval_plugin.harness_values import Reward, is_unscored
from ultrarm_eval.lm_eval_plugin.metadata import TaskOptions, read_options
from ultrarm_eval.lm_eval_plugin.metadata_keys import CATEGORY, SPLIT
from ultrarm_eval.lm_eval_plugin.protocols import judge_of
from ultrarm_eval.lm_eval_plugin.requests import ConversationRequest, as_context
from ultrarm_eval.lm_eval_plugin.task_names import known_names
from ultrarm_eval.plugins import registry
from ultrarm_eval.sources.preference_data import (
    PreferenceData,
    open_any,
    open_hub,
    open_named_or_local,
)

__all__ = ["ComparisonTask", "DemoTask", "PreferencePairsTask"]

logger = logging.getLogger(__name__)

#: The separator between prompt and answer for a language model without a chat template.
ANSWER_DELIMITER = "\n\n"


class ComparisonTask(ConversationTask):
    """Requests the reward, or the log-likelihood, of each completion that is compared.

    A document is a prompt with all its completions. Each completion is one request, however many
    pairs and metrics use it.
    """

    is_pairwise = True
    #: Set if a judge answers: its requests then contain the complete conversation, from which the
    #: keys of a response cache are made, instead of a text that two conversations could share.
    asks_judge = False
    #: Whether that judge may abstain from scoring a completion.
    judge_may_abstain = False
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
        super().__init__(config)

    def download(self, *args: Any, **kwargs: Any) -> None:
        """Opens the data, and counts what is used and what is excluded, and why."""
        metadata, task = dict(self.config.metadata or {}), str(self.config.task)
        options = read_options(
            metadata,
            task,
            data_may_be_on_hub=self.data_may_be_on_hub,
            folders=self.task_folders,
        )
        self._comparison = self.open_comparison(options, metadata)
        self._figures = ComparisonFigures(self._comparison.metrics, self.abstentions)
        documents = self._comparison.documents
        counts = self.tell_counts(documents)
        self.config.metadata = {
            **options.of_task(metadata),
            **self._comparison.facts,
            **documents.part_facts(),
            "counts": counts,
        }
        self.dataset = {self.config.test_split: DocumentsJson(documents)}

    def open_comparison(self, options: TaskOptions, metadata: Mapping[str, Any]) -> Comparison:
        """Opens the data, and defines how completions are compared.

        Args:
            options: The run's options.
            metadata: The run's metadata.
        """
        given = dict(self.config.dataset_kwargs or {})
        if "suite" in given:
            tasks = frozenset(known_names(self.task_folders).tasks)
            return open_benchmark(self.config, options, metadata, tasks)
        source = given.pop("source", None)
        if given:
            raise ConfigurationError(
                f"{self.config.task}: dataset_kwargs has {', '.join(map(repr, given))}; a "
                "preference task allows only 'source'."
            )
        return PreferenceComparison(
            self.open_data(options, metadata),
            options.rules,
            origin=None if source is None else str(source),
            shard=options.shard,
            category=CATEGORY.read(metadata) if self.data_may_be_on_hub else None,
        )

    def open_data(self, options: TaskOptions, metadata: Mapping[str, Any]) -> PreferenceData:
        """Opens the run's preference data; the task's own data set if the run names none."""
        sources, split = registry().sources(), str(self.config.test_split)
        if options.data is not None:
            return open_named_or_local(options.data, split, sources)
        return open_hub(str(self.config.dataset_path), split, options.data_revision, sources)

    def before_requests(self, lm: Any, most: int | None) -> None:
        """Records whether a judge or a language model answers."""
        judge = judge_of(lm)
        self.asks_judge = judge is not None
        self.judge_may_abstain = judge is not None and may_abstain(judge.judge)

    def doc_to_target(self, doc: Mapping[str, Any], *_: Any) -> int:
        """The first of the best completions."""
        ratings = document_of(doc).main_ratings
        return ratings.index(max(rating for rating in ratings if rating is not None))

    def construct_requests(
        self,
        doc: Mapping[str, Any],
        ctx: str,
        *,
        doc_id: int | None = None,
        metadata: Any = None,
        apply_chat_template: bool = False,
        **_: Any,
    ) -> list[Instance]:
        """One request for each completion that a metric needs."""
        document, conversation = document_of(doc), self.conversation(doc)
        # Before 0.5 the metadata is the task's name, the document's number and the repeats.
        whose = whose_request(self, doc, metadata[1] if doc_id is None else doc_id)
        context = as_context(conversation) if self.asks_judge else ctx
        return [
            ConversationRequest(
                request_type="loglikelihood",
                doc=doc,
                arguments=(
                    context,
                    self._continuation(document.completions[i], chat=apply_chat_template),
                ),
                idx=i,
                conversation=conversation,
                **whose,
            )
            for i in self._comparison.completions_to_score(document)
        ]

    def _continuation(self, completion: str, *, chat: bool) -> str:
        # A language model needs at least one token to score, also after a chat template.
        bare = self.asks_judge or (chat and completion)
        return completion if bare else ANSWER_DELIMITER + completion

    def process_results(
        self, doc: Mapping[str, Any], results: Sequence[tuple[float, bool]]
    ) -> dict[str, Any]:
        """The metrics of one document.

        Args:
            doc: The document.
            results: A `Reward`, or log-likelihood and greediness, for each requested completion, in
                order.
        """
        if self.only_writes():
            return {"bypass": None}
        document = document_of(doc)
        asked = self._comparison.completions_to_score(document)
        rewards = {
            i: float(result[0])
            for i, result in zip(asked, results, strict=True)
            if not is_unscored(result[0])
        }
        self._by_likelihood = not all(isinstance(result, Reward) for result in results)
        of = self._comparison
        measured = (
            of.measure_likelihoods(document, rewards)
            if self._by_likelihood
            else of.measure(document, rewards)
        )
        # Every document has every metric, in one order: see `abstentions`.
        return uncompensated(measured or of.without_rewards())

    def averaged_metrics(self) -> Sequence[str]:
        """All metrics except those of a category, which another shard may not have."""
        metrics = self._comparison.metrics.items()
        return [name for name, one in metrics if one.figure is None and not one.is_of_some]

    def after_evaluation(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Facts known only after aggregation, for the task's metadata in the results.

        Args:
            samples: The samples of all processes; empty if samples are not logged.

        Returns:
            Under `undefined`, for metrics that may be undefined, the number of evaluated documents
            in which they were; and, if the judge abstained, how many completions, and documents
            with too few scored completions, are excluded from every metric.
        """
        found = super().after_evaluation(samples)
        found |= self._figures.facts()
        if self.judge_may_abstain and samples:
            found["completions_without_score"] = unscored_answers(samples)
            found["documents_without_score"] = sum(s.get(ACCURACY, 0) is None for s in samples)
        return found

    def aggregation(self) -> dict[str, Callable[[Sequence[Any]], Any]]:
        """How a metric's values are aggregated.

        The harness shows a standard error only for its own `mean`, which is right for metrics that
        every document has.
        """
        if self.only_writes():
            return dict(super().aggregation())
        return self._figures.aggregations(may_abstain=self.judge_may_abstain)

    def higher_is_better(self) -> dict[str, bool]:
        """Whether higher is better, for metrics with a direction."""
        if self.only_writes():
            return dict(super().higher_is_better())
        return {
            name: metric.higher_is_better
            for name, metric in self._comparison.metrics.items()
            if metric.higher_is_better is not None and (name != PER_BYTE or self._by_likelihood)
        }


class DemoTask(ComparisonTask):
    """The comparison on the bundled data, whatever data the run's other tasks read."""

    def open_data(self, options: TaskOptions, metadata: Mapping[str, Any]) -> PreferenceData:
        """Opens the bundled data."""
        if options.data not in (None, DEMO_NAME) and options.named_as == self.config.task:
            raise ConfigurationError(
                f"--metadata data: {self.config.task} always reads the bundled demo data, not "
                f"{options.data!r}. Leave this entry out."
            )
        if options.data not in (None, DEMO_NAME) or options.data_revision is not None:
            logger.info("%s always reads the bundled demo data.", self.config.task)
        return open_named_or_local(DEMO_NAME, str(self.config.test_split), registry().sources())


class PreferencePairsTask(ComparisonTask):
    """The comparison on any local file or hub data set that a pair source supports.

    In addition to a preference task's options it has `split` and `category`, the column whose
    values each get their own accuracy.
    """

    data_may_be_on_hub = True

    def open_data(self, options: TaskOptions, metadata: Mapping[str, Any]) -> PreferenceData:
        """Opens the run's data; this task has no data set of its own."""
        if options.data is None:
            raise ConfigurationError(
                f"{self.config.task} has no data of its own: name a file, a folder or a hub data "
                'set with prompt, chosen and rejected in --metadata \'{"data": "PATH"}\'.'
            )
        return open_any(
            options.data,
            SPLIT.read(metadata),
            options.data_revision,
            registry().sources(),
        )

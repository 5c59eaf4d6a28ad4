"""Tasks in which the evaluated model generates answers, and a judge scores them."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from lm_eval.api.filter import FilterEnsemble
from lm_eval.api.metrics import mean

from ultrarm_eval.documents.judged_prompts import (
    AlpacaEvalPrompts,
    PromptChoice,
    PromptSet,
    warn_of_training,
)
from ultrarm_eval.judges import DEFAULT_CHECKPOINT
from ultrarm_eval.judges.base import may_abstain
from ultrarm_eval.lm_eval_plugin.base_task import ConversationTask
from ultrarm_eval.lm_eval_plugin.document_json import DocumentsJson
from ultrarm_eval.lm_eval_plugin.document_values import uncompensated
from ultrarm_eval.lm_eval_plugin.harness_values import ScoredText
from ultrarm_eval.lm_eval_plugin.judge_report import judge_report
from ultrarm_eval.lm_eval_plugin.metadata import (
    JudgingOptions,
    read_judging,
    read_options,
)
from ultrarm_eval.lm_eval_plugin.reward_filters import TaskRewardFilter
from ultrarm_eval.lm_eval_plugin.run_metadata import own_metadata
from ultrarm_eval.lm_eval_plugin.sampling import (
    EqualAnswers,
    TokenCounter,
    checked_repeats,
    is_truncated,
    require_sampling,
    token_counter,
)
from ultrarm_eval.metrics.best_of_k import samples_metrics, sizes
from ultrarm_eval.metrics.win_rate import answer_metrics, length_controlled_win_rate

__all__ = ["JudgingTask", "AlpacaEvalTask", "BestOfNJudgingTask"]

logger = logging.getLogger(__name__)

_FILTER = "none"
# Metrics of the answers alone, whatever the judge says.
_OF_ANSWERS = ("response_length", "truncated", "empty")


class JudgingTask(ConversationTask):
    """The model answers each prompt once; the answer's reward is compared with a reference's."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        """Loads the data.

        Args:
            config: The task's YAML, with the run's metadata merged in.

        Raises:
            UltrarmEvalError: The metadata or the data cannot be used.
        """
        given = dict(config or {})
        self._judging = read_judging(own_metadata(given))
        self._equal = EqualAnswers()
        self._compares = True
        self._tokens: TokenCounter = token_counter(None)
        # Its answers are judged as they are.
        given.pop("filter_list", None)
        super().__init__({**given, **self._generation(given, self._judging)})
        self._filters = [FilterEnsemble(name=_FILTER, filters=[])]

    def _filter(self) -> TaskRewardFilter:
        return TaskRewardFilter(
            prompt="prompt",
            reference="reference" if self._compares else None,
            judge=self._judging.judge or DEFAULT_CHECKPOINT,
            judge_args=self._judging.judge_args,
        )

    def _generation(self, given: Mapping[str, Any], judging: JudgingOptions) -> dict[str, Any]:
        """The changes to the task's YAML that its options make."""
        if judging.n not in (None, 1):
            logger.info(
                "%s: n has no effect; it is for best-of-n tasks, and this task uses one answer "
                "per prompt.",
                given.get("task"),
            )
        return {"repeats": 1}

    def download(self, *args: Any, **kwargs: Any) -> None:
        """Opens the data, and counts what is used and what is excluded, and why."""
        metadata = dict(self.config.metadata or {})
        options = read_options(metadata, str(self.config.task), folders=self.task_folders)
        choice = PromptChoice(
            data=options.data,
            data_revision=options.data_revision,
            reference=self._judging.reference,
            preference=options.rules.preference,
            shard=options.shard,
        )
        found = self.prompt_set().read(choice, str(self.config.task))
        self._compares = found.compares
        counts = self.tell_counts(found.documents)
        self.config.metadata = {
            **options.of_task(metadata),
            "data_used": found.data.origin,
            "data_schema": found.data.source.name,
            "reference": found.reference,
            **found.documents.part_facts(),
            "counts": counts,
        }
        self.dataset = {self.config.test_split: DocumentsJson(found.documents)}

    def prompt_set(self) -> PromptSet:
        """The default prompts of the task, and what answers are compared with."""
        return PromptSet(str(self.config.dataset_path), str(self.config.test_split))

    def before_requests(self, lm: Any, most: int | None) -> None:
        """Checks the judge and the generation arguments before the model generates.

        Args:
            lm: The model.
            most: The largest number of documents used; None for all.
        """
        if self.has_answers_judged():
            self._filter().check(islice(iter(self.eval_docs), most), int(self.config.repeats))
        self._tokens = token_counter(lm)
        judge = self._judging.judge or DEFAULT_CHECKPOINT
        if judge in ((self.config.metadata or {}).get("in_sample_for") or ()):
            warn_of_training(judge, str(self.config.task))

    def has_answers_judged(self) -> bool:
        """True, unless the run only generates answers (`--predict_only`)."""
        return not self.only_writes()

    def doc_to_target(self, doc: Mapping[str, Any], *_: Any) -> str:
        """The reference; empty if there is none."""
        return "" if doc["reference"] is None else str(doc["reference"])

    def judge_answers(self, filter_name: str) -> None:
        """Judges all answers at once."""
        instances = self.instances
        answers, documents = [i.resps for i in instances], [i.doc for i in instances]
        for instance, scored in zip(
            instances, self._filter().judged(answers, documents), strict=True
        ):
            instance.filtered_resps[filter_name] = scored

    def process_results(
        self, doc: Mapping[str, Any], results: Sequence[ScoredText]
    ) -> dict[str, Any]:
        """The metrics of one prompt."""
        if self.only_writes():
            return {"bypass": None}
        answers, reference = results[0].answers, results[0].reference
        self._equal.look_at(answers)
        found = self._judged(answers, reference)
        # Every document has every metric, in one order: see `abstentions`.
        judged = {name: found.get(name) for name in self._judged_names()}
        return uncompensated({**judged, **self._lengths([str(answer) for answer in answers])})

    def _judged(
        self, answers: Sequence[ScoredText], reference: ScoredText | None
    ) -> dict[str, Any]:
        (answer,) = answers
        if reference is None:
            return {"reward": answer.reward}
        return answer_metrics(answer, answer.reward, reference, reference.reward)

    def _lengths(self, answers: Sequence[str]) -> dict[str, float]:
        limits = self.config.generation_kwargs or {}
        cut = [is_truncated(answer, self._tokens, limits) for answer in answers]
        known = [float(one) for one in cut if one is not None]
        return {
            "response_length": mean([float(len(answer)) for answer in answers]),
            **({"truncated": mean(known)} if known else {}),
            "empty": mean([float(not answer.strip()) for answer in answers]),
        }

    def averaged_metrics(self) -> Sequence[str]:
        """All metrics except those computed over all prompts together."""
        return (*self._means(), *_OF_ANSWERS)

    def after_evaluation(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The judge's settings and counts, for the task's metadata in the results.

        The counts are those of the process that writes the results.
        """
        if self.only_writes():
            return {}
        self._equal.report(str(self.config.task))
        found = super().after_evaluation(samples)
        return {**found, **judge_report(self._filter().judge, samples)}

    def aggregation(self) -> dict[str, Callable[[Sequence[Any]], Any]]:
        """How a metric's values are aggregated."""
        if self.only_writes():
            return dict(super().aggregation())
        by_metric = {**dict.fromkeys(self.averaged_metrics(), mean), **self._pooled()}
        if not may_abstain(self._filter().judge):
            return by_metric
        return {name: self.abstentions.over_defined(name, one) for name, one in by_metric.items()}

    def higher_is_better(self) -> dict[str, bool]:
        """Whether higher is better, for each metric; the length has no direction."""
        if self.only_writes():
            return dict(super().higher_is_better())
        better = dict.fromkeys(self._judged_names(), True)
        return {**better, **dict.fromkeys(("truncated", "empty"), False)}

    def _judged_names(self) -> tuple[str, ...]:
        return (*self._means(), *self._pooled())

    def _means(self) -> list[str]:
        return ["reward", "win_rate"] if self._compares else ["reward"]

    def _pooled(self) -> dict[str, Callable[[Sequence[Any]], Any]]:
        return dict(POOLED) if self._compares else {}


class BestOfNJudgingTask(JudgingTask):
    """The model answers each prompt n times, and the judge picks."""

    def prompt_set(self) -> PromptSet:
        """See `JudgingTask.prompt_set`."""
        return dataclasses.replace(super().prompt_set(), needs_reference=False)

    def _generation(self, given: Mapping[str, Any], judging: JudgingOptions) -> dict[str, Any]:
        return {"repeats": judging.n or int(given.get("repeats") or 1)}

    def set_repeats(self, repeats: int) -> None:
        """Sets the number of answers per prompt, which `n` sets too."""
        self.config.repeats = checked_repeats(self.config.task, repeats, self._judging.n)

    def before_requests(self, lm: Any, most: int | None) -> None:
        """See `JudgingTask.before_requests`."""
        super().before_requests(lm, most)
        require_sampling(self.config)

    def _judged(
        self, answers: Sequence[ScoredText], reference: ScoredText | None
    ) -> dict[str, Any]:
        rewards = [answer.reward for answer in answers]
        return dict(samples_metrics(rewards, None if reference is None else reference.reward))

    def _means(self) -> list[str]:
        at = sizes(int(self.config.repeats))
        names = ("reward", "win_rate") if self._compares else ("reward",)
        return [f"{name}@{k}" for name in names for k in at]

    def _pooled(self) -> dict[str, Callable[[Sequence[Any]], Any]]:
        return {}


class AlpacaEvalTask(JudgingTask):
    """AlpacaEval's prompts; by default those of the reference file."""

    def prompt_set(self) -> PromptSet:
        """See `JudgingTask.prompt_set`."""
        return AlpacaEvalPrompts(str(self.config.dataset_path), str(self.config.test_split))


def _length_controlled(values: Sequence[tuple[float, int]]) -> float:
    return length_controlled_win_rate([w for w, _ in values], [d for _, d in values])


#: Figures that are made of all prompts together; all others are means.
POOLED: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "win_rate_length_controlled": _length_controlled
}

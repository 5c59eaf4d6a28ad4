"""Filters in which a judge scores generated answers: `reward` and `best_of_n`."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lm_eval.api.filter import Filter

from ultrarm_eval.errors import (
    ConfigurationError,
    ScoringError,
    unknown_choice,
)
from ultrarm_eval.judges import DEFAULT_CHECKPOINT
from ultrarm_eval.judges.base import Judge, Judgement
from ultrarm_eval.judges.judged_answers import judge_answers
from ultrarm_eval.judges.judgements import check_texts
from ultrarm_eval.judges.kept_answers import answers_not_judged
from ultrarm_eval.judges.shared_judges import shared_judge
from ultrarm_eval.lm_eval_plugin.document_json import place_of
from ultrarm_eval.lm_eval_plugin.filter_prompt import prompt_writer, reference_writer
from ultrarm_eval.lm_eval_plugin.harness_features import tasks_have_scorers
from ultrarm_eval.lm_eval_plugin.harness_values import ScoredText

_SETTINGS = ("prompt", "judge", "judge_args", "reference", "n (best_of_n)")


class JudgingFilter(Filter):  # type: ignore[misc, unused-ignore]
    """Scores all responses of a task at once; the subclass decides what to return."""

    #: Whether an answer may stay without a score, for what counts it: a metric of the harness would
    #: make a number of it.
    keeps_unscored = False

    def __init__(
        self,
        prompt: str | None = None,
        judge: str = DEFAULT_CHECKPOINT,
        judge_args: Mapping[str, Any] | None = None,
        reference: str | None = None,
        followed: bool = False,
        repeats: int | None = None,
        **unknown: Any,
    ) -> None:
        """Takes the settings of the task's YAML.

        Args:
            prompt: A column's name or a Jinja template: a filter sees only documents and responses,
                not the model's context.
            judge: The judge's checkpoint: a folder, a hub id, or `demo`.
            judge_args: The judge's settings; `judge` is its registered name.
            reference: The reference answer, a column's name or a Jinja template; it is scored too,
                for the metric `win_rate`.
            followed: Whether other filters come after this one, which expect lists of responses;
                set by the bridge.
            repeats: The number of responses per document; set by the bridge, because the last
                document of a process has more responses if another process has more documents.
            **unknown: Refused.

        Raises:
            ConfigurationError: A setting is unknown or not allowed.
        """
        for name in unknown:
            raise unknown_choice("setting of a filter:", name, _SETTINGS)
        if judge_args is not None and not isinstance(judge_args, Mapping):
            raise ConfigurationError(
                f"Filter setting judge_args must be a mapping, not {judge_args!r}. Write "
                "judge_args: {NAME: VALUE}."
            )
        self._prompt = prompt_writer(prompt)
        self._reference = None if reference is None else reference_writer(reference)
        self._checkpoint, self._judge_args = str(judge), judge_args
        self._followed, self._repeats = followed, repeats

    @property
    def judge(self) -> Judge:
        """The judge."""
        return shared_judge(self._checkpoint, self._judge_args)

    def check(self, documents: Iterable[Mapping[str, Any]], repeats: int) -> None:
        """Checks the settings before the model generates anything.

        Args:
            documents: The documents of the task.
            repeats: The number of responses per document.

        Raises:
            UltrarmEvalError: A setting or the judge cannot be used.
        """
        prompts = []
        for index, document in enumerate(documents):
            place = f"Document {index}{place_of(document)}"
            prompts.append((self._prompt(document), "", place))
            if self._reference is not None and self._reference(document) is None:
                raise ConfigurationError(
                    f"Document {index} has no reference answer, which the filter setting "
                    "reference needs. Exclude such documents (process_docs)."
                )
        self.responses([""] * repeats)
        check_texts(shared_judge(self._checkpoint, self._judge_args), prompts)

    def apply(self, resps: Iterable[Any], docs: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Scores the responses, and the references if there are any.

        Args:
            resps: For each document its responses, or one response as a text.
            docs: The documents.

        Returns:
            For each document the result of `chosen` on its scored responses; in a list if another
            filter follows, and for the harness's scorers.
        """
        judged = self.judged(resps, docs)
        return [[one] for one in judged] if self._followed or tasks_have_scorers() else judged

    def judged(self, resps: Iterable[Any], docs: Sequence[Mapping[str, Any]]) -> list[ScoredText]:
        """Scores the responses, and the references if there are any, at once.

        Args:
            resps: For each document its responses, or one response as a text.
            docs: The documents.

        Returns:
            For each document the result of `chosen` on its scored responses.
        """
        answers = [self.responses(_texts(each)[: self._repeats]) for each in resps]
        prompts = list(map(self._prompt, docs))
        references = [self._reference(d) if self._reference else None for d in docs]
        try:
            found = judge_answers(self.judge, prompts, answers, references)
            self._require_scores([one for of_prompt in found for one in of_prompt])
        except Exception as error:
            # Whatever it was: hours of writing are not to be lost with it.
            failure = answers_not_judged(
                error, prompts, answers, references, self._checkpoint, self._judge_args
            )
            failure.kept = docs[0]
            raise failure from error
        return [
            self.chosen(
                [ScoredText(*one) for one in zip(texts, judged.answers, strict=True)],
                None if reference is None else ScoredText(reference, judged.reference),
            )
            for texts, reference, judged in zip(answers, references, found, strict=True)
        ]

    def responses(self, given: Sequence[str]) -> Sequence[str]:
        """The responses of a document that are scored: all of them."""
        return given

    def chosen(self, answers: Sequence[ScoredText], reference: ScoredText | None) -> ScoredText:
        """The result for the scored answers of a document."""
        raise NotImplementedError

    def _require_scores(self, judgements: Sequence[Judgement]) -> None:
        unscored = sum(judgement.unscored for judgement in judgements)
        if unscored and not self.keeps_unscored:
            raise ScoringError(
                f"{unscored} of {len(judgements)} answers got no readable score from the judge "
                f"{self._checkpoint}. Use more samples: judge_args: {{samples: 4}}."
            )


class RewardFilter(JudgingFilter):
    """Gives every response its reward; the metrics `reward` and `win_rate` read it."""

    def chosen(self, answers: Sequence[ScoredText], reference: ScoredText | None) -> ScoredText:
        """The answer; for several answers the first, with the mean of their rewards."""
        rewards = [answer.reward for answer in answers if answer.reward is not None]
        mean = Judgement(statistics.fmean(rewards) if rewards else None)
        of_all = answers[0].judgement if len(answers) == 1 else mean
        return ScoredText(answers[0], of_all, answers, reference)


class TaskRewardFilter(RewardFilter):
    """The filter of this package's own tasks, which count answers without a score."""

    keeps_unscored = True


class BestOfNFilter(JudgingFilter):
    """Keeps the response with the highest reward, the first of equals."""

    def __init__(self, n: int | None = None, **settings: Any) -> None:
        """Takes the settings of the task's YAML.

        Args:
            n: The number of responses to consider; all if None.
            **settings: As for the filter `reward`.

        Raises:
            ConfigurationError: A setting is unknown or not allowed.
        """
        if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
            raise ConfigurationError(
                f"Filter best_of_n: n={n!r} must be a whole number of at least 1."
            )
        super().__init__(**settings)
        self._n = n

    def responses(self, given: Sequence[str]) -> Sequence[str]:
        """The first n responses.

        Raises:
            ConfigurationError: There are fewer.
        """
        if self._n is not None and len(given) < self._n:
            raise ConfigurationError(
                f"Filter best_of_n: n={self._n}, but a document has {len(given)} responses. In "
                f"the task's YAML set repeats: {self._n}, and do_sample: true with a temperature "
                "in generation_kwargs; or set a smaller n."
            )
        return given[: self._n]

    def chosen(self, answers: Sequence[ScoredText], reference: ScoredText | None) -> ScoredText:
        """The best answer."""
        best = max(answers, key=_reward)
        return ScoredText(best, best.judgement, answers, reference, is_pick=True)


def _texts(responses: Any) -> list[str]:
    """A document's responses; a missing one becomes an empty text."""
    found = [responses] if isinstance(responses, str) else list(responses)
    for response in found:
        if response is not None and not isinstance(response, str):
            raise ConfigurationError(
                f"A response is of type {type(response).__name__}, but a judge scores only "
                "texts. Use the filters reward and best_of_n in tasks with output_type "
                "generate_until."
            )
    return [response or "" for response in found]


def _reward(answer: ScoredText) -> float:
    if answer.reward is None:
        raise ScoringError(f"The answer {str(answer)[:80]!r} has no reward.")
    return answer.reward

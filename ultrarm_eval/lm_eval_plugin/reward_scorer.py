"""The scorer `reward`: a judge scores generated answers (lm-eval 0.5).

scorer:
  type: reward
  kwargs: {judge: FOLDER, prompt: question, reference: answer}
metric_list:
  - metric: reward
  - metric: win_rate
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from lm_eval.api.registry import register_scorer
from lm_eval.scorers import GenScorer

from ultrarm_eval.judges import DEFAULT_CHECKPOINT
from ultrarm_eval.lm_eval_plugin.harness_values import ScoredText
from ultrarm_eval.lm_eval_plugin.reward_filters import RewardFilter


@register_scorer("reward")
@dataclass(kw_only=True)
class RewardScorer(GenScorer):  # type: ignore[misc, unused-ignore]
    """Judges the answers to all documents at once; metrics then read each answer's reward.

    Attributes:
        prompt: A column's name or a Jinja template over the document's columns.
        judge: The judge's checkpoint: a folder, a hub id, or `demo`.
        judge_args: The judge's settings; `judge` is its registered name.
        reference: The reference answer, a column's name or a Jinja template; it is scored too, for
            the metric `win_rate`.
    """

    default_metric_cfg: ClassVar[list[dict[str, Any]] | None] = [{"metric": "reward"}]

    prompt: str | None = None
    judge: str = DEFAULT_CHECKPOINT
    judge_args: Mapping[str, Any] | None = None
    reference: str | None = None
    _judging: RewardFilter = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Checks the settings.

        Raises:
            ConfigurationError: A setting is not allowed.
        """
        self._judging = RewardFilter(self.prompt, self.judge, self.judge_args, self.reference)

    def check(self, documents: Iterable[Mapping[str, Any]], repeats: int) -> None:
        """Checks the judge and the documents before the model generates anything.

        Args:
            documents: The documents of the task.
            repeats: The number of answers per document.

        Raises:
            UltrarmEvalError: A setting or the judge cannot be used.
        """
        self._judging.check(documents, repeats)

    def score_instances(self, instances: Mapping[int, Sequence[Any]]) -> dict[int, Any]:
        """Judges all answers, and computes the metrics.

        Args:
            instances: The requests of each document, by its number.

        Raises:
            AnswersNotJudgedError: Judging failed; the answers are kept.
        """
        asked = [one for of_document in instances.values() for one in of_document]
        # A process with fewer requests than another is given its last one again and again.
        answers = [one.filtered_resps[self.name][: one.repeats] for one in asked]
        judged = self._judging.judged(answers, [one.doc for one in asked])
        for one, scored in zip(asked, judged, strict=True):
            one.filtered_resps[self.name] = [
                ScoredText(answer, answer.judgement, reference=scored.reference)
                for answer in scored.answers
            ]
        found: dict[int, Any] = super().score_instances(instances)
        return found

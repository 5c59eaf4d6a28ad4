"""The interfaces of our tasks and models to the bridge, which the harness's own do not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from ultrarm_eval.judges.base import Judge
    from ultrarm_eval.lm_eval_plugin.abstentions import Abstentions


@runtime_checkable
class BridgedTask(Protocol):
    """A task that checks its run before it starts and adds to the results after it.

    Attributes:
        takes_shots: Whether it supports few-shot examples. If not, a run with examples is refused.
        is_pairwise: Whether it compares completions from its data.
        abstentions: Collects the standard errors of means over some of the documents.
    """

    takes_shots: bool
    is_pairwise: bool
    abstentions: Abstentions

    def before_requests(self, lm: Any, most: int | None) -> None:
        """Checks the model and the judge before any request is built.

        Args:
            lm: The model.
            most: The largest number of documents used; None for all.

        Raises:
            UltrarmEvalError: The run could not succeed.
        """
        ...

    def has_answers_judged(self) -> bool:
        """Whether a judge scores the model's answers: then answers are kept if judging fails."""
        ...

    def only_writes(self) -> bool:
        """Whether the run only generates answers (`--predict_only`)."""
        ...

    def averaged_metrics(self) -> Sequence[str]:
        """Metrics that are the mean of one number per document, in any shard of a run."""
        ...

    def after_evaluation(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Facts known only after the evaluation, for the task's metadata in the results.

        Args:
            samples: The samples of all processes; empty if samples are not logged.
        """
        ...


@runtime_checkable
class BridgedJudge(Protocol):
    """A judge used instead of a language model.

    Attributes:
        judge: The judge.
        judge_name: The name it is registered under.
        pretrained: Its checkpoint; its name if it has none.
    """

    judge: Judge
    judge_name: str
    pretrained: str


def judge_of(lm: Any) -> BridgedJudge | None:
    """The judge that a run uses instead of a language model; None for a language model.

    Args:
        lm: The model, or the harness's response cache around it.
    """
    # What the cache hands on cannot be seen by `isinstance` from Python 3.12 on.
    candidates = (lm, getattr(lm, "lm", None))
    return next((one for one in candidates if isinstance(one, BridgedJudge)), None)

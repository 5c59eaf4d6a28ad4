"""What tasks and models of this package offer to the bridge; the harness's own have none of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from ultrarm_eval.judges.base import Judge
    from ultrarm_eval.lm_eval_plugin.abstentions import Abstentions


@runtime_checkable
class BridgedTask(Protocol):
    """A task that looks at its run before it and adds to the results after it.

    Attributes:
        takes_shots: Whether the harness puts examples in front of its documents. If not, a run
            that asks for examples is refused.
        is_pairwise: Whether it compares completions that its data hold.
        abstentions: Has the standard errors of means over some of the documents.
    """

    takes_shots: bool
    is_pairwise: bool
    abstentions: Abstentions

    def before_requests(self, lm: Any, most: int | None) -> None:
        """Looks at what will answer and judge, before any request is built.

        Args:
            lm: The model.
            most: The most documents that are used; None for all.

        Raises:
            UltrarmEvalError: The run could not end well.
        """
        ...

    def has_answers_judged(self) -> bool:
        """Whether a judge scores what the model writes: then answers outlive a failed judging."""
        ...

    def only_writes(self) -> bool:
        """Whether the run asks for answers alone (`--predict_only`)."""
        ...

    def averaged_metrics(self) -> Sequence[str]:
        """Metrics whose figure is the mean of one number of each document, in any part of a run."""
        ...

    def after_evaluation(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What is known once everything is computed, for the task's metadata in the results.

        Args:
            samples: The samples of all processes; none where they are not logged.
        """
        ...


@runtime_checkable
class BridgedJudge(Protocol):
    """A judge in the place of a language model.

    Attributes:
        judge: The judge.
        judge_name: The name it is registered by.
        pretrained: Its checkpoint; its name where it has none.
    """

    judge: Judge
    judge_name: str
    pretrained: str


def judge_of(lm: Any) -> BridgedJudge | None:
    """The judge that a run asks in the place of a language model; None for a language model.

    Args:
        lm: The model, or the harness's response cache around it.
    """
    # What the cache hands on cannot be seen by `isinstance` from Python 3.12 on.
    candidates = (lm, getattr(lm, "lm", None))
    return next((one for one in candidates if isinstance(one, BridgedJudge)), None)

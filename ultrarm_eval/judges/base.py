"""What a judge is: anything that gives a completion a scalar reward."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

from ultrarm_eval.messages import Prompt


@runtime_checkable
class Judge(Protocol):
    """Scores completions; a higher reward is better.

    A judge that writes about answers may also have an attribute `may_abstain`, true: its rewards
    are then `ultrarm_eval.judges.critique_text.CritiquedReward`s, not a number where it found none.
    """

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> list[float]:
        """Scores completions.

        Args:
            prompts: The prompt of each completion: a text, a message list, or None.
            completions: The completions.

        Returns:
            One finite reward each, in order.
        """
        ...

    def settings(self) -> Mapping[str, Any]:
        """What the rewards depend on, and what happened to the texts, as JSON values."""
        ...

    def fingerprint(self) -> str:
        """Identifies the rewards: equal only where every reward would be equal."""
        ...


@runtime_checkable
class StreamingJudge(Judge, Protocol):
    """A judge that hands its rewards out as they come, so that a crash loses little."""

    def score_stream(
        self, prompts: Sequence[Prompt], completions: Sequence[str]
    ) -> Iterator[tuple[int, float]]:
        """Yields the index of a completion and its reward, each index once, in any order."""
        ...


#: Called with the checkpoint and the settings of the run by name.
JudgeFactory: TypeAlias = Callable[..., Judge]

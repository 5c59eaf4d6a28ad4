"""What a judge says, as the harness takes it: a reward in the place of a log-likelihood."""

from __future__ import annotations

from typing import Any, NamedTuple

from ultrarm_eval.judges.base import Judgement, as_judgement


class Reward(NamedTuple):
    """What a judge answers to a log-likelihood request.

    The harness takes it for (log-likelihood, is greedy); our tasks know a judge by it. It has a
    module-level class because response caches pickle it. The reward of a judge that writes is a
    `JudgedReward`.
    """

    reward: float
    is_greedy: bool = False


class JudgedReward(float):
    """A reward with all that the judge said; not a number where it gave none.

    Attributes:
        judgement: What it said.
    """

    judgement: Judgement

    def __new__(cls, judgement: Judgement) -> JudgedReward:
        """Makes a reward."""
        made = super().__new__(cls, judgement.reward)
        made.judgement = judgement
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles with what was said: response caches and processes do."""
        return JudgedReward, (self.judgement,)


def as_reward(judgement: Judgement, *, may_abstain: bool = False) -> Reward:
    """What the harness is answered.

    Args:
        judgement: What the judge said.
        may_abstain: Whether the judge may leave answers without a reward: then it is shown of each
            what was said.
    """
    says_more = may_abstain or judgement.unscored or judgement != Judgement(judgement.value)
    return Reward(JudgedReward(judgement) if says_more else judgement.reward)


def judgement_in(reward: float) -> Judgement | None:
    """What a judge said beside a reward; None for a plain number.

    Args:
        reward: A reward, as it was answered; response caches may hold it as earlier versions
            wrote it.
    """
    if isinstance(reward, JudgedReward):
        return reward.judgement
    return as_judgement(reward) if hasattr(reward, "critique") else None


def is_unscored(reward: float) -> bool:
    """Whether a judge looked at an answer and gave no score: it is counted, and never guessed.

    Any other reward that is not a number is an error of the judge.
    """
    judgement = judgement_in(reward)
    return judgement is not None and judgement.unscored

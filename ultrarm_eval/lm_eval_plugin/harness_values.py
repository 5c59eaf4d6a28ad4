"""A judge's output in the forms that the harness can carry.

The harness only knows log-likelihoods and texts: a `Judgement` becomes a `Reward` instead of a
log-likelihood, a `ScoredText` instead of a text that a filter returns, and JSON in samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ultrarm_eval.judges.base import Judgement, as_judgement


class Reward(NamedTuple):
    """A judge's response to a log-likelihood request.

    The harness treats it as (log-likelihood, is greedy); our tasks recognize a judge by it. It is a
    module-level class because response caches pickle it. The reward of a generative judge is a
    `JudgedReward`.
    """

    reward: float
    is_greedy: bool = False


class JudgedReward(float):
    """A reward with the complete judgement; NaN if the judge abstained.

    Attributes:
        judgement: The judgement.
    """

    judgement: Judgement

    def __new__(cls, judgement: Judgement) -> JudgedReward:
        """Makes a reward."""
        made = super().__new__(cls, judgement.reward)
        made.judgement = judgement
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles with the judgement, for response caches and other processes."""
        return JudgedReward, (self.judgement,)


def as_reward(judgement: Judgement, *, may_abstain: bool = False) -> Reward:
    """Converts a judgement to a response for the harness.

    Args:
        judgement: The judgement.
        may_abstain: Whether the judge may abstain: then every response keeps its judgement.
    """
    says_more = may_abstain or judgement.unscored or judgement != Judgement(judgement.value)
    return Reward(JudgedReward(judgement) if says_more else judgement.reward)


def judgement_in(reward: float) -> Judgement | None:
    """The judgement of a reward; None for a plain number.

    Args:
        reward: A reward; response caches may contain it in the form of earlier versions.
    """
    if isinstance(reward, JudgedReward):
        return reward.judgement
    return as_judgement(reward) if hasattr(reward, "critique") else None


def is_unscored(reward: float) -> bool:
    """Whether the judge abstained from scoring an answer, which is then excluded and counted.

    Any other NaN is an error of the judge.
    """
    judgement = judgement_in(reward)
    return judgement is not None and judgement.unscored


class ScoredText(str):
    """An answer that carries its judgement through the harness.

    The harness casts the target of a document to the type that the filters return: with a text this
    works for any single target, with a number it fails.

    Attributes:
        judgement: The judgement; for several answers the mean of their rewards. None if it is not
            an answer.
        answers: The answers it represents, each with its own judgement; only itself for one answer.
        reference: The reference answer, if there is one.
        is_pick: Whether it is the best of its answers, instead of representing all of them.
    """

    judgement: Judgement | None
    answers: tuple[ScoredText, ...]
    reference: ScoredText | None
    is_pick: bool

    def __new__(
        cls,
        text: Any = "",
        judgement: Judgement | None = None,
        answers: Sequence[ScoredText] = (),
        reference: ScoredText | None = None,
        is_pick: bool = False,
    ) -> ScoredText:
        """Makes a scored text; the harness casts a target by passing only the text."""
        scored = super().__new__(cls, text)
        scored.judgement, scored.reference, scored.is_pick = judgement, reference, is_pick
        scored.answers = tuple(answers) or (scored,)
        return scored

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles without the reference to itself, as processes send their samples to the first."""
        others = self.answers if len(self.answers) > 1 or self.answers[0] is not self else ()
        return ScoredText, (str(self), self.judgement, others, self.reference, self.is_pick)

    @property
    def reward(self) -> float | None:
        """The reward; None if it is not an answer, or if the judge abstained."""
        return None if self.judgement is None else self.judgement.value


def sample_judgements(responses: Any, filtered: Any) -> dict[str, Any]:
    """Our fields of a sample, in addition to the harness's.

    Args:
        responses: The sample's responses; a judge's are `Reward`s.
        filtered: The filtered responses; answers scored by a judge are `ScoredText`s.

    Returns:
        Under `judged`, for every answer in order, the reward (None if the judge abstained) and the
        critique; under `judged_reference` the same for the reference. Empty if there was no judge,
        or if the sample already contains its rewards.
    """
    texts = [text for text in _flat(filtered) if isinstance(text, ScoredText) and text.judgement]
    if texts:
        found: dict[str, Any] = {"judged": [_json(a) for text in texts for a in text.answers]}
        if texts[0].reference is not None:
            found["judged_reference"] = _json(texts[0].reference)
        return found
    said = [judgement_in(r.reward) for r in _flat(responses) if isinstance(r, Reward)]
    judgements = [_json(judgement) for judgement in said if judgement is not None]
    return {"judged": judgements} if judgements else {}


def _flat(values: Any) -> list[Any]:
    if isinstance(values, list):
        return [item for value in values for item in _flat(value)]
    return [values]


def _json(judged: ScoredText | Judgement) -> dict[str, Any]:
    said = judged.judgement if isinstance(judged, ScoredText) else judged
    judgement = said or Judgement(None)
    return {"reward": judgement.value, **judgement.told()}

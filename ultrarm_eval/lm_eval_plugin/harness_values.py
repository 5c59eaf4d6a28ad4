"""What a judge says, as the harness carries it.

The harness knows log-likelihoods and texts alone: a `Judgement` is a `Reward` in the place of a
log-likelihood, a `ScoredText` in the place of a text that a filter returns, and JSON in samples.
"""

from __future__ import annotations

from collections.abc import Sequence
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


class ScoredText(str):
    """An answer that carries what a judge said of it through the harness.

    The harness casts the target of a document to the type of what the filters return: with a text
    it does so for every kind of single target, with a number it fails.

    Attributes:
        judgement: What the judge said; of several answers the mean of their rewards. None for what
            is no answer.
        answers: The answers it stands for, each with its own judgement; itself alone for one.
        reference: The answer it is compared with, if there is one.
        is_pick: Whether it is the best of its answers, and not what stands for all of them.
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
        """Makes a scored text; the harness makes one of a target by giving the text alone."""
        scored = super().__new__(cls, text)
        scored.judgement, scored.reference, scored.is_pick = judgement, reference, is_pick
        scored.answers = tuple(answers) or (scored,)
        return scored

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles without the reference to itself: processes send their samples to the first."""
        others = self.answers if len(self.answers) > 1 or self.answers[0] is not self else ()
        return ScoredText, (str(self), self.judgement, others, self.reference, self.is_pick)

    @property
    def reward(self) -> float | None:
        """The reward; None for what is no answer, and where the judge gave none."""
        return None if self.judgement is None else self.judgement.value


def sample_judgements(responses: Any, filtered: Any) -> dict[str, Any]:
    """What a sample gets beside the harness's own fields.

    Args:
        responses: The sample's responses; those of a judge are `Reward`s.
        filtered: What the filters made of them; answers that a judge scored are `ScoredText`s.

    Returns:
        Under `judged`, for every answer in its order, the reward (None where the judge gave none)
        and what was written about it; under `judged_reference` the same of the reference. Nothing
        where no judge took part, or where the sample holds its rewards already.
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

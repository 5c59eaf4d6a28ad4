"""An answer that carries its reward through the harness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ultrarm_eval.judges.base import Judgement


class ScoredText(str):
    """A text with the reward that a judge gave it.

    The harness casts the target of a document to the type of what the filters return: with a text
    it does so for every kind of single target, with a number it fails.

    Attributes:
        reward: The reward; of several answers their mean. None for what is no answer, and where
            the judge gave none.
        answers: The answers it stands for, each with its own reward; itself alone for one.
        reference: The answer it is compared with, if there is one.
        judgement: What the judge said of it; None for what is no answer, and for several.
        is_judged: Whether a judge looked at it.
        is_pick: Whether it is the best of its answers, and not what stands for all of them.
    """

    reward: float | None
    answers: tuple[ScoredText, ...]
    reference: ScoredText | None
    judgement: Judgement | None
    is_judged: bool
    is_pick: bool

    def __new__(
        cls,
        text: Any = "",
        reward: float | None = None,
        answers: Sequence[ScoredText] = (),
        reference: ScoredText | None = None,
        judgement: Judgement | None = None,
        is_judged: bool | None = None,
        is_pick: bool = False,
    ) -> ScoredText:
        """Makes a scored text; the harness makes one of a target by giving the text alone."""
        scored = super().__new__(cls, text)
        scored.reward = reward
        scored.answers = tuple(answers) or (scored,)
        scored.reference, scored.judgement = reference, judgement
        scored.is_judged = reward is not None if is_judged is None else is_judged
        scored.is_pick = is_pick
        return scored

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles without the reference to itself: processes send their samples to the first."""
        others = self.answers if len(self.answers) > 1 or self.answers[0] is not self else ()
        marks = (self.is_judged, self.is_pick)
        return ScoredText, (str(self), self.reward, others, self.reference, self.judgement, *marks)

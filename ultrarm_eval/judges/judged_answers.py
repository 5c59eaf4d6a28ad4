"""A judge's results for a model's answers, and for the references they are compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ultrarm_eval.errors import ScoringError
from ultrarm_eval.judges.base import Judge, Judgement, may_abstain
from ultrarm_eval.judges.judgements import described, judgements_of, warn_if_all_equal
from ultrarm_eval.messages import Prompt

__all__ = ["JudgedAnswers", "judge_answers"]


@dataclass(frozen=True)
class JudgedAnswers:
    """A judge's results for the answers to a prompt.

    Attributes:
        answers: The judgement of each answer.
        reference: The judgement of their reference; None if there is none.
    """

    answers: tuple[Judgement, ...]
    reference: Judgement | None

    def __iter__(self) -> Iterator[Judgement]:
        """The judgements, that of the reference last."""
        yield from self.answers
        if self.reference is not None:
            yield self.reference


def judge_answers(
    judge: Judge,
    prompts: Sequence[Prompt],
    answers: Sequence[Sequence[str]],
    references: Sequence[str | None] | None = None,
) -> list[JudgedAnswers]:
    """Scores answers and references in one call; warns if all rewards are equal.

    Args:
        judge: The judge.
        prompts: The prompts.
        answers: The answers to each prompt, any number of them.
        references: The reference of each prompt, None for one without; no references if None.

    Raises:
        RewardError: A reward is not finite.
        ScoringError: The judge fails, or gives no score although it may not abstain.
    """
    if references is None:
        references = [None] * len(prompts)
    # A prompt's answers and its reference side by side: a judge computes the prompt once.
    asked = [
        (prompt, text)
        for prompt, of_prompt, reference in zip(prompts, answers, references, strict=True)
        for text in (*of_prompt, *([] if reference is None else [reference]))
    ]
    texts = [text for _, text in asked]
    found = judgements_of(judge, [prompt for prompt, _ in asked], texts)
    unscored = sum(judgement.unscored for judgement in found)
    if unscored and not may_abstain(judge):
        raise ScoringError(
            f"{described(judge)} gave no finite reward to {unscored} of {len(found)} answers."
        )
    warn_if_all_equal((text, one.value) for text, one in zip(texts, found, strict=True))
    judgements = iter(found)
    return [
        JudgedAnswers(
            tuple(next(judgements) for _ in of_prompt),
            None if reference is None else next(judgements),
        )
        for of_prompt, reference in zip(answers, references, strict=True)
    ]

"""Judges, which assign a scalar reward to a completion, and their judgements."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from ultrarm_eval.messages import Prompt

if TYPE_CHECKING:
    from ultrarm_eval.engine.token_rewards import TokenRewards

__all__ = ["Judge", "StreamingJudge", "TokenJudge", "Judgement", "JudgeFactory"]

_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A judge's result for a completion.

    Attributes:
        value: The reward, a finite number; None if the judge abstained. Abstentions are counted,
            and no reward is substituted.
        explanation: What the judge wrote about the completion; empty for a judge that writes
            nothing.
        extra: Additional JSON values, such as the score in each of these texts.
    """

    value: float | None
    explanation: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)

    @property
    def unscored(self) -> bool:
        """Whether the judge abstained."""
        return self.value is None

    @property
    def reward(self) -> float:
        """The reward; NaN if there is none."""
        return math.nan if self.value is None else self.value

    def told(self) -> dict[str, Any]:
        """The explanation and additional values, as results store them."""
        written = {"critiques": list(self.explanation)} if self.explanation else {}
        return {**written, **self.extra}


@runtime_checkable
class Judge(Protocol):
    """Scores completions; a higher reward is better.

    A judge may return `Judgement`s instead of numbers. A judge that may abstain has an attribute
    `may_abstain` that is true; a judge that scores steps (a sequence of texts as completion) has an
    attribute `takes_steps` that is true. The optional methods `identifies()` and `describes()`
    return mappings: the settings that rewards depend on, and those that describe how they are
    computed. Without them the parameters of its factory identify a judge.
    """

    def score(self, prompts: Sequence[Prompt], completions: Sequence[str]) -> list[float]:
        """Scores completions.

        Args:
            prompts: The prompt of each completion: a text, a message list, or None.
            completions: The completions.

        Returns:
            One finite reward per completion, in order.
        """
        ...

    def settings(self) -> Mapping[str, Any]:
        """The settings that rewards depend on, and counts of the texts, as JSON values."""
        ...

    def fingerprint(self) -> str:
        """Identifies the rewards: equal only if every reward would be equal."""
        ...


@runtime_checkable
class StreamingJudge(Judge, Protocol):
    """A judge that yields rewards as they are computed, so that a crash loses few of them."""

    def score_stream(
        self, prompts: Sequence[Prompt], completions: Sequence[str]
    ) -> Iterator[tuple[int, float]]:
        """Yields the index of a completion and its reward, each index once, in any order."""
        ...


@runtime_checkable
class TokenJudge(Judge, Protocol):
    """A judge that can compute the reward after each token of a text."""

    def rewards_after_tokens(self, prompt: Prompt, completion: str) -> TokenRewards:
        """The rewards if the text ended after each of its tokens.

        Args:
            prompt: A text, a message list, or None.
            completion: The completion.

        Returns:
            The rewards; the last is that of `score`.
        """
        ...


#: Called with the checkpoint and the settings of the run by name.
JudgeFactory: TypeAlias = Callable[..., Judge]


def as_judgement(given: Any) -> Judgement | None:
    """Converts a judge's result to a judgement; None if it is neither a number nor a judgement.

    Args:
        given: A `Judgement`, or a number of any library, also in an array with one element. A
            number with an attribute `critique` comes from a judge written before `Judgement`
            existed.
    """
    if isinstance(given, Judgement):
        return given
    if isinstance(given, float):
        if not hasattr(given, "critique"):
            return Judgement(given)
        value = None if math.isnan(given) else float(given)
        critique = given.critique
        if critique is None:
            return Judgement(value)
        return Judgement(value, tuple(critique.texts), {"scores": list(critique.scores)})
    is_one = getattr(given, "size", None) == 1 or _is_tensor_of_one(given)
    number = given.item() if is_one else given
    if not isinstance(number, numbers.Real) or isinstance(number, bool):
        return None
    try:
        return Judgement(float(number))
    except OverflowError:
        return Judgement(math.inf)


def _is_tensor_of_one(given: Any) -> bool:
    count = getattr(given, "numel", None)
    return callable(count) and bool(count() == 1)


def judge_name(judge: Judge) -> str:
    """A judge's name in reports: its own name, or its class."""
    return str(getattr(judge, "name", type(getattr(judge, "judge", judge)).__name__))


def statement(judge: Judge) -> dict[str, Any]:
    """What results store about a judge in addition to its settings and its fingerprint.

    Args:
        judge: A judge, as `make_judge` gives it.

    Returns:
        Under `judge_identifies` the settings that its rewards depend on, under `judge_describes`
        the other settings, and under `judge_parameters` the names of settings of another package's
        judge.
    """
    said: dict[str, Any] = {"judge_parameters": list(getattr(judge, "parameters", ()))}
    for method in ("identifies", "describes"):
        stated = getattr(judge, method, None)
        if callable(stated):
            said[f"judge_{method}"] = dict(stated())
    return said


def may_abstain(judge: Any) -> bool:
    """Whether a judge may abstain from scoring an answer."""
    return bool(getattr(judge, "may_abstain", False))

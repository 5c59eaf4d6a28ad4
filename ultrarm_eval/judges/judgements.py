"""Judgements of any judge, checked before they are used."""

from __future__ import annotations

import logging
import math
import operator
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ultrarm_eval.errors import (
    DataError,
    RewardError,
    ScoringError,
    UltrarmEvalError,
    UnwritableTextError,
    first_line,
)
from ultrarm_eval.judges.base import Judge, Judgement, as_judgement
from ultrarm_eval.judges.plugin_judge import PluginJudge
from ultrarm_eval.messages import Prompt

logger = logging.getLogger(__name__)

# If a run is killed, a judge that cannot stream loses at most this many rewards.
_CHUNK = 64


def judgements_of(
    judge: Judge, prompts: Sequence[Prompt], completions: Sequence[str]
) -> list[Judgement]:
    """A judge's results for completions, each with a finite reward or an abstention.

    Raises:
        RewardError: A result is neither; the error contains the valid ones.
        ScoringError: The judge fails, or does not give one reward for each completion.
    """
    if _method(judge, ("judgements", "score", "score_stream")) == "score":
        given: Iterable[tuple[int, Any]] = enumerate(_scores(judge, prompts, completions))
    else:
        given = judgement_stream(judge, prompts, completions)
    found: dict[int, Judgement] = {}
    problem: RewardError | None = None
    try:
        for index, one in given:
            try:
                found[index] = _finite(judge, index, one)
            except RewardError as error:  # noqa: PERF203 - the others are not lost with it
                problem = problem or error
    except RewardError as error:
        problem = error
    if problem is not None:
        problem.judgements = found
        raise problem
    return [found[index] for index in range(len(completions))]


def judgement_stream(
    judge: Judge, prompts: Sequence[Prompt], completions: Sequence[str]
) -> Iterator[tuple[int, Judgement]]:
    """Yields (index, judgement) as they are computed, each index once; rewards may be non-finite.

    Raises:
        ScoringError: The judge fails, returns something else, or returns no reward for a
            completion.
    """
    seen = bytearray(len(completions))
    for given in _stream(judge, prompts, completions):
        index, judgement = _placed(judge, given, len(completions))
        if seen[index]:
            raise ScoringError(f"{described(judge)} gave completion {index} two rewards.")
        seen[index] = True
        yield index, judgement
    if missing := len(seen) - sum(seen):
        raise ScoringError(
            f"{described(judge)} gave no reward to {missing} of {len(seen)} completions, the "
            f"first of them completion {seen.index(0)}."
        )


def described(judge: Judge) -> str:
    """A judge's name for messages, with its plugin if it is of another package."""
    if isinstance(judge, PluginJudge):
        return judge.who
    return f"The judge {getattr(judge, 'name', type(judge).__name__)}"


def _stream(
    judge: Judge, prompts: Sequence[Prompt], completions: Sequence[str]
) -> Iterator[object]:
    method = _method(judge, ("judgements", "score_stream", "score"))
    if method == "score":
        for start in range(0, len(completions), _CHUNK):
            stop = start + _CHUNK
            given = _scores(judge, prompts[start:stop], completions[start:stop])
            # Valid results are yielded before an invalid one ends the run.
            yield from sorted(enumerate(given, start), key=lambda one: not _is_sound(one[1]))
        return
    stream = getattr(judge, method)
    given = _answered(judge, "score_stream()", lambda: iter(stream(prompts, completions)))
    end = object()
    while (one := _answered(judge, "score_stream()", lambda: next(given, end))) is not end:
        yield one


def _method(judge: Judge, preferred: Sequence[str]) -> str:
    """The method to call: the one whose class is nearest to the judge's own class.

    A judge of another package that derives from one of ours may override any of them.

    Args:
        judge: Any judge.
        preferred: The methods; the first of those that one class defines.
    """
    own: Any = judge.judge if isinstance(judge, PluginJudge) else judge
    places = [vars(own) if hasattr(own, "__dict__") else {}, *map(vars, type(own).__mro__)]

    def distance(name: str) -> int:
        return next((i for i, names in enumerate(places) if name in names), len(places))

    found = [name for name in preferred if callable(getattr(judge, name, None))]
    return min(found, key=distance, default="score")


def _is_sound(given: object) -> bool:
    found = as_judgement(given)
    return found is not None and (found.value is None or math.isfinite(found.value))


def _scores(judge: Judge, prompts: Sequence[Prompt], completions: Sequence[str]) -> Any:
    given: Any = _answered(judge, "score()", lambda: judge.score(prompts, completions))
    is_list = hasattr(given, "__len__") and hasattr(given, "__getitem__")
    if not is_list or isinstance(given, str | bytes | Mapping):
        raise ScoringError(
            f"{described(judge)}: score() returned a value of type {type(given).__name__}; it "
            "must return a list with one number per completion."
        )
    if len(given) != len(completions):
        raise ScoringError(
            f"{described(judge)}: score() returned {len(given)} rewards for {len(completions)} "
            "answers; it must return one per answer."
        )
    return given


def _placed(judge: Judge, given: Any, count: int) -> tuple[int, Judgement]:
    try:
        place, reward = given
        index = operator.index(place)
    except (TypeError, ValueError) as error:
        raise ScoringError(
            f"{described(judge)}: score_stream() yielded {given!r:.60}; it must yield the index "
            "of a completion with its reward."
        ) from error
    if not 0 <= index < count:
        raise ScoringError(
            f"{described(judge)}: score_stream() yielded a reward for completion {index} of "
            f"{count} (counted from 0)."
        )
    return index, _judgement(judge, index, reward)


def _judgement(judge: Judge, index: int, given: Any) -> Judgement:
    found = as_judgement(given)
    if found is None:
        raise _no_reward(
            judge,
            index,
            f"{given!r:.60} of type {type(given).__name__} as its reward; it must be a number.",
        )
    return found


def _finite(judge: Judge, index: int, given: Any) -> Judgement:
    found = _judgement(judge, index, given)
    if found.value is not None and not math.isfinite(found.value):
        raise _no_reward(
            judge, index, f"the reward {found.value}; a reward must be a finite number."
        )
    return found


def _no_reward(judge: Judge, index: int, problem: str) -> RewardError:
    who = described(judge)
    return RewardError(
        f"{who} gave completion {index} {problem}", index, f"{who} gave it {problem}"
    )


def _answered(judge: Judge, what: str, call: Callable[[], Any]) -> Any:
    """A judge's result; errors of another package's judge are raised with its name."""
    try:
        return call()
    except UltrarmEvalError:
        raise
    except Exception as error:
        if not isinstance(judge, PluginJudge):
            raise
        raise ScoringError(f"{described(judge)}: {what} failed: {first_line(error)}") from error


def check_texts(judge: Judge, texts: Iterable[tuple[Prompt, Any, object]]) -> None:
    """Lets a judge check all texts before the first is scored, if it can.

    Args:
        judge: Any judge; those with a method `check` can.
        texts: Prompt and completion of each text, and its place in the data. A completion that is
            not a text is a tuple of steps, for judges whose attribute `takes_steps` is true.

    Raises:
        DataError: A completion is a tuple of steps, and the judge scores texts.
        UnwritableTextError: The judge's template rejects a prompt; the error names its place.
        UltrarmEvalError: A prompt or a completion is not valid.
    """
    check = getattr(judge, "check", None)
    takes_steps = getattr(judge, "takes_steps", False)
    for prompt, completion, where in texts:
        if not (takes_steps or isinstance(completion, str)):
            raise DataError(
                f"{where}: the answer is a list of {len(completion)} steps, but "
                f"{described(judge)} scores texts. Use judge=process, which scores steps, or "
                "write the answer as one text."
            )
        if callable(check):
            with texts_from([where]):
                check([prompt], [completion])


@contextmanager
def texts_from(places: Sequence[object]) -> Iterator[None]:
    """Names the place in the data of a text that cannot be rendered, instead of its index.

    Args:
        places: The places of the texts that are scored, planned or checked in this context.

    Raises:
        UnwritableTextError: A template rejects a text.
    """
    try:
        yield
    except UnwritableTextError as error:
        raise error.of(places[error.text]) from error


class EqualRewards:
    """Watches the rewards of a run: a judge that gives all texts the same reward is useless."""

    def __init__(self) -> None:
        """Starts without rewards."""
        self._reward: float | None = None
        self._text: Hashable = None
        self._texts_differ = self._rewards_differ = False

    def add(self, text: Hashable, reward: float | None) -> None:
        """Adds a text and its reward, if the reward is a number."""
        if self._rewards_differ or reward is None or math.isnan(reward):
            return
        if self._reward is None:
            self._text, self._reward = text, float(reward)
        self._texts_differ = self._texts_differ or text != self._text
        self._rewards_differ = float(reward) != self._reward

    def report(self) -> None:
        """Warns if all of several texts had the same reward."""
        if self._texts_differ and not self._rewards_differ:
            logger.warning(
                "All rewards of this run are %s although the texts differ, so every comparison is "
                "a tie and the metrics are meaningless. Check the template and the weights.",
                self._reward,
            )


def warn_if_all_equal(rewards: Iterable[tuple[Hashable, float | None]]) -> None:
    """Warns if all of several texts have the same reward.

    Args:
        rewards: The scored texts, such as a prompt with a completion, and their rewards.
    """
    watched = EqualRewards()
    for text, reward in rewards:
        watched.add(text, reward)
    watched.report()

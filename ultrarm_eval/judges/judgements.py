"""What any judge says of completions, checked before anything is built on it."""

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

# A judge that cannot stream loses at most this many rewards when a run is killed.
_CHUNK = 64


def judgements_of(
    judge: Judge, prompts: Sequence[Prompt], completions: Sequence[str]
) -> list[Judgement]:
    """What a judge says of completions, each with a finite reward or unscored.

    Raises:
        RewardError: A reward is neither; the error has those that are.
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
    """Yields (index, judgement) as they come, each index once; rewards need not be finite.

    Raises:
        ScoringError: The judge fails, gives something else, or gives a completion no reward.
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
    """A judge for messages, with its plugin where it is of another package."""
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
            # What is sound is handed out before what is not ends the run.
            yield from sorted(enumerate(given, start), key=lambda one: not _is_sound(one[1]))
        return
    stream = getattr(judge, method)
    given = _answered(judge, "score_stream()", lambda: iter(stream(prompts, completions)))
    end = object()
    while (one := _answered(judge, "score_stream()", lambda: next(given, end))) is not end:
        yield one


def _method(judge: Judge, preferred: Sequence[str]) -> str:
    """The method to ask: that of the class that is nearest to the judge's own.

    A judge of another package that goes on from one of ours may replace any of them.

    Args:
        judge: Any judge.
        preferred: The methods; of those of one class the first.
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
            f"{described(judge)}: score() gave a value of type {type(given).__name__}, and it has "
            "to be a list with one number for each completion."
        )
    if len(given) != len(completions):
        raise ScoringError(
            f"{described(judge)}: score() gave {len(given)} rewards to {len(completions)} answers."
        )
    return given


def _placed(judge: Judge, given: Any, count: int) -> tuple[int, Judgement]:
    try:
        place, reward = given
        index = operator.index(place)
    except (TypeError, ValueError) as error:
        raise ScoringError(
            f"{described(judge)}: score_stream() gave {given!r:.60}, and it has to give the index "
            "of a completion with its reward."
        ) from error
    if not 0 <= index < count:
        raise ScoringError(
            f"{described(judge)}: score_stream() gave a reward for completion {index} of {count} "
            "(counted from 0)."
        )
    return index, _judgement(judge, index, reward)


def _judgement(judge: Judge, index: int, given: Any) -> Judgement:
    found = as_judgement(given)
    if found is None:
        raise _no_reward(
            judge,
            index,
            f"{given!r:.60} of type {type(given).__name__} for a reward; it has to be a number.",
        )
    return found


def _finite(judge: Judge, index: int, given: Any) -> Judgement:
    found = _judgement(judge, index, given)
    if found.value is not None and not math.isfinite(found.value):
        raise _no_reward(judge, index, f"the reward {found.value}; a reward is a finite number.")
    return found


def _no_reward(judge: Judge, index: int, problem: str) -> RewardError:
    who = described(judge)
    return RewardError(
        f"{who} gave completion {index} {problem}", index, f"{who} gave it {problem}"
    )


def _answered(judge: Judge, what: str, call: Callable[[], Any]) -> Any:
    """What a judge gives; what another package's judge raises is called by its name."""
    try:
        return call()
    except UltrarmEvalError:
        raise
    except Exception as error:
        if not isinstance(judge, PluginJudge):
            raise
        raise ScoringError(f"{described(judge)}: {what} failed: {first_line(error)}") from error


def check_texts(judge: Judge, texts: Iterable[tuple[Prompt, Any, object]]) -> None:
    """Has a judge look at all texts before the first is scored, if it can.

    Args:
        judge: Any judge; those with a method `check` can.
        texts: Prompt and completion of each text, and where it is from. A completion that is no
            text is a tuple of steps, for judges whose attribute `takes_steps` is true.

    Raises:
        DataError: A completion is a tuple of steps, and the judge scores texts.
        UnwritableTextError: The judge's template refuses a prompt; it says where that stands.
        UltrarmEvalError: A prompt or a completion is none.
    """
    check = getattr(judge, "check", None)
    takes_steps = getattr(judge, "takes_steps", False)
    for prompt, completion, where in texts:
        if not (takes_steps or isinstance(completion, str)):
            raise DataError(
                f"{where}: the answer is a list of {len(completion)} steps, and "
                f"{described(judge)} scores texts. judge=process scores steps; for another judge "
                "write the answer as one text."
            )
        if callable(check):
            with texts_from([where]):
                check([prompt], [completion])


@contextmanager
def texts_from(places: Sequence[object]) -> Iterator[None]:
    """Says of a text that cannot be written where it is from, and not which of the texts it is.

    Args:
        places: Where each of the texts is from that are scored, planned or checked inside.

    Raises:
        UnwritableTextError: A template refuses a text.
    """
    try:
        yield
    except UnwritableTextError as error:
        raise error.of(places[error.text]) from error


class EqualRewards:
    """Watches the rewards of a run: a judge that gives all texts one reward says nothing."""

    def __init__(self) -> None:
        """Starts without any."""
        self._reward: float | None = None
        self._text: Hashable = None
        self._texts_differ = self._rewards_differ = False

    def add(self, text: Hashable, reward: float | None) -> None:
        """Takes a text and its reward, if it has one that is a number."""
        if self._rewards_differ or reward is None or math.isnan(reward):
            return
        if self._reward is None:
            self._text, self._reward = text, float(reward)
        self._texts_differ = self._texts_differ or text != self._text
        self._rewards_differ = float(reward) != self._reward

    def report(self) -> None:
        """Warns where several texts had one reward alone."""
        if self._texts_differ and not self._rewards_differ:
            logger.warning(
                "All rewards of this run are %s, although the texts differ: the judge tells "
                "nothing apart, and every comparison is a tie. Look at the template and at the "
                "weights.",
                self._reward,
            )


def warn_if_all_equal(rewards: Iterable[tuple[Hashable, float | None]]) -> None:
    """Warns where several texts have one reward alone.

    Args:
        rewards: What was scored, such as a prompt with a completion, and its reward.
    """
    watched = EqualRewards()
    for text, reward in rewards:
        watched.add(text, reward)
    watched.report()

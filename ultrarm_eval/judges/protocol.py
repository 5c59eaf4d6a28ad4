"""What a judge has to be and to give back, checked before anything is built on it.

Our own judges keep to it; another package's is told what it lacks, by its name and its plugin's,
when it is made and with the first rewards, not when a run is over.
"""

from __future__ import annotations

import json
import logging
import math
import numbers
import operator
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ultrarm_eval.errors import (
    PluginError,
    RewardError,
    ScoringError,
    UltrarmEvalError,
    first_line,
)
from ultrarm_eval.judges.base import Judge
from ultrarm_eval.judges.critique_text import is_unscored
from ultrarm_eval.messages import Prompt

logger = logging.getLogger(__name__)

_METHODS = {
    "score": "score(prompts, completions), one reward for each completion",
    "settings": "settings(), a mapping of JSON values that the results show",
    "fingerprint": "fingerprint(), a text that is equal only where all rewards are",
}
# A judge that cannot stream loses at most this many rewards when a run is killed.
_CHUNK = 64


class _Made(NamedTuple):
    who: str
    settings: Mapping[str, Any]
    fingerprint: str
    parameters: frozenset[str]


#: Judges of other packages that were made and are alive, by id.
_made: dict[int, _Made] = {}


def require_judge(judge: Any, who: str, parameters: Collection[str] = ()) -> None:
    """Checks a judge of another package, and remembers whose it is.

    Args:
        judge: What its factory made.
        who: The judge and its plugin, for messages.
        parameters: The settings that its factory takes, as far as they have names.

    Raises:
        PluginError: A method is missing, fails, or gives something else than it has to.
    """
    missing = [said for name, said in _METHODS.items() if not callable(getattr(judge, name, None))]
    if missing:
        raise PluginError(
            f"{who}: {type(judge).__name__} has no method {'; and no '.join(missing)}. A judge has "
            "the methods of ultrarm_eval.judges.base.Judge."
        )
    stream = getattr(judge, "score_stream", None)
    if stream is not None and not callable(stream):
        raise PluginError(f"{who}: score_stream is no method. Leave it out, or make it one.")
    settings = _checked_settings(_called(judge.settings, who, "settings()"), who)
    fingerprint = _called(judge.fingerprint, who, "fingerprint()")
    if not isinstance(fingerprint, str) or not fingerprint:
        raise PluginError(
            f"{who}: fingerprint() gives {fingerprint!r:.60}, and it has to be a text that is not "
            "empty: caches and stores are kept apart by it."
        )
    _remember(judge, _Made(who, settings, fingerprint, frozenset(parameters)))


def settings_of(judge: Judge) -> dict[str, Any]:
    """A judge's settings; where it cannot say them any more, what it said when it was made."""
    made = _made.get(id(judge))
    if made is None:
        return dict(judge.settings())
    try:
        return _checked_settings(_called(judge.settings, made.who, "settings()"), made.who)
    except PluginError as error:
        logger.warning("%s The results show what it said when it was made.", error)
        return dict(made.settings)


def fingerprint_of(judge: Judge) -> str:
    """A judge's fingerprint; where it cannot say it any more, what it said when it was made."""
    made = _made.get(id(judge))
    if made is None:
        return judge.fingerprint()
    try:
        return str(_called(judge.fingerprint, made.who, "fingerprint()"))
    except PluginError as error:
        logger.warning("%s The results show what it said when it was made.", error)
        return made.fingerprint


def parameters_of(judge: Judge) -> list[str]:
    """The settings that a user can give to a judge of another package, among those it reports."""
    made = _made.get(id(judge))
    return [] if made is None else sorted(made.parameters & made.settings.keys())


def checked_scores(
    judge: Judge, prompts: Sequence[Prompt], completions: Sequence[str]
) -> list[float]:
    """The rewards of completions, each a finite number, or one that a judge has no score for.

    Raises:
        RewardError: A reward is neither; the error has those that are.
        ScoringError: The judge fails, or does not give one reward for each completion.
    """
    rewards: dict[int, float] = {}
    problem: RewardError | None = None
    for index, given in enumerate(_scores(judge, prompts, completions)):
        try:
            rewards[index] = _finite(judge, index, given)
        except RewardError as error:  # noqa: PERF203 - the others are not lost with it
            problem = problem or error
    if problem is not None:
        problem.rewards = rewards
        raise problem
    return list(rewards.values())


def _finite(judge: Judge, index: int, given: Any) -> float:
    reward = _number(judge, index, given)
    if math.isfinite(reward) or is_unscored(reward):
        return reward
    problem = f"the reward {reward}; a reward is a finite number."
    who = described(judge)
    raise RewardError(f"{who} gave completion {index} {problem}", index, f"{who} gave it {problem}")


def checked_stream(
    judge: Judge, prompts: Sequence[Prompt], completions: Sequence[str]
) -> Iterator[tuple[int, float]]:
    """Yields (index, reward) as rewards come, each index once; they need not be finite.

    Raises:
        ScoringError: The judge fails, gives something else, or gives a completion no reward.
    """
    seen = bytearray(len(completions))
    for given in _stream(judge, prompts, completions):
        index, reward = _pair(judge, given, len(completions))
        if seen[index]:
            raise ScoringError(f"{described(judge)} gave completion {index} two rewards.")
        seen[index] = True
        yield index, reward
    if missing := len(seen) - sum(seen):
        raise ScoringError(
            f"{described(judge)} gave no reward to {missing} of {len(seen)} completions, the "
            f"first of them completion {seen.index(0)}."
        )


def _stream(
    judge: Judge, prompts: Sequence[Prompt], completions: Sequence[str]
) -> Iterator[object]:
    stream = getattr(judge, "score_stream", None)
    if not callable(stream):
        for start in range(0, len(completions), _CHUNK):
            stop = start + _CHUNK
            given = _scores(judge, prompts[start:stop], completions[start:stop])
            # What is sound is handed out before what is not ends the run.
            yield from sorted(enumerate(given, start), key=lambda one: not _is_sound(one[1]))
        return
    given = _answered(judge, "score_stream()", lambda: iter(stream(prompts, completions)))
    end = object()
    while (one := _answered(judge, "score_stream()", lambda: next(given, end))) is not end:
        yield one


def _is_sound(reward: object) -> bool:
    return isinstance(reward, int | float) and math.isfinite(reward)


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


def _pair(judge: Judge, given: Any, count: int) -> tuple[int, float]:
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
    return index, _number(judge, index, reward)


def _number(judge: Judge, index: int, reward: Any) -> float:
    if isinstance(reward, float):
        return reward
    # Numbers of numpy and torch, also in an array of one.
    value = reward.item() if getattr(reward, "size", None) == 1 or _is_one(reward) else reward
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    problem = f"{reward!r:.60} of type {type(reward).__name__} for a reward; it has to be a number."
    who = described(judge)
    raise RewardError(f"{who} gave completion {index} {problem}", index, f"{who} gave it {problem}")


def _is_one(reward: Any) -> bool:
    """Whether it is a tensor of one number."""
    count = getattr(reward, "numel", None)
    return callable(count) and bool(count() == 1)


def _answered(judge: Judge, what: str, call: Callable[[], Any]) -> Any:
    """What a judge gives; what another package's judge raises is called by its name."""
    if id(judge) not in _made:
        return call()
    try:
        return call()
    except UltrarmEvalError:
        raise
    except Exception as error:
        raise ScoringError(f"{described(judge)}: {what} failed: {first_line(error)}") from error


def described(judge: Judge) -> str:
    """A judge for messages, with its plugin where it is of another package."""
    made = _made.get(id(judge))
    if made is not None:
        return made.who
    return f"The judge {getattr(judge, 'name', type(judge).__name__)}"


def _called(method: Callable[[], Any], who: str, what: str) -> Any:
    try:
        return method()
    except Exception as error:
        raise PluginError(f"{who}: {what} fails: {first_line(error)}") from error


def _checked_settings(settings: object, who: str) -> dict[str, Any]:
    if not isinstance(settings, Mapping) or not all(isinstance(name, str) for name in settings):
        raise PluginError(
            f"{who}: settings() gives a value of type {type(settings).__name__}, and it has to be "
            "a mapping from names to JSON values."
        )
    for name, value in settings.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError, RecursionError) as error:  # noqa: PERF203 - few
            raise PluginError(
                f"{who}: settings() gives {name}={value!r:.60}, which is no JSON value: make it a "
                "text, a number, a list or a mapping."
            ) from error
    counts = settings.get("counts", {})
    if not isinstance(counts, Mapping) or not all(_is_number(n) for n in counts.values()):
        raise PluginError(
            f"{who}: settings() gives counts={counts!r:.60}, and they have to be a mapping from "
            "names to numbers."
        )
    seconds = settings.get("scoring_seconds")
    if seconds is not None and not _is_number(seconds):
        raise PluginError(f"{who}: settings() gives scoring_seconds={seconds!r:.60}, no number.")
    return dict(settings)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _remember(judge: Any, made: _Made) -> None:
    try:
        forget = weakref.finalize(judge, _made.pop, id(judge), None)
    except TypeError:
        # It stays for the process: an id that is used again must not speak for another judge.
        _kept.append(judge)
    else:
        forget.atexit = False
    _made[id(judge)] = made


_kept: list[Any] = []

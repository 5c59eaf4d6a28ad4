"""Every error this package raises on purpose.

A caller that wants to tell our refusals from bugs catches `UltrarmEvalError`.
Messages say what failed, where, what is allowed, and how to fix it.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from typing import Any

#: If set to 1, on, yes or true, commands show tracebacks of our errors.
TRACEBACK_SWITCH = "ULTRARM_EVAL_TRACEBACK"


class UltrarmEvalError(Exception):
    """Base class of all errors of `ultrarm_eval`."""


class ConfigurationError(UltrarmEvalError):
    """A setting, option or metadata key has a value that is not allowed."""


class MissingPackageError(ConfigurationError, ModuleNotFoundError):
    """A package of an extra is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        """Takes the package, and this package's extra that installs it."""
        super().__init__(f'{package} is not installed: pip install "ultrarm-eval[{extra}]".')


class CheckpointError(UltrarmEvalError):
    """A checkpoint is missing, unreachable, or is not the model it is said to be."""


class OtherKindError(CheckpointError):
    """A checkpoint is of another kind than the judge takes."""


class OwnCodeError(CheckpointError):
    """A checkpoint names code of its own, which is never executed, where it would compute."""


class DeviceError(UltrarmEvalError):
    """The device asked for does not exist or cannot hold the weights."""


class TextDoesNotFitError(DeviceError):
    """A single text is too much for the device's memory.

    Attributes:
        text: Which of the texts that were scored together.
    """

    def __init__(self, message: str, text: int) -> None:
        """Names the text."""
        super().__init__(message)
        self.text = text


class DataError(UltrarmEvalError):
    """Preference data cannot be read, or says nothing that could be scored."""


class ScoringError(UltrarmEvalError):
    """A text could not be scored, or its reward is no finite number."""


class TextRefusedError(ScoringError):
    """What computes refuses a single text.

    Attributes:
        text: Which of the texts that were computed together.
        reason: Why, without its number.
    """

    def __init__(self, reason: str, text: int) -> None:
        """Names the text."""
        super().__init__(f"Text {text}: {reason}")
        self.reason, self.text = reason, text


class RewardError(ScoringError):
    """A judge gave one completion no reward that could be used.

    Attributes:
        completion: Which of the completions that were scored together.
        problem: What is wrong with its reward, for who knows better where it stands.
        judgements: The `Judgement`s of others of them that are known, by their index.
    """

    def __init__(self, message: str, completion: int, problem: str) -> None:
        """Names the completion."""
        super().__init__(message)
        self.completion, self.problem = completion, problem
        self.judgements: Mapping[int, Any] = {}


class UnwritableTextError(ScoringError):
    """A template cannot write a text, or must not: found before any text is scored.

    Attributes:
        text: Which of the texts that were given together.
        reason: What is wrong with it, without its number.
    """

    def __init__(self, text: int, reason: str, what: str | None = None) -> None:
        """Names the text.

        Args:
            text: Which of the texts that were given together.
            reason: What is wrong with it.
            what: The name of the text in the message; its number if None.
        """
        super().__init__(f"{what or f'Completion {text}'}: {reason}")
        self.text, self.reason = text, reason

    def __reduce__(self) -> tuple[type[UnwritableTextError], tuple[int, str, str]]:
        """Pickles, so that processes can pass errors on."""
        what = str(self).removesuffix(f": {self.reason}")
        return type(self), (self.text, self.reason, what)

    def of(self, what: object) -> UnwritableTextError:
        """The same error with the user's name for the text, such as a file and a line."""
        return UnwritableTextError(self.text, self.reason, str(what))


class AnswersNotJudgedError(ScoringError):
    """A judge failed on what a model wrote; it is kept in a file.

    Attributes:
        kept: The first of the documents whose answers are kept.
    """

    kept: object = None


class ResponseCacheError(UltrarmEvalError):
    """A response cache is damaged."""


class CacheMismatchError(ResponseCacheError):
    """A response cache holds rewards of another judge."""


class ScoreStoreError(UltrarmEvalError):
    """A score store cannot be opened, read or written, or is no score store."""


class PluginError(UltrarmEvalError):
    """A plugin registers something that cannot be registered."""


def wants_traceback() -> bool:
    """Whether the user wants tracebacks of our errors."""
    return os.environ.get(TRACEBACK_SWITCH, "").strip().lower() in {"1", "on", "yes", "true"}


def first_line(error: BaseException) -> str:
    """The first line of another library's exception, with its class, for use in a message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def unknown_choice(
    what: str,
    value: object,
    allowed: Iterable[str],
    *,
    otherwise: str = "",
    where: str = "",
) -> ConfigurationError:
    """Builds the error for a name that is not allowed.

    Args:
        what: What the name is, in the user's words ("template").
        value: What was given.
        allowed: The allowed names.
        otherwise: What can be given instead of a name ("or a file").
        where: What the names belong to, if they depend on it.
    """
    names = sorted(allowed)
    close = difflib.get_close_matches(str(value), names, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    choices = ", ".join(names) + (f", {otherwise}" if otherwise else "")
    place = f"{where}: unknown" if where else "Unknown"
    return ConfigurationError(f"{place} {what} {value!r}.{hint} Choose one of: {choices}.")

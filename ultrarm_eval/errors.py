"""Every error this package raises on purpose.

Catch `UltrarmEvalError` to distinguish these errors from bugs.
Messages say what failed, where, what is allowed, and how to fix it.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "UltrarmEvalError",
    "ConfigurationError",
    "MissingPackageError",
    "CheckpointError",
    "OtherKindError",
    "MissingTemplateError",
    "OwnCodeError",
    "DeviceError",
    "TextDoesNotFitError",
    "DataError",
    "ScoringError",
    "TextRefusedError",
    "RewardError",
    "UnwritableTextError",
    "AnswersNotJudgedError",
    "ResponseCacheError",
    "CacheMismatchError",
    "ScoreStoreError",
    "PluginError",
]

#: If set to 1, on, yes or true, commands show tracebacks of our errors.
TRACEBACK_SWITCH = "ULTRARM_EVAL_TRACEBACK"


class UltrarmEvalError(Exception):
    """Base class of all errors of `ultrarm_eval`."""


class ConfigurationError(UltrarmEvalError):
    """A setting, option or metadata key has a value that is not allowed.

    Cause:
        A name is misspelled, a value is out of range, two options contradict each other, or a
        setting does not belong to this judge or engine.

    Fix:
        Correct the value that the message names; it lists the allowed values and the closest name.
    """


class MissingPackageError(ConfigurationError, ModuleNotFoundError):
    """A package of an extra is not installed.

    Cause:
        A plugin for another harness is used, and inspect_ai or lighteval is not installed.

    Fix:
        Run the `pip install` command in the message.
    """

    def __init__(self, package: str, extra: str) -> None:
        """Takes the package, and this package's extra that installs it."""
        super().__init__(f'{package} is not installed: pip install "ultrarm-eval[{extra}]".')


class CheckpointError(UltrarmEvalError):
    """A checkpoint is missing, cannot be reached, or is not the model that it claims to be.

    Cause:
        The folder or hub id does not exist, the hub cannot be reached, a file is missing or
        damaged, or weights are missing, duplicated or would be ignored.

    Fix:
        Check the path and the revision; `ultrarm-eval inspect-checkpoint DIR` shows what was found
        and what is missing.
    """


class OtherKindError(CheckpointError):
    """A checkpoint is not of the type that the judge supports.

    Cause:
        `judge=NAME` names a judge for another type of reward model.

    Fix:
        Remove `judge`, so that the checkpoint decides (`judge=auto`); `ultrarm-eval
        inspect-checkpoint DIR` shows which judge supports it.
    """


class MissingTemplateError(CheckpointError, ConfigurationError):
    """A judge needs the tokenizer's chat template, and the tokenizer has none.

    Cause:
        `template=chat` is set, or is the judge's default, and the checkpoint's tokenizer comes
        without a chat template.

    Fix:
        Set `template=NAME` to a template of this package, or to a Jinja file.
    """


class OwnCodeError(CheckpointError):
    """A checkpoint needs its own code, which is never executed.

    Cause:
        config.json names code that comes with the checkpoint (`auto_map`), and the registered judge
        could compute different rewards than that code.

    Fix:
        If the code computes the same, remove the entry from `auto_map` in a copy of the checkpoint.
        Otherwise write a plugin with a judge.
    """


class DeviceError(UltrarmEvalError):
    """The device does not exist or cannot hold the weights.

    Cause:
        `device` names a GPU that this machine does not have, or the free memory is smaller than the
        weights and the smallest batch.

    Fix:
        Name another device, free memory, or use `dtype=bfloat16`, `quantization=int8` or
        `parallelize=True`.
    """


class TextDoesNotFitError(DeviceError):
    """A single text needs more memory than the device has.

    Attributes:
        text: Which of the texts that were scored together.

    Cause:
        One text, or one prompt with its completions, does not fit even if nothing else is in its
        batch.

    Fix:
        Set a smaller `max_length` or `dtype=bfloat16`, or distribute the model with
        `parallelize=True`.
    """

    def __init__(self, message: str, text: int) -> None:
        """Names the text."""
        super().__init__(message)
        self.text = text


class DataError(UltrarmEvalError):
    """Preference data cannot be read, or contain nothing to score.

    Cause:
        The file or data set does not exist, its columns have no known schema, a row is malformed,
        or no pair remains.

    Fix:
        Correct the row or column in the message; `ultrarm-eval data inspect DATA` lists what is
        used and what is excluded, with the reasons.
    """


class ScoringError(UltrarmEvalError):
    """A text could not be scored, or its reward is not a finite number.

    Cause:
        The judge gave NaN or infinity, the tokenizer and the weights do not belong together, or a
        server returned no reward.

    Fix:
        Look at the text in the message with `ultrarm-eval tokens`; for NaN use another `dtype`,
        such as `float32`.
    """


class TextRefusedError(ScoringError):
    """The engine rejects a single text.

    Attributes:
        text: Which of the texts that were computed together.
        reason: Why, without its number.

    Cause:
        vLLM or a server rejects the text, for example because it is longer than allowed.

    Fix:
        Raise the server's limit, or lower `max_length`.
    """

    def __init__(self, reason: str, text: int) -> None:
        """Names the text."""
        super().__init__(f"Text {text}: {reason}")
        self.reason, self.text = reason, text


class RewardError(ScoringError):
    """A judge returned no usable reward for a completion.

    Attributes:
        completion: Which of the completions that were scored together.
        problem: What is wrong with the reward, without the place of the completion.
        judgements: The `Judgement`s of the other completions that are known, by index.

    Cause:
        A reward is NaN or infinite, or a plugin's judge returned another type, or returned nothing
        although it may not abstain.

    Fix:
        For NaN use `dtype=float32` or look for damaged weights. A plugin's judge has to return
        one finite number for each completion, or a `Judgement` with the value None if it may
        abstain.
    """

    def __init__(self, message: str, completion: int, problem: str) -> None:
        """Names the completion."""
        super().__init__(message)
        self.completion, self.problem = completion, problem
        self.judgements: Mapping[int, Any] = {}


class UnwritableTextError(ScoringError):
    """A template cannot write a text; found before any text is scored.

    Attributes:
        text: Which of the texts that were given together.
        reason: What is wrong with it, without its number.

    Cause:
        The template does not support a role or the order of the turns, leaves a turn out, or a role
        spells a special token of the tokenizer.

    Fix:
        Name another `template`, or set `system=fold` or `system=drop` for system turns.
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
    """A judge failed on the answers of a model; they are kept in a file.

    Attributes:
        kept: The first of the documents whose answers are kept.

    Cause:
        Scoring failed after the model had written its answers.

    Fix:
        Remove the cause, and run the `ultrarm-eval judge` command in the message on the file with
        the answers.
    """

    kept: object = None


class ResponseCacheError(UltrarmEvalError):
    """A response cache is damaged.

    Cause:
        The file of `--use_cache` cannot be read, or an entry is not a reward.

    Fix:
        Delete the file that the message names, or name another with `--use_cache`.
    """


class CacheMismatchError(ResponseCacheError):
    """A response cache contains rewards of another judge.

    Cause:
        `--use_cache` names a file that was written with another checkpoint, template or setting.

    Fix:
        Use another file for each judge, or delete this one.
    """


class ScoreStoreError(UltrarmEvalError):
    """A score store cannot be opened, read or written, or is not a score store.

    Cause:
        The folder does not exist or is not writable, the file is another database, or another
        process locks it.

    Fix:
        Name a new file on a local disk in `score_store`; join stores with `ultrarm-eval
        merge-stores`.
    """


class PluginError(UltrarmEvalError):
    """A plugin registers something that cannot be registered.

    Cause:
        A name is registered twice, an object has the wrong type, a factory cannot be imported, or a
        plugin's benchmark fails.

    Fix:
        Correct the plugin that the message names, or uninstall its package.
    """


def wants_traceback() -> bool:
    """Whether the user wants tracebacks of our errors."""
    return os.environ.get(TRACEBACK_SWITCH, "").strip().lower() in {"1", "on", "yes", "true"}


def first_line(error: BaseException) -> str:
    """The first line of another library's exception, with its class, for use in a message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def closest(value: str, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The name that a misspelled one most likely means; None if none is close.

    Args:
        value: What was given.
        names: The allowed names.
        cutoff: How similar a name has to be, from 0 to 1 (`difflib.SequenceMatcher.ratio`).
    """
    return next(iter(difflib.get_close_matches(value, list(names), n=1, cutoff=cutoff)), None)


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
    close = closest(str(value), names)
    hint = f" Did you mean {close!r}?" if close else ""
    choices = ", ".join(names) + (f", {otherwise}" if otherwise else "")
    place = f"{where}: unknown" if where else "Unknown"
    return ConfigurationError(f"{place} {what} {value!r}.{hint} Choose one of: {choices}.")

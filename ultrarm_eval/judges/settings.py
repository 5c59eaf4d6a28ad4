"""Values of a judge's settings, checked."""

from __future__ import annotations

from ultrarm_eval.checkpoints.checkpoint import DTYPES
from ultrarm_eval.errors import ConfigurationError, unknown_choice

DEFAULT_SPECIAL_TOKENS = "text"
_DEFAULT_MAX_LENGTH = 2048


def checked_dtype(dtype: str) -> str:
    """The name of a dtype, or `auto`."""
    name = str(dtype).removeprefix("torch.")
    if name not in {"auto", *DTYPES}:
        raise unknown_choice("dtype", dtype, ("auto", *DTYPES))
    return name


def checked_flag(name: str, value: object) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name} is True or False, not {value!r}.")
    return value


def checked_count(name: str, value: object) -> int | None:
    """A whole number of at least 1, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not str(value).isdecimal() or int(str(value)) < 1:
        raise ConfigurationError(f"{name} is a whole number of at least 1, not {value!r}.")
    return int(str(value))


def checked_max_length(max_length: object, name: str, positions: int | None) -> int:
    """The most tokens of a text, within the model's positions.

    Args:
        max_length: What the user set; None for the default.
        name: The checkpoint, for messages.
        positions: The model's positions; None if it has no limit.
    """
    if max_length is None:
        return min(_DEFAULT_MAX_LENGTH, positions or _DEFAULT_MAX_LENGTH)
    number = int(str(max_length)) if str(max_length).isdecimal() else 0
    if number < 1 or (positions is not None and number > positions):
        raise ConfigurationError(
            f"max_length={max_length!r} is not allowed: {name} has {positions} "
            f"positions, so it is a whole number from 1 to {positions}."
            if positions is not None
            else f"max_length={max_length!r} is not allowed: it is a whole number of at least 1."
        )
    return number


def max_texts(batch_size: int | str | None, max_batch_size: int | str | None) -> int | None:
    """The most texts of a batch; None for `auto` and for lm-eval's default of 1."""
    limits = []
    if batch_size is not None and not str(batch_size).startswith("auto"):
        limits.append(checked_count("batch_size", batch_size))
    if limits == [1]:
        limits = []
    if max_batch_size is not None:
        limits.append(checked_count("max_batch_size", max_batch_size))
    return min((limit for limit in limits if limit is not None), default=None)

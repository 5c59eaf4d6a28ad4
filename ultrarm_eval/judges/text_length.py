"""How long a text may be: what a user sets, what positions allow, what a checkpoint names."""

from __future__ import annotations

import logging

from ultrarm_eval.checkpoints.recommended_length import RecommendedLength, published_length
from ultrarm_eval.errors import ConfigurationError

logger = logging.getLogger(__name__)

_DEFAULT_MAX_LENGTH = 2048


def checked_max_length(max_length: object, name: str, positions: int | None) -> int:
    """The most tokens of a text, within the model's positions.

    Args:
        max_length: What the user set; None for the default.
        name: The checkpoint, for messages.
        positions: The model's positions; None if it has no limit.

    Raises:
        ConfigurationError: It is no whole number, or beyond the positions.
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


def warn_of_length(name: str, max_length: object) -> None:
    """Says so where a user asks for longer texts than a model's authors name.

    Args:
        name: The checkpoint.
        max_length: What the user set; None for the default.
    """
    said = published_length(name)
    if said is not None and max_length is not None and int(str(max_length)) > said.tokens:
        logger.warning("max_length=%s: %s is made for %s at most.", max_length, name, said)


def advice_on_cuts(said: RecommendedLength | None, max_length: int, parity: str | None) -> str:
    """What is said where texts are cut although the checkpoint names more tokens.

    Args:
        said: What it names.
        max_length: The most tokens of a text.
        parity: The official run that the texts are cut as in, if there is one.
    """
    if said is None or said.tokens <= max_length:
        return ""
    decides = (
        f"max_length={said.tokens} reads them so"
        if parity is None
        else f"parity={parity} cuts where the official run does"
    )
    return f"The checkpoint names {said}: {decides}."

"""The maximum length of texts: setting, model's positions, checkpoint's recommendation."""

from __future__ import annotations

import logging

from ultrarm_eval.checkpoints.recommended_length import RecommendedLength, published_length
from ultrarm_eval.errors import ConfigurationError

logger = logging.getLogger(__name__)

_DEFAULT_MAX_LENGTH = 2048


def checked_max_length(max_length: object, name: str, positions: int | None) -> int:
    """The maximum number of tokens per text, within the model's positions.

    Args:
        max_length: The user's setting; None for the default.
        name: The checkpoint, for messages.
        positions: The model's positions; None if it has no limit.

    Raises:
        ConfigurationError: It is not an integer, or exceeds the positions.
    """
    if max_length is None:
        return min(_DEFAULT_MAX_LENGTH, positions or _DEFAULT_MAX_LENGTH)
    number = int(str(max_length)) if str(max_length).isdecimal() else 0
    if number < 1 or (positions is not None and number > positions):
        raise ConfigurationError(
            f"max_length={max_length!r} is not allowed: {name} has {positions} positions. Use an "
            f"integer from 1 to {positions}."
            if positions is not None
            else f"max_length={max_length!r} is not allowed: use an integer of at least 1."
        )
    return number


def warn_of_length(name: str, max_length: object) -> None:
    """Warns if a user requests longer texts than a model's authors recommend.

    Args:
        name: The checkpoint.
        max_length: The user's setting; None for the default.
    """
    said = published_length(name)
    if said is not None and max_length is not None and int(str(max_length)) > said.tokens:
        logger.warning(
            "max_length=%s is longer than %s was made for: %s. Rewards of longer texts "
            "may be unreliable.",
            max_length,
            name,
            said,
        )


def advice_on_cuts(said: RecommendedLength | None, max_length: int, parity: str | None) -> str:
    """Advice for truncated texts if the checkpoint recommends more tokens.

    Args:
        said: The checkpoint's recommendation.
        max_length: The maximum number of tokens per text.
        parity: The official run whose truncation is reproduced, if there is one.
    """
    if said is None or said.tokens <= max_length:
        return ""
    decides = (
        f"max_length={said.tokens} uses that length"
        if parity is None
        else f"parity={parity} truncates like the official run"
    )
    return f"The checkpoint recommends {said}: {decides}."

"""The value of one field of a row: text, or messages, as a list or as JSON text."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.messages import Message, as_messages, read_messages_as_text

Messages: TypeAlias = tuple[Message, ...]


class UnusableRowError(DataError):
    """A row has no clear meaning; the message names the field and the cause, but not the row.

    Attributes:
        reason: The end of the count's name for such rows.

    Cause:
        The fields of a row contradict each other, or it contains tools or media, which a judge of
        texts does not see.

    Fix:
        Correct or remove the row. Tasks exclude such rows, count them and warn.
    """

    def __init__(self, reason: str, message: str) -> None:
        """Takes the reason and its explanation, which callers put into their own messages."""
        super().__init__(message.rstrip("."))
        self.reason = reason


def read_messages(value: Any, field: str, reason: str, notes: set[str]) -> str | Messages:
    """A text, or the messages of a value, as a list or as JSON text."""
    if isinstance(value, str):
        try:
            spelled = read_messages_as_text(value)
        except DataError as error:
            raise UnusableRowError(reason, f"field {field!r}: {error}") from error
        if spelled is None:
            return value
        notes.add("rows_with_messages_as_text")
        value = spelled
    try:
        return as_messages(value)
    except ConfigurationError as error:
        raise UnusableRowError(reason, f"field {field!r}: {error}") from error


def require_prose(text: str, field: str) -> None:
    """Refuses a text that contains messages as JSON, where plain text is needed.

    Raises:
        UnusableRowError: The text contains messages.
    """
    if not isinstance(read_messages(text, field, "not_text", set()), str):
        raise UnusableRowError(
            "not_text", f"field {field!r} contains messages as JSON text; it must be plain text"
        )


def is_nan(value: object) -> bool:
    """Whether a value is pandas' missing value."""
    return isinstance(value, float) and math.isnan(value)

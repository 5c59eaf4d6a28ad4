"""Reads the fields of a benchmark's rows; errors name the place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Location, Row, wrong_type
from ultrarm_eval.errors import DataError
from ultrarm_eval.messages import Message
from ultrarm_eval.sources.conversations import (
    CONTRADICTIONS,
    AnsweredPrompt,
    read_pair,
    read_prompt,
)
from ultrarm_eval.sources.message_fields import UnusableRowError, require_prose


def text_of(row: Row, field: str, where: Location) -> str:
    """A field that is a text.

    Raises:
        DataError: It is missing or something else.
    """
    if field not in row:
        raise DataError(f"{where}: field {field!r} is missing.")
    if not isinstance(row[field], str):
        raise wrong_type(where, field, row[field], "a text")
    return _as_prose(row[field], field, where)


def texts_of(row: Row, field: str, where: Location) -> tuple[str, ...]:
    """A field that is a list of texts; one text is a list of one.

    Raises:
        DataError: It is missing or something else.
    """
    if isinstance(row.get(field), str):
        return (_as_prose(row[field], field, where),)
    if field not in row:
        raise DataError(f"{where}: field {field!r} is missing.")
    values = row[field]
    if not isinstance(values, Sequence) or not all(isinstance(value, str) for value in values):
        raise wrong_type(where, field, values, "a list of texts")
    return tuple(_as_prose(value, field, where) for value in values)


def prompt_of(row: Row, field: str, where: Location) -> tuple[Message, ...]:
    """A field that is a text or messages, with the columns that belong to it.

    Raises:
        DataError: It is missing or something else.
    """
    if row.get(field) is None:
        raise DataError(f"{where}: field {field!r} is missing.")
    try:
        return read_prompt(row, field).prompt
    except UnusableRowError as error:
        raise DataError(f"{where}: {error}.") from error


def pair_of(row: Row, where: Location, counts: DataCounts) -> AnsweredPrompt | None:
    """The conversation, the chosen and the rejected answer of a row of these three fields.

    Returns:
        The pair; None, and counted, where the fields contradict each other.

    Raises:
        DataError: A field is missing or something else than texts and messages.
    """
    for field in ("prompt", "chosen", "rejected"):
        if row.get(field) is None:
            raise DataError(f"{where}: field {field!r} is missing.")
        if not isinstance(row[field], str | Mapping | Sequence):
            raise wrong_type(where, field, row[field], "a text or messages")
    try:
        pair = read_pair(row)
    except UnusableRowError as error:
        if error.reason in CONTRADICTIONS:
            counts.add(f"rows_left_out_{error.reason}", why=str(error))
            return None
        raise DataError(f"{where}: {error}.") from error
    pair.count(counts)
    return pair


def name_of(row: Row, field: str, otherwise: object) -> str:
    """A field as a name: a text or a number; a default where it is missing."""
    value = row.get(field)
    return str(otherwise if value is None else value)


def one_of(row: Row, field: str, allowed: Sequence[Any], where: Location) -> Any:
    """A field with one of a few values.

    Raises:
        DataError: It has another.
    """
    value = row.get(field)
    found = [one for one in allowed if one == value and not isinstance(value, bool)]
    if not found:
        raise DataError(
            f"{where}: field {field!r} is {value!r}; allowed are {', '.join(map(repr, allowed))}."
        )
    # The allowed value, because a file may write the number 1 as 1.0.
    return found[0]


def _as_prose(text: str, field: str, where: Location) -> str:
    """A text that is not a serialized list of messages, which would be scored like prose."""
    try:
        require_prose(text, field)
    except UnusableRowError as error:
        raise DataError(f"{where}: {error}.") from error
    return text

"""The columns beside a prompt that belong to its conversation: a system turn, earlier turns.

What a judge of texts cannot see, such as tools and images, is in others: such rows are unusable.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ultrarm_eval.data.rows import Row
from ultrarm_eval.messages import Message
from ultrarm_eval.sources.conversation_parts import led_by, with_history
from ultrarm_eval.sources.message_fields import Messages, UnusableRowError, is_nan, read_messages

#: Columns with the conversation's system turn, and with its earlier turns.
SYSTEM_COLUMNS = ("system", "system_prompt", "system_message")
HISTORY_COLUMN = "history"
#: Columns with content that a judge of texts cannot see; answers that depend on it cannot be
#: judged.
UNSEEN_COLUMNS = ("tools", "functions", "images", "image", "videos", "audios")
#: Reasons for rows whose answers depend on content that a judge of texts cannot see.
UNSEEN = frozenset({"with_tools", "with_media"})
_NOTHING = ("", "[]", "{}", "null")


class ConversationColumns:
    """The turns of a conversation in a row's other columns."""

    def __init__(self, row: Row, notes: set[str], *, besides: str = "") -> None:
        """Reads them.

        Args:
            row: The row.
            notes: The names of counts about how the row was read; what was found is added.
            besides: A column that is read as something else.

        Raises:
            UnusableRowError: A column has content that a judge cannot see, or no turns.
        """
        for field in UNSEEN_COLUMNS:
            if _says_something(row.get(field)):
                raise UnusableRowError(
                    "with_tools" if field in ("tools", "functions") else "with_media",
                    f"field {field!r} has content that a judge of texts cannot read. Write what "
                    "the model was shown into the prompt, or remove the row",
                )
        self._system: dict[str, Messages] = {
            field: _read_system(row[field], field, notes)
            for field in SYSTEM_COLUMNS
            if field != besides and _says_something(row.get(field))
        }
        self._history: Messages = ()
        if besides != HISTORY_COLUMN and _says_something(row.get(HISTORY_COLUMN)):
            self._history = _read_history(row[HISTORY_COLUMN], notes)
        notes.update(f"rows_with_{field}_column" for field in self._system)
        if self._history:
            notes.add(f"rows_with_{HISTORY_COLUMN}_column")

    def around(self, conversation: Messages) -> Messages:
        """Adds the system turn and the earlier turns to a conversation."""
        found = self._added(HISTORY_COLUMN, self._history, conversation, with_history)
        for field, system in self._system.items():
            found = self._added(field, system, found, led_by)
        return found

    def _added(
        self,
        field: str,
        more: Messages,
        conversation: Messages,
        add: Callable[[Messages, Messages], Messages | None],
    ) -> Messages:
        found = add(more, conversation) if more else conversation
        if found is None:
            raise UnusableRowError(
                "contradictory_prompt",
                f"field {field!r} contradicts the conversation, which has different turns there. "
                "Remove one of them",
            )
        return found


def _says_something(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip() not in _NOTHING
    if isinstance(value, Mapping):
        # In a table every row has all columns.
        return any(_says_something(each) for each in value.values())
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return any(_says_something(each) for each in value)
    return value is not None and value is not False and not is_nan(value)


def _read_system(value: Any, field: str, notes: set[str]) -> Messages:
    read = read_messages(value, field, "system_not_text", notes)
    if isinstance(read, str):
        return (Message(role="system", content=read),)
    if any(message["role"] != "system" for message in read):
        raise UnusableRowError(
            "system_not_text", f"field {field!r} has turns with roles other than 'system'"
        )
    return read


def _read_history(value: Any, notes: set[str]) -> Messages:
    """Earlier turns: messages, or pairs of user and assistant texts."""
    pairs = _read_json(value) if isinstance(value, str) else value
    if isinstance(pairs, Sequence) and pairs and all(_is_turn_pair(pair) for pair in pairs):
        return tuple(
            Message(role=role, content=text)
            for pair in pairs
            for role, text in zip(("user", "assistant"), pair, strict=True)
        )
    read = read_messages(value, HISTORY_COLUMN, "history_not_text", notes)
    if isinstance(read, str):
        raise UnusableRowError(
            "history_not_text",
            f"field {HISTORY_COLUMN!r} is text; it must be a list of messages, or of pairs "
            "[user, assistant]. Otherwise write it into the prompt",
        )
    return read


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_turn_pair(pair: Any) -> bool:
    return (
        isinstance(pair, Sequence)
        and not isinstance(pair, str)
        and len(pair) == 2
        and all(isinstance(text, str) for text in pair)
    )

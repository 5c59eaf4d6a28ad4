"""Reads the conversation before an answer, and the answers, from rows that contain both.

Every command and task reads prompts with answers here, so that a row has one meaning. A
conversation may be spread over columns: a prompt, the answers' own lists, a system turn, earlier
turns.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Row
from ultrarm_eval.errors import ConfigurationError, DataError
from ultrarm_eval.messages import Message, as_messages, read_messages_as_text
from ultrarm_eval.sources.continuation import joined, joined_with_text, led_by, with_history

Messages: TypeAlias = tuple[Message, ...]

#: Columns with the conversation's system turn, and with its earlier turns.
SYSTEM_COLUMNS = ("system", "system_prompt", "system_message")
HISTORY_COLUMN = "history"
#: Columns with what a judge of texts does not see; answers that depend on it cannot be judged.
UNSEEN_COLUMNS = ("tools", "functions", "images", "image", "videos", "audios")
#: Columns that are the prompt where there is no `prompt`: whole conversations.
CONVERSATION_COLUMNS = ("conversations", "conversation", "messages")
#: Reasons of rows whose fields can be read and say different things.
CONTRADICTIONS = frozenset({"contradictory_prompt", "different_conversations", "ends_with_answer"})
ANSWERS_REPEAT_PROMPT = "rows_with_answers_that_repeat_the_prompt"
BEHIND_AN_ANSWER = "rows_with_answers_behind_an_answer"
#: What to say of rows that were read in the one way there is, and are perhaps not meant so.
ADVICE = {
    ANSWERS_REPEAT_PROMPT: (
        "both answers begin with the text of the prompt, which is then scored twice. If they "
        "are complete conversations, remove the prompt from one of the two places"
    ),
    BEHIND_AN_ANSWER: (
        "the prompt ends with an assistant turn, and the answers are scored as another turn "
        "after it. If that turn is the beginning of the answers, or one of them, move it there"
    ),
}
#: Reasons of rows whose answers depend on what a judge of texts does not see.
UNSEEN = frozenset({"with_tools", "with_media"})
_NO_MESSAGES = "[]"
_NOTHING = ("", _NO_MESSAGES, "{}", "null")
_FORMS = "text, a list of messages, or one message"


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


@dataclass(frozen=True)
class AnsweredPrompt:
    """A conversation and answers to it.

    Attributes:
        prompt: The conversation before the answers; empty if there is none.
        answers: The answers.
        notes: The names of counts about how the row was read.
    """

    prompt: Messages
    answers: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def count(self, counts: DataCounts) -> None:
        """Counts how the row was read."""
        for note in self.notes:
            counts.add(note)


def read_pair(row: Row) -> AnsweredPrompt:
    """Reads a row of `chosen`, `rejected` and possibly `prompt`; see `read_answered_prompt`.

    Returns:
        The conversation, and the chosen and the rejected answer.

    Raises:
        KeyError: `chosen` or `rejected` is missing.
        UnusableRowError: The row has no clear meaning.
    """
    prompt_field = "prompt"
    if row.get("prompt") is None or _is_nan(row["prompt"]):
        given = (name for name in CONVERSATION_COLUMNS if row.get(name) is not None)
        prompt_field = next(given, "prompt")
    return read_answered_prompt(row, prompt_field, ("chosen", "rejected"))


def read_answered_prompt(row: Row, prompt_field: str, fields: Sequence[str]) -> AnsweredPrompt:
    """Reads a prompt and answers to it.

    Args:
        row: The row. A prompt is text, messages or nothing; an answer is text, or messages that end
            with it; messages may be written as JSON text. Turns in both are read once (see
            `continuation`). The columns `system` and `history` belong to the prompt.
        prompt_field: The prompt's column, which may be missing.
        fields: The answers' columns.

    Raises:
        KeyError: An answer's column is missing.
        UnusableRowError: The row has no clear meaning.
    """
    notes: set[str] = set()
    prompt = _read_prompt(row, prompt_field, notes)
    sides = [_read_side(row[field], field, notes) for field in fields]
    if prompt_field in CONVERSATION_COLUMNS and not isinstance(prompt, str):
        prompt = _without_answer(prompt, sides)
    context = _Context(row, notes)
    found = [
        context.around(_joined(prompt, before, prompt_field, field))
        for field, (before, _) in zip(fields, sides, strict=True)
    ]
    for field, conversation in zip(fields, found, strict=True):
        if conversation != found[0]:
            raise UnusableRowError(
                "different_conversations",
                f"fields {fields[0]!r} and {field!r} answer different conversations. Both must "
                "answer the same one",
            )
    if found[0] and found[0][-1]["role"] == "assistant":
        if prompt_field in CONVERSATION_COLUMNS:
            raise UnusableRowError(
                "ends_with_answer",
                f"field {prompt_field!r} ends with an 'assistant' turn that is not one of the "
                "answers, which would follow it. Remove it from the conversation",
            )
        notes.add(BEHIND_AN_ANSWER)
    answers = tuple(answer for _, answer in sides)
    own_text = prompt.strip() if isinstance(prompt, str) else ""
    is_bare = not any(before for before, _ in sides)
    if own_text and is_bare and all(answer.startswith(own_text) for answer in answers):
        notes.add(ANSWERS_REPEAT_PROMPT)
    return AnsweredPrompt(found[0], answers, tuple(sorted(notes)))


def read_prompt(row: Row, field: str) -> AnsweredPrompt:
    """Reads a prompt without answers, and the columns that belong to it.

    Raises:
        UnusableRowError: The row has no clear meaning.
    """
    notes: set[str] = set()
    conversation = as_messages(_read_prompt(row, field, notes))
    return AnsweredPrompt(
        _Context(row, notes, besides=field).around(conversation), (), tuple(sorted(notes))
    )


def require_prose(text: str, field: str) -> None:
    """Refuses a text that contains messages as JSON, where plain text is needed.

    Raises:
        UnusableRowError: The text contains messages.
    """
    if not isinstance(_read_messages(text, field, "not_text", set()), str):
        raise UnusableRowError(
            "not_text", f"field {field!r} contains messages as JSON text; it must be plain text"
        )


def _read_prompt(row: Row, field: str, notes: set[str]) -> str | Messages:
    value = row.get(field)
    if _is_nan(value) or (isinstance(value, str) and value.strip() == _NO_MESSAGES):
        return ()
    return _read_messages(value, field, "prompt_not_text", notes)


def _read_messages(value: Any, field: str, reason: str, notes: set[str]) -> str | Messages:
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


def _read_side(value: Any, field: str, notes: set[str]) -> tuple[Messages, str]:
    """The conversation in an answer's own column, and the answer."""
    if value is None or not isinstance(value, str | Mapping | Sequence):
        raise UnusableRowError("not_text", f"field {field!r} is {value!r:.40}; it must be {_FORMS}")
    read = _read_messages(value, field, "not_text", notes)
    if isinstance(read, str):
        return (), read
    if not read:
        raise UnusableRowError("not_text", f"field {field!r} is empty; it must be {_FORMS}")
    if read[-1]["role"] != "assistant":
        raise UnusableRowError(
            "not_text",
            f"field {field!r} ends with a {read[-1]['role']!r:.40} turn; its last message must "
            "be the answer, with role 'assistant'",
        )
    return read[:-1], read[-1]["content"]


def _without_answer(prompt: Messages, sides: Sequence[tuple[Messages, str]]) -> Messages:
    """A conversation without the answer that some data sets include."""
    ends_answered = bool(prompt) and prompt[-1]["role"] == "assistant"
    answers = {answer for _, answer in sides}
    return prompt[:-1] if ends_answered and prompt[-1]["content"] in answers else prompt


def _joined(prompt: str | Messages, before: Messages, prompt_field: str, field: str) -> Messages:
    conversation = (
        joined_with_text(prompt, before) if isinstance(prompt, str) else joined(prompt, before)
    )
    if conversation is None:
        raise UnusableRowError(
            "contradictory_prompt",
            f"field {field!r} neither repeats the end of {prompt_field!r} nor continues it. Make "
            f"{prompt_field!r} the beginning of the conversation, or remove it if the lists "
            "contain the complete conversation",
        )
    return conversation


class _Context:
    """The parts of a conversation in a row's other columns."""

    def __init__(self, row: Row, notes: set[str], *, besides: str = "") -> None:
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
        # A table gives every row all the fields that any of its rows has.
        return any(_says_something(each) for each in value.values())
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return any(_says_something(each) for each in value)
    return value is not None and value is not False and not _is_nan(value)


def _is_nan(value: object) -> bool:
    """Whether a value is pandas' missing value."""
    return isinstance(value, float) and math.isnan(value)


def _read_system(value: Any, field: str, notes: set[str]) -> Messages:
    read = _read_messages(value, field, "system_not_text", notes)
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
    read = _read_messages(value, HISTORY_COLUMN, "history_not_text", notes)
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

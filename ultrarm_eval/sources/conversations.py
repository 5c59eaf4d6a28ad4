"""Reads the conversation before an answer, and the answers, from rows that contain both.

Every command and task reads prompts with answers here, so that a row has one meaning. A
conversation may be spread over columns: a prompt, the answers' own lists, a system turn, earlier
turns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.data.counts import DataCounts
from ultrarm_eval.data.rows import Row
from ultrarm_eval.messages import as_messages
from ultrarm_eval.sources.conversation_columns import ConversationColumns
from ultrarm_eval.sources.conversation_parts import joined, joined_with_text
from ultrarm_eval.sources.message_fields import Messages, UnusableRowError, is_nan, read_messages

#: Columns with complete conversations, used as the prompt if there is no `prompt`.
CONVERSATION_COLUMNS = ("conversations", "conversation", "messages")
_PROMPT_COLUMNS = frozenset({"prompt", *CONVERSATION_COLUMNS})
#: Other names for a prompt: with one of them and no `prompt`, the prompt would be ignored, unless
#: the answers are complete conversations. UltraInteract has its earlier turns in `trajectory`.
OTHER_PROMPT_COLUMNS = frozenset(
    {"instruction", "question", "query", "input", "context", "trajectory", "post", "dialogue"}
)
#: Reasons for rows with readable fields that have no clear meaning together.
CONTRADICTIONS = frozenset(
    {
        "contradictory_prompt",
        "different_conversations",
        "ends_with_answer",
        "prompt_in_other_column",
    }
)
ANSWERS_REPEAT_PROMPT = "rows_with_answers_that_repeat_the_prompt"
BEHIND_AN_ANSWER = "rows_with_answers_behind_an_answer"
#: Remarks about rows that may not be meant the way they were read.
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
_NO_MESSAGES = "[]"
_FORMS = "text, a list of messages, or one message"


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


def names_prompt(columns: frozenset[str]) -> bool:
    """Whether no column of another name may contain the prompt of pairs."""
    return bool(columns & _PROMPT_COLUMNS) or not columns & OTHER_PROMPT_COLUMNS


def contains_prompt(row: Row) -> bool:
    """Whether both answers of a row are complete conversations, so that no prompt is missing.

    Raises:
        KeyError: `chosen` or `rejected` is missing.
    """
    try:
        sides = [read_side(row[field], field, set())[0] for field in ("chosen", "rejected")]
    except UnusableRowError:
        return False
    first = [next((turn for turn in side if turn["role"] != "system"), None) for side in sides]
    return all(turn is not None and turn["role"] == "user" for turn in first)


def read_pair(row: Row) -> AnsweredPrompt:
    """Reads a row of `chosen`, `rejected` and possibly `prompt`; see `read_answered_prompt`.

    Returns:
        The conversation, and the chosen and the rejected answer.

    Raises:
        KeyError: `chosen` or `rejected` is missing.
        UnusableRowError: The row has no clear meaning.
    """
    columns = frozenset(row)
    if not names_prompt(columns) and not contains_prompt(row):
        names = ", ".join(map(repr, sorted(OTHER_PROMPT_COLUMNS & columns)))
        raise UnusableRowError(
            "prompt_in_other_column",
            f"the prompt may be in {names}, which is not read. Rename that field to 'prompt'",
        )
    prompt_field = "prompt"
    if row.get("prompt") is None or is_nan(row["prompt"]):
        given = (name for name in CONVERSATION_COLUMNS if row.get(name) is not None)
        prompt_field = next(given, "prompt")
    return read_answered_prompt(row, prompt_field, ("chosen", "rejected"))


def read_answered_prompt(row: Row, prompt_field: str, fields: Sequence[str]) -> AnsweredPrompt:
    """Reads a prompt and answers to it.

    Args:
        row: The row. A prompt is text, messages or nothing; an answer is text, or messages that end
            with it; messages may be written as JSON text. Turns in both are read once (see
            `conversation_parts`). The columns `system` and `history` belong to the prompt.
        prompt_field: The prompt's column, which may be missing.
        fields: The answers' columns.

    Raises:
        KeyError: An answer's column is missing.
        UnusableRowError: The row has no clear meaning.
    """
    notes: set[str] = set()
    prompt = _read_prompt(row, prompt_field, notes)
    sides = [read_side(row[field], field, notes) for field in fields]
    if prompt_field in CONVERSATION_COLUMNS and not isinstance(prompt, str):
        prompt = _without_answer(prompt, sides)
    context = ConversationColumns(row, notes)
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
    found = ConversationColumns(row, notes, besides=field).around(conversation)
    return AnsweredPrompt(found, (), tuple(sorted(notes)))


def _read_prompt(row: Row, field: str, notes: set[str]) -> str | Messages:
    value = row.get(field)
    if is_nan(value) or (isinstance(value, str) and value.strip() == _NO_MESSAGES):
        return ()
    return read_messages(value, field, "prompt_not_text", notes)


def read_side(value: Any, field: str, notes: set[str]) -> tuple[Messages, str]:
    """The conversation in an answer's own column, and the answer.

    Raises:
        UnusableRowError: It is neither text nor messages that end with an answer.
    """
    if value is None or not isinstance(value, str | Mapping | Sequence):
        raise UnusableRowError("not_text", f"field {field!r} is {value!r:.40}; it must be {_FORMS}")
    read = read_messages(value, field, "not_text", notes)
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

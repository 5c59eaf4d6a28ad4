"""Prompts as chat messages: the conversation before the completion that a judge scores."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypedDict

from ultrarm_eval.errors import ConfigurationError, DataError

__all__ = ["Message", "Prompt", "as_messages"]


class Message(TypedDict):
    """One turn of a conversation."""

    role: str
    content: str


#: One user turn as text, a complete conversation, one message, or nothing.
Prompt: TypeAlias = str | Mapping[str, object] | Sequence[Mapping[str, object]] | None

#: The roles of turns in ShareGPT's format (`from` and `value`).
ROLES_OF_SPEAKERS = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "system": "system",
}
_TEXT_PARTS = frozenset({"text", "input_text", "output_text"})
# Fields of a turn in addition to its text, without which it would be a different turn.
_CALLS = ("tool_calls", "function_call")
# Templates write a role between control tokens or as a label, so it must be a word, not a text that
# could end its turn and begin another.
_ROLE = re.compile(r"\w[\w .-]{0,63}")
# Roles of messages that are stored as text in a file.
_ROLES = frozenset({*ROLES_OF_SPEAKERS, "tool", "function", "developer"})
# The beginning of messages in JSON or in Python's print, and a role in them.
_BEGINNING = re.compile(r"""(?:array\()?\[?\s*\{\s*["'](?:content|value|role|from)["']\s*:""")
# An answer may begin with code and continue; truncated messages have no end.
_PROSE_BEHIND = re.compile(r"[\]})]\s*[^\s\]}),{\[(\"'][^\]})]*$")
_QUOTED = ('"[', '"{')
_KNOWN_ROLE = re.compile(
    rf"""["'](?:role|from)["']\s*:\s*["'](?:{"|".join(sorted(_ROLES))})["']""", re.IGNORECASE
)


def as_messages(prompt: Prompt) -> tuple[Message, ...]:
    """Converts any form of prompt to messages.

    Args:
        prompt: A text (one user turn), a list of messages, one message, or None. A message is
            ``{"role", "content"}`` or ShareGPT's ``{"from", "value"}``; its content is a text, or
            a list of text parts, which are joined as chat templates join them.

    Returns:
        The messages; empty for None.

    Raises:
        ConfigurationError: A message is not a mapping, its role is unknown or not a word, its
            content is not text, or it calls a tool.
    """
    if prompt is None:
        return ()
    if isinstance(prompt, str):
        return (Message(role="user", content=prompt),)
    if isinstance(prompt, Mapping):
        prompt = [prompt]
    if not isinstance(prompt, Sequence) or isinstance(prompt, bytes):
        raise ConfigurationError(
            f"A prompt is of type {type(prompt).__name__}; it must be a string, a list of "
            "{'role', 'content'}, or None."
        )
    return tuple(_as_message(position, message) for position, message in enumerate(prompt))


def _as_message(position: int, message: object) -> Message:
    where = f"Message {position} of a prompt"
    if not isinstance(message, Mapping):
        raise ConfigurationError(
            f"{where} is of type {type(message).__name__}; a prompt must be a string, a list of "
            "{'role', 'content'}, or None."
        )
    for name in _CALLS:
        if message.get(name):
            raise ConfigurationError(
                f"{where} has {name!r}, which a judge of texts cannot read. Write the call into "
                "'content' as the model wrote it, or exclude the conversation."
            )
    role, content = message.get("role"), message.get("content")
    # In a table every message has all fields.
    if role is None and message.get("from") is not None:
        role, content = _role_of(message["from"], where), message.get("value")
    if isinstance(content, Sequence) and not isinstance(content, str | bytes) and content:
        content = "".join(_text_of(part, where) for part in content)
    if not isinstance(role, str) or not isinstance(content, str):
        raise ConfigurationError(
            f"{where} needs 'role' and 'content' (or 'from' and 'value') as strings; it has "
            f"role={role!r} and content of type {type(content).__name__}."
        )
    if _ROLE.fullmatch(role) is None:
        raise ConfigurationError(
            f"{where} has the role {role[:60]!r}. A role must be a word such as 'user', with at "
            "most 64 letters, digits, '_', '-', '.' or spaces, because templates write it "
            "between control tokens."
        )
    return Message(role=role, content=content)


def _role_of(speaker: object, where: str) -> str:
    role = ROLES_OF_SPEAKERS.get(speaker.strip().lower()) if isinstance(speaker, str) else None
    if role is None:
        raise ConfigurationError(
            f"{where} has from={speaker!r:.40}; turns with 'from' and 'value' allow "
            f"{', '.join(ROLES_OF_SPEAKERS)}. Write other roles as 'role' and 'content'."
        )
    return role


def _text_of(part: object, where: str) -> str:
    """The text of a part of a content."""
    if isinstance(part, str):
        return part
    kind: object = type(part).__name__
    if isinstance(part, Mapping):
        text, kind = part.get("text"), part.get("type", "text")
        if kind in _TEXT_PARTS and isinstance(text, str):
            return text
    raise ConfigurationError(
        f"{where} has a part of type {kind!r:.40} in its content, which a judge of texts cannot "
        "read. A content must be a string, or parts of {'type': 'text', 'text': ...}."
    )


def well_formed(text: str) -> str:
    """A text in which lone surrogates, which no encoding can write, are replaced.

    JSON can represent them, and published data contains them.
    """
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", errors="replace").decode("utf-8")
    return text


def as_plain_text(messages: Sequence[Message]) -> str:
    """A conversation as text for a language model without a chat template.

    A single user turn is used as it is; several turns are labeled by role.
    """
    if len(messages) == 1 and messages[0]["role"] == "user":
        return messages[0]["content"]
    return "\n\n".join(f"{m['role'].capitalize()}: {m['content']}" for m in messages)


def read_messages_as_text(text: str) -> Any:
    """The messages that a text contains: JSON in a table's column, or another program's print.

    Scored as plain text they would give plausible but wrong rewards.

    Args:
        text: Any text; plain text may begin with a bracket too.

    Returns:
        The list, or the one message, as JSON values; None for any other text.

    Raises:
        DataError: The text consists only of messages, but they are not valid JSON.
    """
    stripped = text.strip()
    if not stripped.startswith(("[", "{", "array(", *_QUOTED)):
        return None
    try:
        value, end = json.JSONDecoder().raw_decode(stripped)
        if isinstance(value, str) and end == len(stripped):
            # Encoded as JSON twice.
            return read_messages_as_text(value)
    except (ValueError, RecursionError):
        if (
            _BEGINNING.match(stripped)
            and _KNOWN_ROLE.search(stripped)
            and not _PROSE_BEHIND.search(stripped)
        ):
            raise DataError(
                "it contains messages as text that is not JSON, such as Python's print of a "
                "list. Save the messages as a list, or as JSON"
            ) from None
        return None
    return value if end == len(stripped) and is_messages(value) else None


def is_messages(value: object) -> bool:
    """Whether a JSON value is a list of messages, or one message."""
    if isinstance(value, Mapping):
        return _is_message(value) and _has_role(value)
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(each, Mapping) and _is_message(each) for each in value)
        and any(_has_role(each) for each in value)
    )


def _is_message(value: Mapping[Any, Any]) -> bool:
    return {"role", "content"} <= value.keys() or {"from", "value"} <= value.keys()


def _has_role(value: Mapping[Any, Any]) -> bool:
    role = value.get("role", value.get("from"))
    return isinstance(role, str) and role.strip().lower() in _ROLES

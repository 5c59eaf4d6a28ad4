"""Converts between inspect_ai's messages and a judge's prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
)

from ultrarm_eval.errors import ConfigurationError
from ultrarm_eval.messages import Message, as_messages, well_formed

_CLASSES = {
    "system": ChatMessageSystem,
    "user": ChatMessageUser,
    "assistant": ChatMessageAssistant,
    "tool": ChatMessageTool,
}
# The harness has four roles; a data set's own stands in the message's metadata.
_ROLE = "role"
# What a model thought is no part of the conversation, as it is none of its completion.
_LEFT_OUT = frozenset({"reasoning"})


def as_prompt(conversation: str | Sequence[ChatMessage]) -> tuple[Message, ...]:
    """The turns of a sample's input, or of messages, as a judge's prompt.

    Raises:
        ConfigurationError: A turn calls a tool, or has an image or other content that is not text.
    """
    if isinstance(conversation, str):
        return (Message(role="user", content=well_formed(conversation)),)
    return as_messages([_plain(number, turn) for number, turn in enumerate(conversation)])


def as_input(messages: Sequence[Message]) -> str | list[ChatMessage]:
    """A prompt as the input of a sample; `as_prompt` returns the same turns."""
    if len(messages) == 1 and messages[0]["role"] == "user":
        return messages[0]["content"]
    return [_as_chat_message(message) for message in messages]


def _plain(number: int, turn: ChatMessage) -> dict[str, Any]:
    role = (turn.metadata or {}).get(_ROLE, turn.role)
    return {
        "role": role,
        "content": well_formed(_text(number, turn)),
        "tool_calls": getattr(turn, "tool_calls", None),
    }


def _text(number: int, turn: ChatMessage) -> str:
    if not isinstance(turn.content, str):
        for part in turn.content:
            if part.type != "text" and part.type not in _LEFT_OUT:
                raise ConfigurationError(
                    f"Message {number} of the conversation has a part of type {part.type!r}, "
                    "which a judge of texts cannot read. Exclude such samples."
                )
    return str(turn.text)


def _as_chat_message(message: Message) -> ChatMessage:
    role, content = message["role"], message["content"]
    if role in _CLASSES:
        return _CLASSES[role](content=content)
    return ChatMessageUser(content=content, metadata={_ROLE: role})

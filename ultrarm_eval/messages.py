"""Prompts as chat messages: what a judge is told before the completion it scores."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias, TypedDict

from ultrarm_eval.errors import ConfigurationError


class Message(TypedDict):
    """One turn of a conversation."""

    role: str
    content: str


# Templates write a role between control tokens or as a label: it is a word, and no text that could
# end its turn and begin another.
_ROLE = re.compile(r"\w[\w .-]{0,63}")

#: One user turn as text, a whole conversation, or nothing.
Prompt: TypeAlias = str | Sequence[Mapping[str, object]] | None


def as_messages(prompt: Prompt) -> tuple[Message, ...]:
    """Turns any form of prompt into messages.

    Args:
        prompt: A text (one user turn), a list of ``{"role", "content"}``, or None.

    Returns:
        The messages; empty for None.

    Raises:
        ConfigurationError: A message is no mapping, its role or content is no string, or its role
            is no word.
    """
    if prompt is None:
        return ()
    if isinstance(prompt, str):
        return (Message(role="user", content=prompt),)
    if not isinstance(prompt, Sequence) or isinstance(prompt, bytes):
        raise ConfigurationError(
            f"A prompt is of type {type(prompt).__name__}; it has to be a text, a list of "
            "{'role', 'content'}, or None."
        )
    messages: list[Message] = []
    for position, message in enumerate(prompt):
        if not isinstance(message, Mapping):
            raise ConfigurationError(
                f"Message {position} of a prompt is of type {type(message).__name__}; "
                "a prompt is a text, a list of {'role', 'content'}, or None."
            )
        role, content = message.get("role"), message.get("content")
        if not isinstance(role, str) or not isinstance(content, str):
            raise ConfigurationError(
                f"Message {position} of a prompt needs 'role' and 'content' as text; "
                f"it has role={role!r} and content of type {type(content).__name__}."
            )
        if _ROLE.fullmatch(role) is None:
            raise ConfigurationError(
                f"Message {position} of a prompt has the role {role[:60]!r}. A role is a word of "
                "at most 64 letters, digits and the characters '_', '-', '.' and space, such as "
                "'user': templates write it where control tokens stand."
            )
        messages.append(Message(role=role, content=content))
    return tuple(messages)


def well_formed(text: str) -> str:
    """A text in which halves of surrogate pairs, which no encoding can write, are replaced.

    JSON can spell them, and published data have them.
    """
    if text.isascii():
        return text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-8", errors="replace").decode("utf-8")
    return text


def as_plain_text(messages: Sequence[Message]) -> str:
    """A conversation as text for a language model without chat template.

    A single user turn stands for itself; several turns are labelled by role.
    """
    if len(messages) == 1 and messages[0]["role"] == "user":
        return messages[0]["content"]
    return "\n\n".join(f"{m['role'].capitalize()}: {m['content']}" for m in messages)

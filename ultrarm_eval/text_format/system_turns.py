"""Handles a conversation's system turns, for templates that do not support them."""

from __future__ import annotations

from collections.abc import Sequence

from ultrarm_eval.errors import unknown_choice
from ultrarm_eval.messages import Message
from ultrarm_eval.settings import SYSTEM_TURNS

#: `error`: they stay, and a template that rejects them is an error.
KEEP, FOLD, DROP = SYSTEM_TURNS

_SYSTEM, _USER = "system", "user"
_BETWEEN = "\n\n"


def checked_system(system: object) -> str:
    """The name of a way to treat system turns.

    Raises:
        ConfigurationError: There is no such way.
    """
    if system is None:
        return KEEP
    if system not in SYSTEM_TURNS:
        raise unknown_choice("system", system, SYSTEM_TURNS)
    return str(system)


def without_system(messages: tuple[Message, ...], system: str) -> tuple[Message, ...]:
    """A conversation as a template gets it.

    Args:
        messages: The conversation.
        system: `error` leaves it as it is; `drop` leaves its system turns out; `fold` writes them
            in front of the next user turn, two newlines between. Where no user turn follows, they
            stand behind the last one, and are a user turn where there is none at all.
    """
    if system == KEEP or all(message["role"] != _SYSTEM for message in messages):
        return messages
    if system == DROP:
        return tuple(message for message in messages if message["role"] != _SYSTEM)
    return _folded(messages)


def _folded(messages: Sequence[Message]) -> tuple[Message, ...]:
    turns: list[Message] = []
    waiting: list[str] = []
    for message in messages:
        if message["role"] == _SYSTEM:
            waiting.append(message["content"])
            continue
        content = message["content"]
        if message["role"] == _USER:
            content, waiting = _joined([*waiting, content]), []
        turns.append(Message(role=message["role"], content=content))
    if waiting:
        last = next((i for i in reversed(range(len(turns))) if turns[i]["role"] == _USER), None)
        if last is None:
            return (Message(role=_USER, content=_joined(waiting)), *turns)
        turns[last] = Message(role=_USER, content=_joined([turns[last]["content"], *waiting]))
    return tuple(turns)


def _joined(texts: Sequence[str]) -> str:
    # An empty system turn is no reason for two newlines.
    return (
        _BETWEEN.join(text for text in texts[:-1] if text)
        + (_BETWEEN if any(texts[:-1]) else "")
        + texts[-1]
    )

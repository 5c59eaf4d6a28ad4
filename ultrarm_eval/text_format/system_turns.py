"""Handles a conversation's system turns, for templates that do not support them."""

from __future__ import annotations

from collections.abc import Sequence

from ultrarm_eval.errors import unknown_choice
from ultrarm_eval.messages import Message
from ultrarm_eval.settings import SYSTEM_TURNS

#: `error` keeps system turns, and a template that rejects them is an error.
KEEP, FOLD, DROP = SYSTEM_TURNS

_SYSTEM, _USER = "system", "user"
_BETWEEN = "\n\n"


def checked_system(system: object) -> str:
    """The validated value of the setting `system`.

    Raises:
        ConfigurationError: The value is not one of `SYSTEM_TURNS`.
    """
    if system is None:
        return KEEP
    if system not in SYSTEM_TURNS:
        raise unknown_choice("system", system, SYSTEM_TURNS)
    return str(system)


def without_system(messages: tuple[Message, ...], system: str) -> tuple[Message, ...]:
    """A conversation with its system turns handled as the setting `system` requests.

    Args:
        messages: The conversation.
        system: `error` changes nothing; `drop` removes system turns; `fold` puts their text before
            the text of the next user turn, separated by a blank line. If no user turn follows, it
            is put after the text of the last user turn; if there is none, it becomes a user turn.
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
    # No blank line for an empty system turn.
    return (
        _BETWEEN.join(text for text in texts[:-1] if text)
        + (_BETWEEN if any(texts[:-1]) else "")
        + texts[-1]
    )

"""Joins two parts of a conversation: a separate prompt, and the turns in the answers' lists.

The longest suffix of the first part that is also a prefix of the second is their overlap; it occurs
only once in the joined conversation. Without an overlap the second part is appended to the first.
Special cases:

- System turns lead a conversation. If both parts have system turns, these must be the same; if only
  one part has them, the overlap is searched for after them.
- If the second part contains the complete first part, it is the conversation.
- The parts contradict each other if there is no overlap and the second part begins with a turn of
  the first part, or with the role of its last turn, or has a system turn although the first part
  has turns before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from ultrarm_eval.messages import Message, as_plain_text

Messages: TypeAlias = tuple[Message, ...]
_Key: TypeAlias = Callable[[Message], tuple[str, str]]


def joined(first: Messages, second: Messages) -> Messages | None:
    """Joins two parts of a conversation.

    Turns that differ only in surrounding whitespace are distinguished as long as the parts can be
    joined that way; otherwise they are the same turn, written as in the second part.

    Args:
        first: The first part.
        second: The second part; its first turns may repeat the last ones of the first part.

    Returns:
        The conversation; None if the parts contradict each other.
    """
    if not first or not second:
        return first or second
    found = _joined(first, second, _exact)
    return found if found is not None else _joined(first, second, _stripped)


def joined_with_text(text: str, second: Messages) -> Messages | None:
    """Like `joined`, for a first part written as one text: a turn, or a complete transcript.

    An empty text adds nothing to the conversation.
    """
    if second and (not text.strip() or as_plain_text(second).strip() == text.strip()):
        return second
    return joined((Message(role="user", content=text),), second)


def led_by(system: Messages, conversation: Messages) -> Messages | None:
    """A conversation with a separately stored system turn.

    Returns:
        The conversation; None if it has a different system turn.
    """
    own = conversation[: _leading(conversation)]
    if not own:
        return system + conversation
    same = not system or [_stripped(m) for m in own] == [_stripped(m) for m in system]
    return conversation if same else None


def with_history(history: Messages, conversation: Messages) -> Messages | None:
    """A conversation with separately stored earlier turns; a system turn stays first.

    Returns:
        The conversation; None if the two contradict each other.
    """
    ahead, behind = _leading(history), _leading(conversation)
    turns = joined(history[ahead:], conversation[behind:])
    if turns is None or not ahead:
        return None if turns is None else conversation[:behind] + turns
    return led_by(history[:ahead], conversation[:behind] + turns)


def _joined(first: Messages, second: Messages, key: _Key) -> Messages | None:
    overlap = _overlap(first, second, key)
    if overlap:
        return first[: len(first) - overlap] + second
    ahead, behind = _leading(first), _leading(second)
    systems = [[key(m) for m in part] for part in (first[:ahead], second[:behind])]
    if all(systems) and systems[0] != systems[1]:
        return None
    system = second[:behind] or first[:ahead]
    begun, then = first[ahead:], second[behind:]
    if not begun or not then:
        # A system turn after turns that it should precede, unless it is repeated.
        return None if begun and not ahead else system + (begun or then)
    overlap = _overlap(begun, then, key)
    if overlap:
        return system + begun[: len(begun) - overlap] + then
    if _holds(then, begun, key):
        return system + then
    goes_back = key(then[0]) in {key(m) for m in begun}
    if behind or goes_back or begun[-1]["role"] == then[0]["role"]:
        return None
    return first + second


def _overlap(first: Messages, second: Messages, key: _Key) -> int:
    """The number of turns at the end of the first part that begin the second."""
    keys, then = [key(m) for m in first], [key(m) for m in second]
    for size in range(min(len(keys), len(then)), 0, -1):
        if keys[-size:] == then[:size]:
            return size
    return 0


def _holds(whole: Messages, part: Messages, key: _Key) -> bool:
    keys, sought = [key(m) for m in whole], [key(m) for m in part]
    return any(
        keys[start : start + len(sought)] == sought for start in range(len(keys) - len(sought) + 1)
    )


def _leading(messages: Sequence[Message]) -> int:
    """The number of system turns at the start of a conversation."""
    return next((i for i, m in enumerate(messages) if m["role"] != "system"), len(messages))


def _exact(message: Message) -> tuple[str, str]:
    return message["role"], message["content"]


def _stripped(message: Message) -> tuple[str, str]:
    return message["role"], message["content"].strip()

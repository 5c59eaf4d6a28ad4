"""Two parts of a conversation as one: data write a prompt apart, in the answers' lists, or in both.

The longest suffix of the first part that is a prefix of the second is their overlap, and stands in
the conversation once. Without one, the second part goes on where the first one ends, or the two
contradict each other:

- a system turn leads a conversation: where both parts have one, it is the same, and where one has,
  the overlap is looked for behind it;
- a second part that holds the whole first part is the fuller conversation;
- a second part that goes back to a turn of the first, begins with the role that the first ends
  with, or brings a system turn after the first has begun, goes on with nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from ultrarm_eval.messages import Message, as_plain_text

Messages: TypeAlias = tuple[Message, ...]
_Key: TypeAlias = Callable[[Message], tuple[str, str]]


def joined(first: Messages, second: Messages) -> Messages | None:
    """Joins two parts of a conversation.

    Turns that differ in the space around them alone are told apart only as far as the parts can be
    joined that way; where they cannot, they are the same turn, written as in the second part.

    Args:
        first: What comes first.
        second: What repeats its end, or goes on from it.

    Returns:
        The conversation; None where the parts contradict each other.
    """
    if not first or not second:
        return first or second
    found = _joined(first, second, _exact)
    return found if found is not None else _joined(first, second, _stripped)


def joined_with_text(text: str, second: Messages) -> Messages | None:
    """As `joined`, for a first part that is written as one text: a turn, or a whole transcript.

    An empty text says nothing about a conversation that is written elsewhere.
    """
    if second and (not text.strip() or as_plain_text(second).strip() == text.strip()):
        return second
    return joined((Message(role="user", content=text),), second)


def led_by(system: Messages, conversation: Messages) -> Messages | None:
    """A conversation with a system turn that is written elsewhere.

    Returns:
        The conversation; None where it has another system turn.
    """
    own = conversation[: _leading(conversation)]
    if not own:
        return system + conversation
    same = not system or [_stripped(m) for m in own] == [_stripped(m) for m in system]
    return conversation if same else None


def with_history(history: Messages, conversation: Messages) -> Messages | None:
    """A conversation with turns before it that are written elsewhere; a system turn stays first.

    Returns:
        The conversation; None where the two contradict each other.
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
        # A system turn behind the turns that it should lead, unless it is repeated.
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
    """How many turns of the end of the first part are the beginning of the second."""
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
    """How many system turns lead a conversation."""
    return next((i for i, m in enumerate(messages) if m["role"] != "system"), len(messages))


def _exact(message: Message) -> tuple[str, str]:
    return message["role"], message["content"]


def _stripped(message: Message) -> tuple[str, str]:
    return message["role"], message["content"].strip()

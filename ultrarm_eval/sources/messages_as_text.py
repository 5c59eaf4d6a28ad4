"""Messages that stand in a file as text: a table's column of JSON, or of another program's print.

Scored as prose they would give rewards that look like any other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ultrarm_eval.errors import DataError
from ultrarm_eval.messages import ROLES_OF_SPEAKERS

_ROLES = frozenset({*ROLES_OF_SPEAKERS, "tool", "function", "developer"})
# How messages begin in JSON or as Python prints them, and a role in them.
_BEGINNING = re.compile(r"""(?:array\()?\[?\s*\{\s*["'](?:content|value|role|from)["']\s*:""")
# An answer may begin with code and go on; where messages were cut off, there is no end of them.
_PROSE_BEHIND = re.compile(r"[\]})]\s*[^\s\]}),{\[(\"'][^\]})]*$")
_QUOTED = ('"[', '"{')
_KNOWN_ROLE = re.compile(
    rf"""["'](?:role|from)["']\s*:\s*["'](?:{"|".join(sorted(_ROLES))})["']""", re.IGNORECASE
)


def read_messages_as_text(text: str) -> Any:
    """The messages that a text spells.

    Args:
        text: Any text; prose may begin with a bracket as well.

    Returns:
        The list, or the one message, as JSON values; None for any other text.

    Raises:
        DataError: The text is nothing but messages, and they are not written as JSON.
    """
    stripped = text.strip()
    if not stripped.startswith(("[", "{", "array(", *_QUOTED)):
        return None
    try:
        value, end = json.JSONDecoder().raw_decode(stripped)
        if isinstance(value, str) and end == len(stripped):
            # Written as JSON twice.
            return read_messages_as_text(value)
    except (ValueError, RecursionError):
        if (
            _BEGINNING.match(stripped)
            and _KNOWN_ROLE.search(stripped)
            and not _PROSE_BEHIND.search(stripped)
        ):
            raise DataError(
                "it holds messages as text that is no JSON, such as Python's print of a list. "
                "Save the messages themselves, or as JSON"
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

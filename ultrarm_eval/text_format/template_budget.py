"""The budget of a template for one conversation: steps, characters and seconds."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ultrarm_eval.errors import ConfigurationError

# An ordinary chat template takes about ten steps per turn; one that loops over all turns for each
# turn takes more for long conversations.
_STEPS = 500_000
_STEPS_PER_TURN = 2_000
CHARACTERS_PER_STEP = 64
_ITEMS_PER_STEP = 8
_STEPS_BETWEEN_LOOKS = 100
# A limit for templates with few but slow steps.
_SECONDS = 3.0
# Limits of the characters in a text, and of the items in a list with its nested lists. A text may
# also have this many times the characters of its conversation.
_LONGEST = 2**24
MOST_ITEMS = 2**18
_TIMES_THE_CONVERSATION = 16
MOST_BITS = 2**16
_MOST_REPLACED = 2**28
# Filters, methods and functions whose output size is given by a number.
WIDENING = frozenset(
    {
        "center", "ljust", "rjust", "zfill", "expandtabs", "indent",
        "batch", "slice", "wordwrap", "lipsum", "generate_lorem_ipsum", "tojson",
    }
)  # fmt: skip
#: With those whose output size depends on the sizes of two values, or on a format.
SIZED = WIDENING | {"replace", "join", "format", "format_map"}
_WIDEST = 2**17
# A width of six digits, or one that is an argument: `%*d`, `{:{}}`.
_WIDE = {
    "%": re.compile(r"%[^a-zA-Z%]{0,99}(\d{6}|\*)"),
    "{": re.compile(r"\{[^{}]{0,99}:[^{}]{0,99}(\d{6}|\{)"),
}


class TemplateLimitError(ConfigurationError):
    """A template exceeds its limits.

    Cause:
        A Jinja template has nested loops, writes very long texts, or takes too long for one
        conversation.

    Fix:
        Simplify the template, or name another `template`.
    """


class Work(threading.local):
    """The remaining budget of the rendering in this thread."""

    left = allowed = 0
    next_look = 0
    started = 0.0
    longest = _LONGEST

    @contextmanager
    def limited(self, characters: int, turns: int = 0) -> Iterator[None]:
        """Sets the budget for rendering a conversation of this many characters and turns."""
        self.left = self.allowed = _STEPS + characters // 4 + turns * _STEPS_PER_TURN
        self.next_look = self.left - _STEPS_BETWEEN_LOOKS
        self.longest = max(_LONGEST, _TIMES_THE_CONVERSATION * characters)
        self.started = time.thread_time()
        try:
            yield
        finally:
            self.left = self.next_look = 0

    def step(self, cost: int = 1) -> bool:
        """Takes steps from the budget; returns True, so that it can be part of a condition."""
        self.left -= cost
        if self.left < self.next_look:
            self._look()
        return True

    def measured(self, value: Any) -> Any:
        """Takes steps for a value by its size and returns it; raises if it is too large."""
        if isinstance(value, str):
            if len(value) > self.longest:
                raise too_much(f"it makes a text of {len(value):,} characters")
            self.step(1 + len(value) // CHARACTERS_PER_STEP)
        elif isinstance(value, list | tuple | dict | set):
            self.step(1 + self._items(value) // _ITEMS_PER_STEP)
        elif isinstance(value, int) and value.bit_length() > MOST_BITS:
            raise too_much(f"it computes a number of {value.bit_length():,} bits")
        return value

    def _items(self, value: Any) -> int:
        """The number of values in a value, nested ones included."""
        count, characters, waiting = 0, 0, [value]
        while waiting:
            one = waiting.pop()
            if isinstance(one, dict):
                waiting += [*one, *one.values()]
            elif isinstance(one, list | tuple | set):
                waiting += one
            elif isinstance(one, str):
                characters += len(one)
            count += 1
            if count + len(waiting) > MOST_ITEMS or characters > self.longest:
                raise too_much(
                    f"it makes lists of more than {MOST_ITEMS:,} items, or of very long texts"
                )
        return count

    def _look(self) -> None:
        self.next_look = self.left - _STEPS_BETWEEN_LOOKS
        if self.left < 0:
            raise too_much(f"it takes more than {self.allowed:,} steps")
        if time.thread_time() - self.started > _SECONDS:
            raise too_much(f"it takes more than {_SECONDS:g} seconds")


def too_much(what: str) -> TemplateLimitError:
    """The error for a template that exceeds its budget.

    Args:
        what: The limit and by how much it is exceeded.
    """
    return TemplateLimitError(
        f"it needs too much work for one conversation: {what}. Check it for nested loops, "
        "repeatedly doubled texts, and recursive macros."
    )


def size_of(names: Mapping[str, Any]) -> tuple[int, int]:
    """The number of characters and of turns in the variables of a template."""
    characters = turns = 0
    for value in names.values():
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, list):
            turns += len(value)
            for item in value:
                texts = item.values() if isinstance(item, dict) else (item,)
                characters += sum(len(text) for text in texts if isinstance(text, str))
    return characters, turns


def size(value: Any) -> int:
    """The number of characters or items of a value."""
    return len(value) if isinstance(value, str | list | tuple | dict | range) else 0


def refuse_wide(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Rejects calls that would produce a very long text, before they run.

    Args:
        name: The filter, method or function; `%` or `{` for a text that is formatted.
        args: The value it is applied to, and its other positional arguments.
        kwargs: Its keyword arguments.
    """
    values = (*args, *kwargs.values())
    texts = [value for value in values if isinstance(value, str)]
    if name == "replace":
        wide = len(texts) > 1 and len(texts[0]) * max(map(len, texts[1:])) > _MOST_REPLACED
        wide = wide and texts[0].count(texts[1]) * len(texts[-1]) > _MOST_REPLACED
    elif name == "join":
        lists = [value for value in values if isinstance(value, list | tuple)]
        parts = sum(map(len, lists))
        pieces = sum(len(part) for each in lists for part in each if isinstance(part, str))
        wide = parts * max(map(len, texts), default=0) + pieces > _MOST_REPLACED
    elif name in _WIDE:
        wide = bool(texts) and bool(_WIDE[name].search(texts[0].replace(2 * name, "")))
    else:
        wide = any(isinstance(value, int) and value > _WIDEST for value in values[1:])
    if wide:
        raise too_much(f"`{name}` would write a very long text")

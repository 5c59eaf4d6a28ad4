"""Markdown that survives what others write."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from ultrarm_eval.show.visible import visible_name

# What Markdown, or HTML in it, reads as markup.
# An underscore inside of a word is none.
_MARKUP = re.compile(r"[\\`*{}\[\]<>#|~&]|(?<!\w)_|_(?!\w)")


def escaped(text: object) -> str:
    """A text of others on one line, which is shown as it is."""
    return _MARKUP.sub(lambda found: f"\\{found[0]}", visible_name(text, 2000))


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Collection[int] = ()
) -> Iterator[str]:
    """The lines of a table, and an empty one behind it.

    Args:
        head: The columns' names.
        rows: The cells, which are escaped.
        numbers: Columns that stand at the right.
    """
    yield "| " + " | ".join(map(escaped, head)) + " |"
    rules = ("---:" if column in numbers else "---" for column in range(len(head)))
    yield "| " + " | ".join(rules) + " |"
    for row in rows:
        yield "| " + " | ".join(map(escaped, row)) + " |"
    yield ""

"""Markdown as the tables of the documentation are written in it."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table.

    Args:
        columns: The heads of its columns.
        rows: Cells, in Markdown. Bars in them are escaped, line breaks become spaces.

    Raises:
        ValueError: A row has another number of cells than the table has columns.
    """
    lines = [_line(columns), "|" + "---|" * len(columns)]
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"A row of {len(columns)} cells is needed, not {row!r}.")
        lines.append(_line(row))
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in cells) + " |"


def code(text: str) -> str:
    r"""A text as code in a table: line breaks as `\n`.

    GitHub and Python-Markdown read a bar inside backticks differently, and the same as an entity.
    """
    shown = text.replace("\n", "\\n")
    if "|" in shown or "`" in shown:
        shown = html.escape(shown, quote=False).replace("|", "&#124;").replace("`", "&#96;")
        return f"<code>{shown}</code>"
    return f"`{shown}`"


def codes(texts: Iterable[str]) -> str:
    """Several texts as code, separated by commas."""
    return ", ".join(map(code, texts))


def sentence(text: str) -> str:
    """A text in one line, with a full stop at its end."""
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."

"""A comparison for a terminal, and the same in Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ultrarm_eval.compare.comparison import Comparison
from ultrarm_eval.compare.comparison_tables import Table, tables_of
from ultrarm_eval.compare.statements import statements
from ultrarm_eval.show.markdown import escaped, table
from ultrarm_eval.terminal import fitted, printable, shortened, width

# Names longer than this would leave no room for the figures.
_LONGEST_CELL = 60
# What begins a list, a rule or a heading where it is the first of a line.
_STARTS = re.compile(r"^(\d*)([-+=.)])")
_ESCAPED = r"\1\\\2"


def as_text(comparison: Comparison) -> str:
    """The comparison as aligned tables."""
    runs, *others = tables_of(comparison)
    parts = [_aligned(runs, head=False)]
    if comparison.cautions:
        parts.append(_block("Note", comparison.cautions))
    parts.append(_block("What follows", _said(comparison)))
    for shown in others:
        note = f"{shown.note}\n" if shown.note else ""
        parts.append(f"{shown.title}\n{note}{_aligned(shown)}")
    return "\n".join(part for part in parts if part)


def as_markdown(comparison: Comparison) -> str:
    """The comparison as a Markdown document."""
    runs, *others = tables_of(comparison)
    parts = ["# Comparison of runs\n", _markdown_table(runs)]
    if comparison.cautions:
        parts.append("## Note\n\n" + _markdown_list(comparison.cautions))
    if comparison.rows:
        parts.append("## What follows\n\n" + _markdown_list(_said(comparison)))
    for shown in others:
        note = f"{shown.note}\n\n" if shown.note else ""
        parts.append(f"## {shown.title}\n\n{note}{_markdown_table(shown)}")
    return "\n".join(parts)


def _said(comparison: Comparison) -> list[str]:
    return [one.text for one in statements(comparison, comparison.shown_rows)]


def _block(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    return f"{title}\n" + "".join(f"  {printable(line)}\n" for line in lines)


def _aligned(whole: Table, *, head: bool = True) -> str:
    rows = [[shortened(printable(cell), _LONGEST_CELL) for cell in row] for row in whole.rows]
    shown = [list(whole.columns), *rows] if head else rows
    widths = [max(map(width, column)) for column in zip(*shown, strict=True)]
    lines = []
    for row in shown:
        cells = [
            fitted(cell, room) if place < whole.texts else " " * (room - width(cell)) + cell
            for place, (cell, room) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip() + "\n")
    return "".join(lines)


def _markdown_list(lines: Sequence[str]) -> str:
    return "".join(f"- {_STARTS.sub(_ESCAPED, escaped(line))}\n" for line in lines)


def _markdown_table(shown: Table) -> str:
    numbers = range(shown.texts, len(shown.columns))
    return "\n".join(table(shown.columns, shown.rows, numbers))

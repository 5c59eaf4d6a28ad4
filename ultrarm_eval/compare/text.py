"""A comparison for a terminal, and the same in Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ultrarm_eval.compare.comparison import Comparison
from ultrarm_eval.compare.statements import statements
from ultrarm_eval.compare.tables import tables_of
from ultrarm_eval.show.text import markdown
from ultrarm_eval.terminal import printable

# What begins a list, a rule or a heading where it is the first of a line.
_STARTS = re.compile(r"^(\d*)([-+=.)])")
_ESCAPED = r"\1\\\2"


def as_text(comparison: Comparison) -> str:
    """The comparison as aligned tables."""
    runs, *others = tables_of(comparison)
    parts = [runs.as_text(head=False)]
    if comparison.cautions:
        parts.append(_block("Note", comparison.cautions))
    parts.append(_block("What follows", _said(comparison)))
    for table in others:
        note = f"{table.note}\n" if table.note else ""
        parts.append(f"{table.title}\n{note}{table.as_text()}")
    return "\n".join(part for part in parts if part)


def as_markdown(comparison: Comparison) -> str:
    """The comparison as a Markdown document."""
    runs, *others = tables_of(comparison)
    parts = ["# Comparison of runs\n", runs.as_markdown(none="-")]
    if comparison.cautions:
        parts.append("## Note\n\n" + _listed(comparison.cautions))
    if comparison.rows:
        parts.append("## What follows\n\n" + _listed(_said(comparison)))
    for table in others:
        note = f"{table.note}\n\n" if table.note else ""
        parts.append(f"## {table.title}\n\n{note}{table.as_markdown(none='-')}")
    return "\n".join(parts)


def _said(comparison: Comparison) -> list[str]:
    return [one.text for one in statements(comparison, comparison.shown_rows)]


def _block(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    return f"{title}\n" + "".join(f"  {printable(line)}\n" for line in lines)


def _listed(lines: Sequence[str]) -> str:
    return "".join(f"- {_STARTS.sub(_ESCAPED, markdown(line))}\n" for line in lines)

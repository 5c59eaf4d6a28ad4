"""One table for every format that is not a page: a terminal, Markdown, CSV."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ultrarm_eval.show.formats import NONE
from ultrarm_eval.show.text import markdown
from ultrarm_eval.terminal import aligned, printable, shortened

# Longer names would leave no room for the values.
_LONGEST_CELL = 60


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        columns: The columns' names.
        texts: How many columns from the left are texts; the others are right-aligned numbers.
        rows: The cells of each row.
        title: What it shows.
        note: How to read it.
    """

    columns: Sequence[str]
    texts: int
    rows: Sequence[Sequence[str]]
    title: str = ""
    note: str = ""

    def as_text(self, *, head: bool = True) -> str:
        """Aligned lines for a terminal, without title and note."""
        rows = [
            ["-" if cell == NONE else shortened(printable(cell), _LONGEST_CELL) for cell in row]
            for row in self.rows
        ]
        shown = [list(self.columns), *rows] if head else rows
        lines = aligned(shown, texts=range(self.texts)).split("\n")
        return "".join(f"  {line}\n" for line in lines)

    def as_markdown(self, *, none: str = NONE) -> str:
        """A table of Markdown, without title and note.

        Args:
            none: Stands for a missing value.
        """
        rule = ["---"] * self.texts + ["---:"] * (len(self.columns) - self.texts)
        rows: list[Iterable[str]] = [map(markdown, self.columns), rule]
        rows += [[none if cell == NONE else markdown(cell) for cell in row] for row in self.rows]
        return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table as CSV with a header; unknown values and non-finite numbers are empty."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(
            "" if isinstance(cell, float) and not math.isfinite(cell) else cell for cell in row
        )
    return written.getvalue()

"""The tables of docs/results.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "results.md"
#: A word in capitals that stands for several keys, and what it may be.
_PLACEHOLDER = re.compile(r"(?<![A-Za-z])[A-Z]{3,}|(?<=@)K")


@dataclass(frozen=True)
class Documented:
    """A figure of the page.

    Attributes:
        tasks: The tasks that have it, as patterns.
        key: Its key, as a pattern.
        stated: Its key as it is written.
        is_main: Whether it is the main figure.
        better: `higher`, `lower` or nothing.
        has_error: Whether it has a standard error.
    """

    tasks: tuple[re.Pattern[str], ...]
    key: re.Pattern[str]
    stated: str
    is_main: bool
    better: str
    has_error: bool

    def is_of(self, task: str) -> bool:
        """Whether a task has it."""
        return any(one.fullmatch(task) for one in self.tasks)


def keys_of(one: Documented, task: str, keys: Iterable[str], all_of: list[Documented]) -> list[str]:
    """The keys of a task that a figure of the page is; a name that is spelled out goes first."""
    spelled = {other.stated for other in all_of if other.is_of(task)} - {one.stated}
    return [key for key in keys if one.key.fullmatch(key) and key not in spelled]


def rows_of(table: str) -> Iterator[list[str]]:
    """The cells of a table's rows, without its head."""
    text = PAGE.read_text(encoding="utf-8")
    (found,) = re.findall(rf"<!-- {table} -->\n(.*?)<!-- end of {table} -->", text, re.DOTALL)
    for line in found.strip().splitlines()[2:]:
        yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def names_in(cell: str) -> list[str]:
    """What stands in a cell as code."""
    return re.findall(r"`([^`]+)`", cell)


def figures_of(table: str) -> list[Documented]:
    """The figures of a table."""
    return [
        Documented(
            tuple(map(_pattern, names_in(tasks))),
            _pattern(key),
            key,
            f"**`{key}`**" in keys,
            better,
            error == "yes",
        )
        for tasks, keys, better, error, _ in rows_of(table)
        for key in names_in(keys)
    ]


def _pattern(name: str) -> re.Pattern[str]:
    parts = _PLACEHOLDER.split(name)
    found = _PLACEHOLDER.findall(name)
    written = re.escape(parts[0])
    for placeholder, part in zip(found, parts[1:], strict=True):
        written += (r"\d+" if placeholder == "K" else "[^,]+") + re.escape(part)
    return re.compile(written)

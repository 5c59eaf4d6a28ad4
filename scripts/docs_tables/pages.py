"""The files of the documentation with their tables as they are now."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from docs_tables import api, commands, errors, judges, metadata, settings, tasks, templates

#: What stands between `<!-- table: NAME -->` and `<!-- end of table -->`.
TABLES: Mapping[str, Callable[[], str]] = {
    "settings": settings.settings_table,
    "engine-settings": settings.engine_settings_table,
    "judges": judges.judges_table,
    "judge-settings": settings.judge_settings_table,
    "templates": templates.templates_table,
    "metadata-pairs": metadata.pairs_table,
    "metadata-generations": metadata.generations_table,
    "tasks": tasks.tasks_table,
    "errors": errors.errors_table,
    "api": api.api_table,
}
#: Pages that are made as a whole.
PAGES: Mapping[str, Callable[[], str]] = {"docs/cli.md": commands.commands_page}

_BEGIN = re.compile(r"^<!-- table: (.*?) -->\n", re.MULTILINE)
_END = "<!-- end of table -->"


class PageError(Exception):
    """A page cannot take its tables."""


@cache
def made(make: Callable[[], str]) -> str:
    """What is made from the code, once in a process."""
    return make()


@dataclass(frozen=True)
class StalePage:
    """A file that is not as the code makes it.

    Attributes:
        path: The file.
        text: What it should contain.
        tables: Its stale tables; empty for a page that is made as a whole.
    """

    path: Path
    text: str
    tables: tuple[str, ...] = ()


def stale_pages(root: Path) -> list[StalePage]:
    """The stale files of a checkout.

    Raises:
        PageError: A region is not closed or has an unknown name.
    """
    stale = []
    for name, text in _pages(root).items():
        new, tables = _renewed(text, name)
        if new != text:
            stale.append(StalePage(root / name, new, tables))
    for name, make in PAGES.items():
        path, new = root / name, made(make)
        if not path.is_file() or path.read_text(encoding="utf-8") != new:
            stale.append(StalePage(path, new))
    return stale


def unplaced_tables(root: Path) -> list[str]:
    """The tables that no page of a checkout has."""
    placed = {name for text in _pages(root).values() for name in _BEGIN.findall(text)}
    return [name for name in TABLES if name not in placed]


def _pages(root: Path) -> dict[str, str]:
    """The texts of the pages that may have tables."""
    paths = (root / "README.md", *sorted((root / "docs").glob("*.md")))
    named = {path.relative_to(root).as_posix(): path for path in paths}
    return {
        name: path.read_text(encoding="utf-8") for name, path in named.items() if name not in PAGES
    }


def _renewed(text: str, page: str) -> tuple[str, tuple[str, ...]]:
    """A page's text with its tables, and the names of those that changed.

    Raises:
        PageError: A region is not closed or has an unknown name.
    """
    before, *regions = _BEGIN.split(text)
    parts, changed = [before], []
    _require_no(_END, before, page)
    for name, region in zip(regions[::2], regions[1::2], strict=True):
        if name not in TABLES:
            raise PageError(f"{page} has a table {name!r}; there are: {', '.join(TABLES)}.")
        old, end, behind = region.partition(_END)
        if not end:
            raise PageError(f"{page}: the table {name} is not closed by {_END}.")
        _require_no(_END, behind, page)
        new = made(TABLES[name])
        changed += [name] if old != new else []
        parts += [f"<!-- table: {name} -->\n", new, end, behind]
    return "".join(parts), tuple(changed)


def _require_no(end: str, text: str, page: str) -> None:
    if end in text:
        raise PageError(f"{page} has {end} without a table that it closes.")

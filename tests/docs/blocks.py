"""The blocks of code of the documentation's pages: their language, line, and whether they run."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
PAGES = [README, *sorted(DOCS.glob("*.md"))]
#: Languages whose blocks are run. Another name for one of them would escape the run.
RUN = ("bash", "python")
#: Languages that are shown only.
SHOWN = ("text", "json", "yaml", "toml", "jinja", "html", "bibtex", "diff")

_FENCE = re.compile(r"^(?P<indent> *)(?P<marks>`{3,}|~{3,}) *(?P<info>[^`\n]*)$")
_NOT_RUN = re.compile(r"^ *<!-- not run:(?P<reason>.*)-->\s*$")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: The file.
        line: The line of its first fence, counted from one.
        language: The first word after the fence; empty where there is none.
        code: What is between the fences, without their indentation.
        not_run: The reason in a `<!-- not run: REASON -->` before the fence; None where there is
            no such line.
    """

    page: Path
    line: int
    language: str
    code: str
    not_run: str | None = None

    @property
    def place(self) -> str:
        """Page and line, as a terminal links them."""
        return f"{name(self.page)}:{self.line}"

    @property
    def is_run(self) -> bool:
        """Whether the test runs it."""
        return self.language in RUN and self.not_run is None


def name(page: Path) -> str:
    """A page's path within the repository."""
    return page.relative_to(ROOT).as_posix() if page.is_relative_to(ROOT) else page.name


def blocks_of(page: Path) -> list[Block]:
    """Every fenced block of a page, in order.

    Raises:
        ValueError: A fence is never closed.
    """
    found: list[Block] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        opened = _FENCE.match(lines[at])
        if opened is None:
            at += 1
            continue
        closing = re.compile(rf" *{re.escape(opened['marks'])}\s*$")
        end = next((i for i in range(at + 1, len(lines)) if closing.match(lines[i])), None)
        if end is None:
            raise ValueError(f"{name(page)}:{at + 1}: the fence is never closed")
        reason = _NOT_RUN.match(lines[at - 1]) if at else None
        found.append(
            Block(
                page=page,
                line=at + 1,
                language=(opened["info"].split() or [""])[0],
                code=textwrap.dedent("\n".join(lines[at + 1 : end])) + "\n",
                not_run=reason["reason"].strip() if reason else None,
            )
        )
        at = end + 1
    return found

"""Compares two recordings: exit codes, what was written to the terminal, and every file."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any

from . import differing
from .differing import Difference
from .normal import Normaliser

_COMMAND = "command.json"


@dataclass(frozen=True)
class Expected:
    """A difference on purpose.

    Attributes:
        command: Name or pattern with `*`.
        where: File and place, or a pattern with `*`; nothing else is special.
        reason: Why it is there.
    """

    command: str
    where: str
    reason: str

    def meets(self, difference: Difference) -> bool:
        """Whether this difference is meant."""
        return _like(self.command, difference.command) and _like(self.where, difference.where)

    def __str__(self) -> str:
        return f"{self.command}  {self.where}  ({self.reason})"


def read_expected(path: Path) -> list[Expected]:
    """One expected difference a line: command, path or pattern, reason, two blanks between them.

    Raises:
        SystemExit: A line has no reason.
    """
    expected = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = re.split(r"\s{2,}|\t", line.strip(), maxsplit=2)
        if len(parts) != 3:
            raise SystemExit(
                f"{path}:{number}: a line is command, path or pattern, and reason, with two "
                "blanks between them."
            )
        expected.append(Expected(*parts))
    return expected


def sorted_out(
    found: Sequence[Difference], expected: Sequence[Expected]
) -> tuple[list[Difference], list[Expected]]:
    """The differences that nobody expects, and what was expected and is not there."""
    unexpected = [d for d in found if not any(e.meets(d) for e in expected)]
    unmet = [e for e in expected if not any(e.meets(d) for d in found)]
    return unexpected, unmet


def compare(
    before: Path, after: Path, *, tolerance: float, only: str | None = None
) -> list[Difference]:
    """Every difference between two recordings."""
    recordings = [Recording(folder) for folder in (before, after)]
    names = [*dict.fromkeys(name for recording in recordings for name in recording.names)]
    if only is not None:
        names = [n for n in names if any(fnmatchcase(n, p) for p in only.split(","))]
    found = []
    for name in names:
        before_it, after_it = (recording.contents(name) for recording in recordings)
        for where, one, other in _differ(before_it, after_it, tolerance):
            found.append(Difference(name, where, one, other))
    return found


class Recording:
    """What was recorded in a folder, without what may differ.

    Attributes:
        names: Of the commands.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "about.json").is_file():
            raise SystemExit(f"{folder} is no recording: it has no about.json.")
        self._folder = folder
        self._about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        self.names = [path.parent.name for path in sorted(folder.glob(f"*/{_COMMAND}"))]

    def contents(self, name: str) -> dict[str, str | bytes]:
        """All that a command gave, by file; texts where they can be read as one."""
        folder = self._folder / name
        if not (folder / _COMMAND).is_file():
            return {}
        told = json.loads((folder / _COMMAND).read_text(encoding="utf-8"))
        normal = Normaliser({**self._about, "scratch": told.get("scratch", "")})
        found: dict[str, str | bytes] = {"exit code": str(told["exit_code"])}
        for stream in ("stdout", "stderr"):
            written = (folder / stream).read_bytes().decode(errors="backslashreplace")
            found[stream] = normal.output(written)
        files = folder / "files"
        for path in sorted(p for p in files.rglob("*") if p.is_file()):
            called = normal.text(str(path.relative_to(files)))
            while called in found:
                called += " (another)"
            content = _read(path)
            found[called] = normal.text(content) if isinstance(content, str) else content
        return found


def _read(path: Path) -> str | bytes:
    content = path.read_bytes()
    if content.startswith(b"SQLite format 3"):
        with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as database:
            return "\n".join(database.iterdump())
    if content.startswith(b"PAR1"):
        import pyarrow.parquet as pq

        table = pq.read_table(path)
        rows = [json.dumps(row, ensure_ascii=False, default=str) for row in table.to_pylist()]
        return "\n".join([str(table.schema.remove_metadata()), *rows])
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content


def _differ(
    before: Mapping[str, str | bytes], after: Mapping[str, str | bytes], tolerance: float
) -> Iterator[tuple[str, str, str]]:
    if not before or not after:
        yield "command", *("recorded" if c else "not recorded" for c in (before, after))  # type: ignore[misc]
        return
    for name in dict.fromkeys([*before, *after]):
        one, other = before.get(name), after.get(name)
        if one is None or other is None:
            yield name, *("-" if c is None else "written" for c in (one, other))  # type: ignore[misc]
        elif isinstance(one, bytes) or isinstance(other, bytes):
            if one != other:
                yield name, _digest(one), _digest(other)
        elif one != other:
            for where, left, right in _contents_differ(one, other, tolerance):
                yield f"{name}:{where}", left, right


def _contents_differ(one: str, other: str, tolerance: float) -> Iterator[tuple[str, str, str]]:
    """By structure where both are JSON, and then by how they are written."""
    left, right = _parsed(one), _parsed(other)
    if left is not None and right is not None:
        found = [*differing.values(left[0], right[0], tolerance)]
        if found:
            yield from found
            return
    yield from differing.texts(one, other, tolerance)


def _parsed(text: str) -> tuple[Any] | None:
    """A JSON value, or a list of those of each line."""
    if not text.startswith(("{", "[")):
        return None
    try:
        return (json.loads(text),)
    except ValueError:
        pass
    try:
        return ([json.loads(line) for line in text.splitlines() if line],)
    except ValueError:
        return None


def _digest(content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    return f"{len(data)} bytes {sha256(data).hexdigest()[:12]}"


def _like(pattern: str, text: str) -> bool:
    parts = map(re.escape, pattern.split("*"))
    return re.fullmatch(".*".join(parts), text, re.DOTALL) is not None

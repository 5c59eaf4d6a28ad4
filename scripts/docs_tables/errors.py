"""The table of errors, from the docstrings of every class that derives from UltrarmEvalError.

A docstring has a summary line and two sections, `Cause:` and `Fix:`. Sources are read without
importing them: some need packages that are not installed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import ultrarm_eval
from docs_tables.markdown import code, sentence, table

BASE = "UltrarmEvalError"
PACKAGE = Path(ultrarm_eval.__file__).parent
_SECTIONS = ("Cause", "Fix")
_DERIVES = re.compile(r"^\s*class \w+\([^)]*Error\b", re.MULTILINE)


@dataclass(frozen=True)
class ErrorClass:
    """A class of errors.

    Attributes:
        name: Its name.
        bases: The names of the classes it derives from.
        docstring: Its docstring, without indentation.
    """

    name: str
    bases: tuple[str, ...]
    docstring: str

    @property
    def parent(self) -> str | None:
        """The first base that is an error, under which the table lists the class."""
        return next((base for base in self.bases if base.endswith("Error")), None)

    def section(self, title: str) -> str:
        """The text of a section of the docstring.

        Raises:
            ValueError: There is no such section, or it is empty.
        """
        behind = self.docstring.partition(f"\n{title}:\n")[2].splitlines()
        text = " ".join(
            line.strip() for line in takewhile(lambda line: not line or line[0] == " ", behind)
        )
        if not text.strip():
            raise ValueError(f"The docstring of {self.name} needs a section `{title}:`.")
        return text


def errors_table(package: Path = PACKAGE) -> str:
    """A row for each class, a class before those that derive from it.

    Raises:
        ValueError: A class has no cause or no fix in its docstring.
    """
    rows = []
    for error in _ordered(_classes(package)):
        summary = error.docstring.partition("\n")[0]
        cause, fix = map(error.section, _SECTIONS)
        kind = "" if error.parent in (BASE, None) else f" (a {code(error.parent)})"
        rows.append((f"{code(error.name)}{kind}", f"{sentence(summary)} {sentence(cause)}", fix))
    return table(("error", "when it is raised", "what to do"), rows)


def _classes(package: Path) -> dict[str, ErrorClass]:
    """The classes of a package's files that have a base, by name, those of errors.py first."""
    files = sorted(package.rglob("*.py"), key=lambda path: (path != package / "errors.py", path))
    return {one.name: one for path in files for one in _in_file(path)}


def _in_file(path: Path) -> Iterator[ErrorClass]:
    text = path.read_text(encoding="utf-8")
    # Most files have none, and parsing all of them takes seconds.
    for node in ast.walk(ast.parse(text)) if _DERIVES.search(text) else ():
        if isinstance(node, ast.ClassDef) and node.bases:
            bases = tuple(ast.unparse(base).rpartition(".")[2] for base in node.bases)
            yield ErrorClass(node.name, bases, ast.get_docstring(node) or "")


def _ordered(classes: dict[str, ErrorClass], below: str = BASE) -> Iterable[ErrorClass]:
    for error in classes.values():
        if below == error.parent:
            yield error
            yield from _ordered(classes, error.name)

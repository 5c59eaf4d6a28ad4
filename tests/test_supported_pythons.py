"""What the description of the package says of Pythons, and what the oldest of them cannot read."""

import ast
import re
from pathlib import Path

import pytest

try:
    import tomllib
except ModuleNotFoundError:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
DESCRIPTION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
# Classes that take [types] at run time in Python 3.10: those of these modules, and the built-in.
GENERIC = {
    "collections",
    "collections.abc",
    "contextlib",
    "os",
    "typing",
    "builtins",
}


def named():
    found = (
        re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line)
        for line in DESCRIPTION["project"]["classifiers"]
    )
    return [match[1] for match in found if match]


def test_the_oldest_python_is_one_everywhere():
    oldest = min(named(), key=lambda version: int(version[2:]))
    assert DESCRIPTION["project"]["requires-python"] == f">={oldest}"
    assert DESCRIPTION["tool"]["mypy"]["python_version"] == oldest
    assert DESCRIPTION["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    assert f"Python {oldest} or later" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_names_the_pythons_that_the_classifiers_do():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"(tests were run on {', '.join(named()[:-1])} and {named()[-1]})" in readme


def bases_with_types(tree):
    """Where a base class is given types, the place its class is from: those are looked up at once."""
    places = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            places |= {one.asname or one.name: node.module for one in node.names}
        elif isinstance(node, ast.Import):
            places |= {one.asname or one.name: one.name for one in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                if isinstance(base, ast.Subscript):
                    written = ast.unparse(base.value)
                    yield node, places.get(written.split(".")[0], "builtins")


@pytest.mark.parametrize("folder", ["ultrarm_eval", "tasks", "scripts", "examples"])
def test_base_classes_take_types_in_the_oldest_python(folder):
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    assert [
        f"{file.relative_to(ROOT)}:{node.lineno}: {node.name}"
        for file in files
        for node, place in bases_with_types(ast.parse(file.read_text(encoding="utf-8")))
        if place not in GENERIC and not place.startswith("ultrarm_eval")
    ] == []


def test_a_handler_of_streams_takes_none():
    tree = ast.parse("import logging\nclass Mine(logging.StreamHandler[str]): pass")
    assert [place for _, place in bases_with_types(tree)] == ["logging"]

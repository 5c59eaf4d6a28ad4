"""The code on the pages about plugins is that of the example plugin, which other tests run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "tests" / "fixtures" / "example_plugin"
PAGES = ("plugins.md", "plugins-judges.md", "plugins-data.md")
BLOCKS = [
    block
    for page in PAGES
    for block in re.findall(
        r"^`([\w./]+)`:\n\n(?:<!-- not run: [^\n]*-->\n)?```\w+\n(.*?)^```",
        (ROOT / "docs" / page).read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
]


def test_the_pages_show_code_for_each_thing_that_a_package_adds():
    shown = {path.rpartition("/")[2] for path, _ in BLOCKS}
    files = {"pyproject.toml", "plugin.py", "overlap.py", "answered_questions.py", "sums.py"}
    assert shown == {*files, "sums.yaml"}


@pytest.mark.parametrize(("path", "code"), BLOCKS)
def test_code_is_that_of_the_example(path, code):
    assert code in (EXAMPLE / path).read_text(encoding="utf-8")

"""The code on docs/plugins.md is the code of the example plugin, which other tests install and run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "tests" / "fixtures" / "example_plugin"
BLOCKS = re.findall(
    r"^`([\w./]+)`:\n\n(?:<!-- not run: [^\n]*-->\n)?```\w+\n(.*?)^```",
    (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8"),
    re.MULTILINE | re.DOTALL,
)


def test_the_page_shows_code_for_each_thing_that_a_package_adds():
    shown = {path.rpartition("/")[2] for path, _ in BLOCKS}
    files = {"pyproject.toml", "plugin.py", "overlap.py", "answered_questions.py", "sums.py"}
    assert shown == {*files, "sums.yaml"}


@pytest.mark.parametrize(("path", "code"), BLOCKS)
def test_code_is_that_of_the_example(path, code):
    assert code in (EXAMPLE / path).read_text(encoding="utf-8")

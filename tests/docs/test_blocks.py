"""Blocks are found where a reader sees them, and every page keeps the convention that runs them."""

from __future__ import annotations

import re

import pytest

from tests.docs.blocks import PAGES, RUN, SHOWN, blocks_of, name

pages = pytest.mark.parametrize("page", PAGES, ids=name)

PAGE = """\
# Title

```bash
one
```
<!-- not run: needs a GPU -->
```bash
two
```

- An item
    ~~~python
    if three:
        pass
    ~~~

````text
```bash
inside another
```
````
<!-- not run: -->
```bash
four
```

```
five
```
"""


def test_blocks_have_their_language_line_code_and_reason(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    found = [(one.line, one.language, one.code, one.not_run, one.is_run) for one in blocks_of(page)]
    assert found == [
        (3, "bash", "one\n", None, True),
        (7, "bash", "two\n", "needs a GPU", False),
        (12, "python", "if three:\n    pass\n", None, True),
        (17, "text", "```bash\ninside another\n```\n", None, False),
        (23, "bash", "four\n", "", False),
        (27, "", "five\n", None, False),
    ]


def test_fence_that_is_never_closed_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("text\n\n```bash\nls\n")
    with pytest.raises(ValueError, match="page.md:3"):
        blocks_of(page)


@pages
def test_every_fence_names_a_known_language(page):
    wrong = [
        f"{one.place}: {one.language or 'no language'}"
        for one in blocks_of(page)
        if one.language not in (*RUN, *SHOWN)
    ]
    assert not wrong, f"known are {', '.join((*RUN, *SHOWN))}"


@pages
def test_every_block_that_is_not_run_says_why(page):
    silent = [one.place for one in blocks_of(page) if one.not_run is not None and not one.not_run]
    assert not silent, "<!-- not run: REASON --> needs a reason"


@pages
def test_every_reason_stands_right_before_a_block_that_would_run(page):
    # A blank line between, a misspelt comment or another language: the reason would do nothing.
    lines = page.read_text(encoding="utf-8").splitlines()
    stated = [
        at + 1
        for at, line in enumerate(lines)
        if re.search(r"<!--\W*not[ -]run", line, re.IGNORECASE)
    ]
    used = [one.line - 1 for one in blocks_of(page) if one.not_run is not None]
    assert [f"{name(page)}:{line}" for line in stated if line not in used] == []
    idle = [one for one in blocks_of(page) if one.not_run is not None and one.language not in RUN]
    assert [one.place for one in idle] == []

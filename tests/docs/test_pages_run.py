"""What the documentation shows works: every bash and Python block runs, page by page, offline."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, README, ROOT, Block, blocks_of, name

#: What a page may read of the checkout. Copies: a page that writes into them changes nothing.
FOLDERS = ("examples", "results", "tasks", "tests")
#: Seconds that a block may take; a page should take less than one minute.
LIMIT = 600
#: Pages that lead a reader through commands: each has some that run.
GUIDES = (
    "README.md",
    "docs/getting-started.md",
    "docs/scoring.md",
    "docs/judging-generations.md",
    "docs/best-of-n.md",
    "docs/data.md",
    "docs/reports.md",
)
#: A block is given to bash with this before it, which names the line that fails.
TRAP = """\
set -euo pipefail
trap 'echo "{page}:$((LINENO + {line} - 3)): failed: $BASH_COMMAND" >&2' ERR
"""


def runnable(page: Path) -> list[Block]:
    """The blocks of a page that are run."""
    return [one for one in blocks_of(page) if one.is_run]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder in which a page runs, with the checkout's folders beside its own files."""
    made = tmp_path / "page"
    made.mkdir()
    for one in FOLDERS:
        # Of the tests only what pages name: small files.
        shutil.copytree(
            ROOT / one, made / one, ignore=shutil.ignore_patterns("__pycache__", "recordings")
        )
    return made


def run(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a block in a folder, with the interpreter's environment first on the path."""
    environment = {
        **{key: os.environ[key] for key in ("LANG", "LC_ALL", "TMPDIR") if key in os.environ},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder.parent),
        "HF_HOME": str(folder.parent / "hub"),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONUTF8": "1",
        "COLUMNS": "100",
    }
    script = folder.parent / f"{block.page.stem}-{block.line}.{block.language}"
    if block.language == "bash":
        trap = TRAP.format(page=name(block.page), line=block.line + 1)
        script.write_text(trap + block.code, encoding="utf-8")
        command = ["bash", str(script)]
    else:
        # Lines of a traceback are those of the page.
        script.write_text("\n" * block.line + block.code, encoding="utf-8")
        command = [sys.executable, str(script)]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=LIMIT,
        check=False,
    )


def words(line: str) -> str:
    """A line of output without what differs between machines and runs: numbers, widths, signs."""
    return " ".join(
        re.sub(r"-{2,}:?", "-", re.sub(r"[-+±]?\d[\d,.]*(e[-+]?\d+)?", "#", line)).split()
    )


def not_printed(shown: Block, output: str) -> list[str]:
    """The lines of a block of text that a command did not print; `...` stands for anything."""
    printed = "\n".join(words(line) for line in output.splitlines())
    return [
        line
        for line in shown.code.splitlines()
        if not all(words(part) in printed for part in line.split("..."))
    ]


def run_page(page: Path, folder: Path) -> int:
    """Run the blocks of a page in order and return how many there were; the first that fails fails.

    A block of text behind one that runs is what that one prints.
    """
    blocks = runnable(page)
    every = blocks_of(page)
    behind = dict(pairwise(every))
    for block in blocks:
        done = run(block, folder)
        if done.returncode:
            pytest.fail(
                f"{block.place}: this {block.language} block ended with {done.returncode}:\n"
                f"{textwrap.indent(block.code, '    ')}\n{done.stdout[-4000:]}",
                pytrace=False,
            )
        shown = behind.get(block)
        if shown is not None and shown.language == "text":
            missing = not_printed(shown, done.stdout)
            if missing:
                pytest.fail(
                    f"{shown.place}: the block before it does not print these lines:\n"
                    + textwrap.indent("\n".join(missing), "    ")
                    + f"\n\n{done.stdout[-4000:]}",
                    pytrace=False,
                )
    return len(blocks)


@pytest.mark.slow
@pytest.mark.parametrize("page", [one for one in PAGES if runnable(one)], ids=name)
def test_the_blocks_of_a_page_run(page, folder):
    assert run_page(page, folder) > 0


@pytest.mark.parametrize("page", GUIDES)
def test_guides_have_blocks_that_run(page):
    assert runnable(ROOT / page)


def test_blocks_are_found():
    # The run of nothing passes: as many blocks as there are fences by the simplest count.
    fences = sum(
        line.startswith(("```bash", "```python"))
        for page in PAGES
        for line in page.read_text(encoding="utf-8").splitlines()
    )
    found = [one for page in PAGES for one in blocks_of(page) if one.language in ("bash", "python")]
    assert len(found) >= fences > 50
    assert sum(one.is_run for one in found) > 25
    assert README in PAGES


def test_a_failing_command_is_shown_with_page_line_and_output(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# T\n\n```bash\necho begun\nls nowhere\necho never\n```\n")
    with pytest.raises(pytest.fail.Exception) as refusal:
        run_page(page, tmp_path)
    told = str(refusal.value)
    assert told.startswith("page.md:3: this bash block ended with 2")
    assert "page.md:5: failed: ls nowhere" in told
    assert "begun" in told
    assert "\nnever" not in told


def test_a_failing_python_block_is_shown_with_the_pages_line(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# T\n\n```python\nx = 1\nassert x == 2\n```\n")
    with pytest.raises(pytest.fail.Exception, match=r"line 5, in <module>"):
        run_page(page, tmp_path)


def test_a_shown_output_is_what_is_printed_numbers_apart(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```bash\nprintf '%s\\n' 'one  2.5 pairs' '|---|' last\n```\n\n"
        "```text\none 3 pairs\n|-----|\nla...t\n```\n"
    )
    assert run_page(page, tmp_path) == 1
    page.write_text("```bash\necho one 2 pairs\n```\n\n```text\none 2 texts\n```\n")
    with pytest.raises(pytest.fail.Exception, match=r"page.md:5: .*\n    one 2 texts\n"):
        run_page(page, tmp_path)


def test_blocks_run_in_order_in_one_folder_with_the_environments_commands(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```bash\ncat > one.txt <<'END'\nwritten\nEND\nultrarm-eval --version\n```\n\n"
        "<!-- not run: would fail -->\n```bash\nfalse\n```\n\n"
        "```python\nfrom pathlib import Path\n\nassert Path('one.txt').read_text() == 'written\\n'\n```\n"
    )
    folder = tmp_path / "page"
    folder.mkdir()
    assert run_page(page, folder) == 2

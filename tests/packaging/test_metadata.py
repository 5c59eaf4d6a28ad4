"""What a package index shows of the distribution: its description, links and classifiers."""

from __future__ import annotations

import email
import email.message
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT

REPOSITORY = "https://github.com/ultrarm-eval/ultrarm-eval"
#: Runs `long_description` of setup.py on the README in the first argument.
DESCRIBE = """
import json, sys
from setup import long_description
project = {"version": "1.2.3", "urls": {"Repository": "https://git.example/us/ours"}}
print(json.dumps(long_description(sys.argv[1], project)))
"""


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


def described(readme: str) -> str:
    # In a process of its own: setuptools replaces parts of the standard library.
    done = subprocess.run(
        [sys.executable, "-c", DESCRIBE, readme],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    text: str = json.loads(done.stdout)
    return text


@pytest.mark.parametrize(
    ("readme", "expected"),
    [
        ("[docs](docs/data.md)", "[docs](https://git.example/us/ours/blob/v1.2.3/docs/data.md)"),
        ("[a](./a.md)", "[a](https://git.example/us/ours/blob/v1.2.3/a.md)"),
        (
            "[rows](tasks/README.md#data)",
            "[rows](https://git.example/us/ours/blob/v1.2.3/tasks/README.md#data)",
        ),
        (
            "![the page](results/page.png)",
            "![the page](https://git.example/us/ours/raw/v1.2.3/results/page.png)",
        ),
        (
            "[![the page](page.png)](page.html)",
            "[![the page](https://git.example/us/ours/raw/v1.2.3/page.png)]"
            "(https://git.example/us/ours/blob/v1.2.3/page.html)",
        ),
        (
            '<img src="page.png" width="400">',
            '<img src="https://git.example/us/ours/raw/v1.2.3/page.png" width="400">',
        ),
        (
            '<a href="docs/data.md">data</a>',
            '<a href="https://git.example/us/ours/blob/v1.2.3/docs/data.md">data</a>',
        ),
        (
            "[`code`](LICENSE), [b][b]\n\n[b]: CHANGELOG.md",
            "[`code`](https://git.example/us/ours/blob/v1.2.3/LICENSE), [b][b]\n\n"
            "[b]: https://git.example/us/ours/blob/v1.2.3/CHANGELOG.md",
        ),
    ],
)
def test_a_relative_link_leads_into_the_repository_at_the_tag(readme: str, expected: str) -> None:
    assert described(readme) == expected


@pytest.mark.parametrize(
    "readme",
    [
        "[paper](https://arxiv.org/abs/2310.01377)",
        "![badge](https://example.org/badge.svg)",
        "[below](#settings)",
        "[write](mailto:us@example.org)",
        "`results[name](row)` is code",
        "```python\nresults[name](row)\n```",
    ],
)
def test_other_links_and_code_stay(readme: str) -> None:
    assert described(readme) == readme


def test_the_description_is_the_readme_without_relative_links(
    metadata: email.message.Message,
) -> None:
    description = str(metadata.get_payload())
    outside = re.sub(r"^```.*?^```|`[^`\n]+`", "", description, flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)]+)\)|(?:src|href)=\"([^\"]+)\"", outside)
    relative = [t for pair in targets for t in pair if t and not t.startswith(("https://", "#"))]

    assert metadata["Description-Content-Type"] == "text/markdown"
    assert description.startswith("# ultrarm-eval\n")
    assert targets
    assert relative == []


def test_what_the_description_links_to_is_in_the_repository(
    metadata: email.message.Message,
) -> None:
    inside = rf"{re.escape(REPOSITORY)}/(?:blob|raw)/v[^/]+/([^)#\"\s]+)"
    linked = set(re.findall(inside, str(metadata.get_payload())))

    assert linked
    assert {path for path in linked if not (ROOT / path).exists()} == set()


def test_urls_are_those_of_the_repository_and_its_pages(metadata: email.message.Message) -> None:
    urls = dict(line.split(", ", 1) for line in metadata.get_all("Project-URL", []))

    assert set(urls) == {"Homepage", "Documentation", "Repository", "Issues", "Changelog"}
    assert urls["Repository"] == REPOSITORY
    pages = urls["Documentation"]
    assert all(url.startswith((REPOSITORY, pages)) for url in urls.values())


def test_the_licence_is_the_spdx_field_alone(metadata: email.message.Message) -> None:
    classifiers = metadata.get_all("Classifier", [])

    assert metadata["License-Expression"] == "MIT"
    assert metadata["License-File"] == "LICENSE"
    assert not [c for c in classifiers if c.startswith("License")]
    # What was tested, and nothing else.
    assert [c for c in classifiers if c.startswith("Operating")] == [
        "Operating System :: POSIX :: Linux"
    ]

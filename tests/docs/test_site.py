"""The site is built strictly, loads nothing from a network, and leads nowhere that is not there."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.docs.blocks import DOCS, README, ROOT

pytest.importorskip("mkdocs", reason='mkdocs is not installed (pip install -e ".[docs]")')
pytest.importorskip(
    "material", reason='mkdocs-material is not installed (pip install -e ".[docs]")'
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

URLS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
#: Attributes by which an element loads something as soon as a page is shown.
LOADED = {
    "audio": ("src",),
    "embed": ("src",),
    "iframe": ("src",),
    "img": ("src", "srcset"),
    "input": ("src",),
    "link": ("href",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "video": ("src", "poster"),
}
#: Links of the head that name a page and load nothing.
NAMING = {"canonical", "next", "prev", "alternate"}


class Page(HTMLParser):
    """What a built page loads, links to and has anchors for, and its text outside code."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.anchors = {""}
        self.text: list[str] = []
        self.formulas = 0
        self._silent = 0
        self.comments: list[str] = []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        self.anchors.add(given.get("id", ""))
        if tag == "a":
            self.links.append(given.get("href", ""))
            self.anchors.add(given.get("name", ""))
        elif not (tag == "link" and given.get("rel") in NAMING):
            self.loaded += [given[key] for key in LOADED.get(tag, ()) if key in given]
        if "style" in given:
            self.loaded += in_style(given["style"])
        self.formulas += tag == "math"
        self._silent += tag in ("code", "script", "style")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("code", "script", "style")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def in_style(css: str) -> list[str]:
    """What a stylesheet loads: pictures, fonts, other stylesheets."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    found = re.findall(r"url\(\s*([^)]*?)\s*\)|@import\s+([^;]+)", css)
    return [(one or other).strip("\"' ") for one, other in found]


def is_of_a_network(address: str) -> bool:
    return bool(re.match(r"(?:[a-z][a-z0-9+.-]*:)?//", address.strip(), re.IGNORECASE))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it: a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Page]:
    """Every built page by its name, but the one for addresses that are not there."""
    return {file.name: Page(file) for file in sorted(site.glob("*.html")) if file.stem != "404"}


@pytest.mark.slow
def test_every_page_is_built(pages):
    assert set(pages) == {f"{page.stem}.html" for page in DOCS.glob("*.md")}
    assert "index.html" in pages


@pytest.mark.slow
def test_pages_load_nothing_from_a_network(site, pages):
    loaded = {name: page.loaded for name, page in pages.items()}
    assert all(loaded.values())
    assert [
        (name, one) for name, all_of in loaded.items() for one in all_of if is_of_a_network(one)
    ] == []
    styles = sorted(site.rglob("*.css"))
    assert styles
    assert [
        (style.name, one)
        for style in styles
        for one in in_style(style.read_text(encoding="utf-8"))
        if is_of_a_network(one)
    ] == []


@pytest.mark.slow
def test_what_pages_load_is_there(site, pages):
    for name, page in pages.items():
        for one in page.loaded:
            if not one.startswith("data:"):
                assert (site / unquote(urlsplit(one).path)).is_file(), (name, one)


@pytest.mark.slow
def test_pages_ask_github_for_nothing(site):
    # The theme would ask for stars and releases wherever it finds this attribute.
    for file in site.glob("*.html"):
        assert 'data-md-component="source"' not in file.read_text(encoding="utf-8")


@pytest.mark.slow
def test_links_within_the_site_lead_to_pages_and_anchors(pages, site):
    wrong = []
    for name, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            if parts.path and not parts.fragment and (site / unquote(parts.path)).is_file():
                continue
            target = pages.get(unquote(parts.path) or name if parts.path != "." else "index.html")
            if target is None or unquote(parts.fragment) not in target.anchors:
                wrong.append((name, link))
    assert wrong == []


@pytest.mark.slow
def test_links_into_the_repository_lead_to_files(pages):
    repository = URLS["Repository"]
    found = 0
    for name, page in pages.items():
        for link in page.links:
            inner = re.match(rf"{re.escape(repository)}/(?:blob|tree)/main/([^#?]*)", link)
            if inner:
                found += 1
                assert (ROOT / unquote(inner[1])).exists(), (name, link)
    assert found > 5


@pytest.mark.slow
def test_addresses_of_the_package_are_pages_of_the_site(site):
    for name, url in URLS.items():
        if url.startswith(URLS["Documentation"]):
            inner = url.removeprefix(URLS["Documentation"]) or "index.html"
            assert (site / inner).is_file(), (name, url)


@pytest.mark.slow
def test_the_search_finds_every_page_also_without_a_server(site, pages):
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    assert {one["location"].partition("#")[0] for one in index["docs"]} == set(pages)
    as_script = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert json.loads(as_script.removeprefix("var __index = ")) == index


@pytest.mark.slow
def test_mathematics_is_mathml(pages):
    assert pages["statistics.html"].formulas > 20
    for name, page in pages.items():
        text = " ".join(page.text)
        assert "$$" not in text, name
        # A command of LaTeX; "\n" in a page's code is none.
        assert not re.search(r"\\[(\[]|\\[a-z]{2,}", text), name


@pytest.mark.slow
def test_marks_for_tests_and_scripts_are_not_in_pages(pages):
    for name, page in pages.items():
        assert not [one for one in page.comments if re.search("table|not run", one)], name
        assert "<!--" not in " ".join(page.text), name
        assert "--8<--" not in " ".join(page.text), name


@pytest.mark.slow
def test_a_page_that_is_a_file_is_searched_and_loads_nothing_from_a_network(site, browser):
    page = browser.new_page()
    asked, errors = [], []
    page.on("request", lambda one: asked.append(one.url))
    page.on("pageerror", lambda one: errors.append(str(one)))
    page.goto((site / "statistics.html").as_uri())
    page.locator(".md-search__input").click()
    page.keyboard.type("margin")
    page.locator(".md-search-result__item").first.wait_for(state="visible")
    page.close()
    assert errors == []
    assert asked
    assert [one for one in asked if not one.startswith(("file:", "data:"))] == []


def anchors_of(text: str) -> set[str]:
    """The anchors of a file's headings, as GitHub makes them."""
    from pymdownx.slugs import slugify

    slug = slugify(case="lower")
    found: dict[str, int] = {}
    anchors = {""}
    for heading in re.findall(
        r"^#{1,6} +(.+?)\s*#*$",
        re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL),
        re.MULTILINE,
    ):
        plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        one = slug(html.unescape(re.sub(r"[*`]", "", plain)), "-")
        anchors.add(f"{one}-{found[one]}" if one in found else one)
        found[one] = found.get(one, 0) + 1
    return anchors | set(re.findall(r'(?:id|name)="([^"]+)"', text))


@pytest.mark.parametrize(
    "page",
    [README, *(ROOT / one for one in ("CONTRIBUTING.md", "CHANGELOG.md") if (ROOT / one).exists())],
    ids=lambda page: page.name,
)
def test_links_of_the_readme_and_its_neighbours_lead_to_files_and_anchors(page):
    text = page.read_text(encoding="utf-8")
    plain = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(\s*<?([^)\s>]+)", plain)
    links += re.findall(r"""(?:href|src|srcset)=["']([^"']+)""", plain)
    assert links or page != README
    for link in links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        assert target.exists(), link
        if parts.fragment and target.suffix == ".md":
            assert unquote(parts.fragment) in anchors_of(target.read_text(encoding="utf-8")), link

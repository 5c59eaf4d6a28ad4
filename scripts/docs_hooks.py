"""Hooks of the documentation's site: addresses, links to files of the repository, mathematics.

mkdocs calls the functions by their names; mkdocs.yml names this file.
"""

from __future__ import annotations

import html
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert
from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# mkdocs counts its warnings: a strict build ends after all pages, with every one shown.
_log = get_plugin_logger("docs_hooks")
ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
#: The branch that links to files of the repository show.
BRANCH = "main"
#: Shows a file of the root, whose links start there.
CHANGELOG = "changelog.md"

_FENCE = re.compile(r"^\s*(`{3,}|~{3,})")
_COMMENT = re.compile(r"^\s*<!--.*-->\s*$")
#: Pictures, and pages such as a report, which a site shows and the repository's would not.
_SHOWN = re.compile(r"(?:!\[[^\]]*\]\(\.\./([^)\s]+)|\]\(\.\./([^)\s#]+\.html))")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Take the addresses from pyproject.toml and add what pages are rendered with."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    urls = project["urls"]
    config.site_url = urls["Documentation"]
    config.site_description = project["description"]
    config.repo_url = urls["Repository"].rstrip("/")
    config.repo_name = config.repo_url.removeprefix("https://github.com/")
    # mkdocs hands these on to Markdown, which takes names and objects alike.
    extensions: list[Any] = config.markdown_extensions
    extensions.append(_SiteExtension(config.repo_url))
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pictures and HTML pages of the repository that pages show, under their paths."""
    for page in files.documentation_pages():
        for found in ("".join(groups) for groups in _SHOWN.findall(page.content_string)):
            if (ROOT / found).is_file() and files.get_file_from_path(found) is None:
                files.append(File.generated(config, found, abs_src_path=str(ROOT / found)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Take out comments, which are for tests and scripts, and note whose links are resolved."""
    del config, files
    _SiteExtension.page = page.file.src_uri
    if page.file.src_uri == CHANGELOG:
        # It has every word: found after the pages that explain it.
        page.meta["search"] = {"boost": 0.2}
    lines = []
    fence = ""
    for line in markdown.splitlines():
        opened = _FENCE.match(line)
        if fence:
            fence = "" if line.strip() == fence else fence
        elif opened:
            fence = opened[1]
        elif _COMMENT.match(line):
            # A blank line: a table or a fence after it is no part of the paragraph before it.
            lines.append("")
            continue
        lines.append(line)
    return "\n".join(lines)


class _SiteExtension(Extension):
    """Rewrites links to files of the repository and mathematics in every page."""

    page: str = ""

    def __init__(self, repository: str) -> None:
        super().__init__()
        self.repository = repository

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        """Add the two processors: links before mkdocs resolves its own."""
        md.treeprocessors.register(_RepositoryLinks(md, self), "repository_links", 4)
        md.treeprocessors.register(_MathML(md, self), "mathml", 4)


class _RepositoryLinks(Treeprocessor):
    """Links to files outside docs/ become addresses in the repository; what is shown is copied.

    It warns where there is no such file, and of pictures that would be loaded from a network.
    """

    def __init__(self, md: Markdown, site: _SiteExtension) -> None:
        super().__init__(md)
        self.site = site

    def run(self, root: Element) -> None:
        """Rewrite the links of a page."""
        for element in root.iter():
            key = {"a": "href", "img": "src"}.get(element.tag)
            target = element.get(key) if key else None
            if key and target:
                element.set(key, self._resolved(target, is_image=element.tag == "img"))

    def _resolved(self, target: str, *, is_image: bool) -> str:
        parts = urlsplit(html.unescape(target))
        if parts.scheme or parts.netloc or not parts.path or parts.path.startswith("/"):
            if is_image:
                _log.warning("%s: %s: a picture is a file, not an address", self.site.page, target)
            return target
        path = (DOCS / unquote(parts.path)).resolve()
        if self.site.page == CHANGELOG and not path.exists():
            path = (ROOT / unquote(parts.path)).resolve()
        if path.is_relative_to(DOCS):
            # mkdocs itself says which of its pages and anchors are not there.
            return parts._replace(path=quote(path.relative_to(DOCS).as_posix())).geturl()
        if not path.is_relative_to(ROOT) or not path.exists():
            _log.warning("%s: %s: the repository has no such file", self.site.page, target)
            return target
        inner = quote(path.relative_to(ROOT).as_posix())
        if not is_image and path.suffix != ".html":
            view = "tree" if path.is_dir() else "blob"
            inner = f"{self.site.repository}/{view}/{BRANCH}/{inner}"
        return parts._replace(path=inner).geturl()


class _MathML(Treeprocessor):
    """Mathematics that pymdownx.arithmatex has marked becomes MathML, which browsers show as it is.

    It warns of what would not be shown as it is meant.
    """

    def __init__(self, md: Markdown, site: _SiteExtension) -> None:
        super().__init__(md)
        self.site = site

    def run(self, root: Element) -> None:
        """Convert the formulas of a page."""
        for element in root.iter():
            if element.get("class") == "arithmatex" and element.text:
                is_block = element.tag == "div"
                # What stands between \( and \), or \[ and \].
                formula = re.sub(r"^\s*\\[(\[]|\\[)\]]\s*$", "", html.unescape(element.text))
                element.set("class", "math-block" if is_block else "math")
                made = mathml(formula, is_block=is_block)
                wrong = _NOT_SHOWN.search(made)
                if wrong:
                    what = wrong[wrong.lastindex or 0]
                    _log.warning("%s: %s: %s is not shown", self.site.page, formula.strip(), what)
                element.text = self.md.htmlStash.store(made)


# What latex2mathml writes for what it does not know, and what browsers do not show.
_NOT_SHOWN = re.compile(
    r">\s*(\\\w+)|(<mi>&(?:amp;)?</mi>)|(<mspace linebreak[^>]*>)|(<mo ?/>)"
    r"|(mathvariant=\"(?!normal)[^\"]*\")"
)
# A function's name, with its argument right after it.
_FUNCTION = re.compile(r"(<mi>[a-z]{2,}</mi>)(?=<(?!mo\b|/))")


def mathml(formula: str, *, is_block: bool) -> str:
    """A formula of LaTeX as MathML that browsers show without a script.

    Args:
        formula: What stands between the dollars.
        is_block: Whether it has lines of its own.
    """
    # latex2mathml knows the same environment by the other name.
    formula = re.sub(r"(\\(?:begin|end)\{)aligned\}", r"\1split}", formula.strip())
    made = convert(formula, display="block" if is_block else "inline")
    made = re.sub(
        r' mathvariant="double-struck">(\d)<',
        _double_struck,
        made,
    )
    return _FUNCTION.sub(r'\1<mspace width="0.167em"/>', made)


def _double_struck(digit: re.Match[str]) -> str:
    # Browsers do not draw the attribute, and have the character.
    return f">{chr(0x1D7D8 + int(digit[1]))}<"

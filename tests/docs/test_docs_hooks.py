"""The site's links into the repository, its formulas, and what it takes out of pages."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("mkdocs", reason='mkdocs is not installed (pip install -e ".[docs]")')
pytest.importorskip(
    "latex2mathml", reason='latex2mathml is not installed (pip install -e ".[docs]")'
)

from markdown import Markdown

from scripts import docs_hooks

REPOSITORY = "https://example.org/repository"


@pytest.fixture
def render(monkeypatch):
    """Markdown of a page as the site renders it, with the warnings that a strict build ends with."""

    def rendered(text, page="page.md"):
        told = []
        monkeypatch.setattr(
            docs_hooks._log, "warning", lambda message, *given: told.append(message % given)
        )
        site = docs_hooks._SiteExtension(REPOSITORY)
        of_page = SimpleNamespace(file=SimpleNamespace(src_uri=page), meta={})
        text = docs_hooks.on_page_markdown(text, page=of_page, config=None, files=None)
        math = {"pymdownx.arithmatex": {"generic": True}}
        extensions = ["pymdownx.superfences", "pymdownx.arithmatex", "tables", site]
        return Markdown(extensions=extensions, extension_configs=math).convert(text), told

    return rendered


@pytest.mark.parametrize(
    ("link", "address"),
    [
        ("../LICENSE", f"{REPOSITORY}/blob/main/LICENSE"),
        ("../tasks/llmbar/README.md#data", f"{REPOSITORY}/blob/main/tasks/llmbar/README.md#data"),
        ("../examples/slurm", f"{REPOSITORY}/tree/main/examples/slurm"),
        ("changelog.md#unreleased", "changelog.md#unreleased"),
        ("#here", "#here"),
        ("https://example.com/x", "https://example.com/x"),
    ],
)
def test_links_to_files_of_the_repository_become_addresses(render, link, address):
    assert render(f"[text]({link})") == (f'<p><a href="{address}">text</a></p>', [])


@pytest.mark.parametrize("link", ["../tasks/none/README.md", "../../elsewhere.md"])
def test_links_to_files_that_are_not_there_are_told(render, link):
    _, told = render(f"[text]({link})")
    assert told == [f"page.md: {link}: the repository has no such file"]


def test_links_of_the_changelog_start_at_the_root(render):
    made, told = render("[a](docs/changelog.md) [b](LICENSE)", page="changelog.md")
    assert told == []
    assert 'href="changelog.md"' in made
    assert f'href="{REPOSITORY}/blob/main/LICENSE"' in made


def test_pictures_are_files_of_the_site(render):
    made, told = render("![chart](../results/demo/report.png)")
    assert 'src="results/demo/report.png"' in made
    assert told == []
    made, told = render("[the report](../results/demo/report.html)")
    assert 'href="results/demo/report.html"' in made
    assert told == []
    _, told = render("![chart](https://example.org/chart.png)")
    assert told == ["page.md: https://example.org/chart.png: a picture is a file, not an address"]


def test_comments_are_taken_out_but_for_those_in_code(render):
    made, _ = render(
        "before\n<!-- table: x -->\n\n| a |\n|---|\n| b |\n\n<!-- end of table -->\n"
        "<!-- not run: synopsis -->\n```html\n<!-- kept -->\n```\n"
    )
    assert "<table>" in made
    assert "table:" not in made
    assert "not run" not in made
    assert "&lt;!-- kept --&gt;" in made


def test_formulas_become_mathml(render):
    made, told = render(
        "of $a_i < 1$ and\n\n$$\n\\begin{aligned} a &= 1 \\\\ b &= 2 \\end{aligned}\n$$"
    )
    assert told == []
    assert made.count("<math") == 2
    assert made.count('display="block"') == 1
    assert made.count("<mtr>") == 2
    assert "$" not in made
    assert "\\" not in made


@pytest.mark.parametrize(
    ("formula", "named"),
    [
        (r"\unknowncommand x", r"\unknowncommand"),
        (r"a & b", "<mi>&</mi>"),
        (r"\boldsymbol{x}", 'mathvariant="bold-italic"'),
    ],
)
def test_what_browsers_do_not_show_is_told(render, formula, named):
    _, (told,) = render(f"$$\n{formula}\n$$")
    assert named in told
    assert told.startswith("page.md: ")


def test_an_indicator_and_a_functions_argument_look_as_in_print():
    assert "<mn>\U0001d7d9</mn>" in docs_hooks.mathml(r"\mathbb{1}", is_block=False)
    assert '<mi>log</mi><mspace width="0.167em"/><mi>' in docs_hooks.mathml(
        r"\log x", is_block=False
    )

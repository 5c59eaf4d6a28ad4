"""Reports on data that nobody would write by hand: very long, very many, and not well-formed."""

import json
import re
from html.parser import HTMLParser

import pytest

from tests.report.written_runs import rated, rated_sample, samples_of, write_run
from ultrarm_eval.cli.main import main
from ultrarm_eval.report import pairs as shown_pairs

VOID = {"meta", "link", "input", "br", "wbr", "img"}
DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)
HIDDEN = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")


class Elements(HTMLParser):
    """Refuses elements that are not closed where they should be."""

    def __init__(self, html):
        super().__init__()
        self.open, self.seen = [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        handlers = [name for name in names if name.startswith("on")]
        assert not handlers, f"<{tag}> has {handlers}"
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> does not close the last element"

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))


def pairs_of(html):
    return json.loads(DATA.search(html)[1])["pairs"]


def make_page(folder, documents):
    judged = [(document, [0.0, 1.0 + i]) for i, document in enumerate(documents)]
    write_run(folder / "run", samples_of(rated_sample, judged))
    path = folder / "report.html"
    assert main(["report", str(folder / "run"), "-o", str(path)]) == 0
    return path


@pytest.mark.slow
def test_of_a_text_of_a_million_characters_the_beginning_is_shown(tmp_path, open_page):
    long = "\N{GRINNING FACE}<b>&\u2028" * 200_000
    documents = [rated(0, [long, "short"], ["5", "1"], prompt=["question", "x" * 1_000_000])]
    path = make_page(tmp_path, documents)
    assert path.stat().st_size < 500_000
    page = open_page(path)
    texts = page.locator(".pair .text").all_inner_texts()
    assert texts[1] == "x" * 20_000 + " \u2026 980,000 more characters"
    assert texts[2].endswith(" \u2026 1,180,000 more characters")
    assert page.locator(".pair .text").nth(2).evaluate("one => one.textContent.slice(0, 14)") == (
        "\N{GRINNING FACE}<b>&\u2028" * 2
    )
    assert (
        page.locator(".pair .role")
        .nth(2)
        .inner_text()
        .startswith("chosen answer · reward 0.000 · 1,200,000 characters")
    )


@pytest.mark.slow
def test_of_ten_thousand_sources_the_largest_have_lines(tmp_path, open_page):
    documents = [
        rated(i, ["good", "bad"], ["5", "1"], source=f"source {i % 10_000} " + "y" * 3000)
        for i in range(10_020)
    ]
    for document in documents:
        # Long names are not in the data of each pair either.
        document["models"] = ["m" * 3000, "n" * 3000]
    path = make_page(tmp_path, documents)
    assert path.stat().st_size < 300_000
    page = open_page(path)
    assert page.locator("table.parts tr").count() < 70
    assert page.get_by_text("9951 others").is_visible()
    assert all(len(text) <= 120 for text in page.locator("#part option").all_inner_texts())


@pytest.mark.slow
def test_pairs_that_do_not_fit_are_counted(tmp_path, open_page, monkeypatch):
    monkeypatch.setattr(shown_pairs, "MOST_BYTES", 1_000_000)
    texts = "x" * 20_000, "y" * 20_000
    documents = [rated(i, texts, ["5", "1"], prompt="z" * 30_000) for i in range(40)]
    path = make_page(tmp_path, documents)
    page = open_page(path)
    # A pair takes 60,000 of a million characters: of the prompt 20,000 are shown.
    assert page.locator("#found").inner_text() == "16 pairs"
    # Each of the 40 documents is a mistake, and has no second pair.
    assert "24 more did not fit on the page" in page.locator("#pairs").inner_text()


STRANGE = [
    "\ud800 alone \udfff",
    "\x00\x01\x08\x0b\x7f\x85",
    "\u202ertl\u2066\ufeff",
    "</script><!--<script>",
    "\u2028\u2029",
    "]]>&#x41;&lt;",
    "\\u003cscript>",
    "\"'`onload=x=",
]


def write_strange_run(folder, strange):
    """A run in which every name and text is strange; as JSON spells them, all in ASCII."""
    plain = [rated(i, ["good", "bad"], ["5", "1"]) for i in range(12)]
    samples = samples_of(rated_sample, [(document, [0.0, 1.0]) for document in plain])
    results = write_run(folder, samples)
    for sample in samples:
        sample["doc_id"] = strange
        sample["doc"] |= {
            "completions": [f"good{strange}", strange],
            "prompt": [{"role": strange, "content": strange}],
            "models": [strange, strange],
            "source": strange,
        }
    (file,) = folder.glob("samples_*")
    file.write_text("".join(json.dumps(sample) + "\n" for sample in samples), encoding="ascii")
    whole = json.loads(results.read_text(encoding="utf-8"))
    whole["results"]["pairs"] |= {f"acc{strange},none": 0.5, f"acc,{strange}": 0.1}
    whole["config"] |= {"pretrained": strange, "template": strange, "revision": strange}
    whole["configs"]["pairs"]["metadata"] |= {
        "data_used": strange,
        "ties": strange,
        "counts": {f"left_out_{strange}": strange},
        "in_sample_for": [strange],
    }
    results.write_text(json.dumps(whole), encoding="ascii")


@pytest.mark.parametrize(
    "strange",
    [" ".join(STRANGE), *(pytest.param(one, marks=pytest.mark.slow) for one in STRANGE)],
    ids=ascii,
)
def test_every_name_and_text_leaves_the_page_well_formed(tmp_path, strange):
    write_strange_run(tmp_path / "run", strange)
    path = tmp_path / "report.html"
    assert main(["report", str(tmp_path / "run"), "-o", str(path)]) == 0
    html = path.read_text(encoding="utf-8")
    found = Elements(html)
    assert found.open == []
    tags = [tag for tag, _ in found.seen]
    assert tags.count("script") == 2
    assert not {"img", "iframe", "object", "embed", "base", "form"} & set(tags)
    links = [attributes["href"] for _, attributes in found.seen if "href" in attributes]
    assert [link for link in links if not link.startswith("#")] == ["data:,"]
    pair = pairs_of(html)[0]
    written = strange.encode("utf-8", "replace").decode()
    assert pair["prompt"][0]["text"] == written
    assert pair["chosen"]["text"] == f"good{written}"
    # No control and nothing that reorders text is left, but in what the script spells out.
    assert not HIDDEN.search(html.replace(DATA.search(html)[1], ""))
    for form in ("md", "json"):
        assert main(["report", str(tmp_path / "run"), "-o", str(tmp_path / f"report.{form}")]) == 0
    assert not HIDDEN.search((tmp_path / "report.md").read_text(encoding="utf-8"))
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["pairs"]


def test_what_is_left_out_is_named_whatever_its_folder_is_called(tmp_path, open_page):
    documents = [rated(i, ["good", "bad"], ["5", "1"]) for i in range(3)]
    path = make_page(tmp_path, documents)
    hostile = tmp_path / "run" / "<img src=x onerror=alert(1)>"
    hostile.mkdir()
    (hostile / "results_2026-01-01T00-00-00.json").write_text("{")
    assert main(["report", str(tmp_path / "run"), "-o", str(path)]) == 0
    page = open_page(path)
    note = page.get_by_text("Skipped: ").inner_text()
    assert "<img src=x onerror=alert(1)>/results_2026-01-01T00-00-00.json" in note
    assert "this is not valid JSON" in note

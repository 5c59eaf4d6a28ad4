"""What stands in the data of others does nothing in a report, and is shown as it is."""

import pytest

from tests.report.written_runs import rated, rated_sample, samples_of, write_run
from ultrarm_eval.cli.main import main

ATTACKS = [
    "<script>window.pwned = 1</script>",
    "</script><script>window.pwned = 1</script>",
    "<!--<script>window.pwned = 1",
    "<img src=x onerror='window.pwned = 1'>",
    "<svg onload=window.pwned=1>",
    "' onmouseover='window.pwned = 1' x='",
    '" onfocus="window.pwned = 1" autofocus x="',
    "javascript:window.pwned=1",
    '<a href="javascript:window.pwned=1">click</a>',
    "<iframe src='http://192.0.2.1/'></iframe><link rel=stylesheet href=http://192.0.2.1/x.css>",
    "{{ 7 * 7 }} {% raw %} ${7*7}",
    "__proto__",
    "\u202eright to left\u202c \u2066isolated\u2069",
    "a\x00b\x1b[31m\u2028c\u2029d\ufeff",
    "&lt;b&gt; &amp;",
]


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("hostile")
    documents = [
        rated(
            i,
            [f"answer {attack}", f"other {attack}"],
            ["5", "1"],
            prompt=[f"prompt {attack}"],
            source=attack,
        )
        for i, attack in enumerate(ATTACKS)
    ]
    for i, document in enumerate(documents):
        document["models"] = [ATTACKS[i], ATTACKS[-i]]
    judged = [(d, [0.0, 1.0 + i] if i % 2 else [1.0, 0.0]) for i, d in enumerate(documents)]
    samples = samples_of(rated_sample, judged)
    for number, model in enumerate(ATTACKS[:4]):
        write_run(
            tmp_path / f"run{number}",
            samples,
            {"data_used": ATTACKS[number], "in_sample_for": [model]},
            task="t<script>window.pwned=1" if number else "<img onerror=window.pwned=1>",
            config={"pretrained": model, "template": ATTACKS[5], "revision": ATTACKS[6]},
        )
    # A line that is no UTF-8, and one with half of a surrogate pair.
    with next((tmp_path / "run0").glob("samples_*")).open("ab") as file:
        file.write(
            b'{"doc": "\xff\xfe"}\n{"doc_id": "\\ud800<script>", "doc_hash": "x", "acc": 1}\n'
        )
    page = tmp_path / "report.html"
    assert main(["report", str(tmp_path), "-o", str(page)]) == 0
    return page


def test_nothing_runs_and_nothing_is_loaded(page_file, open_page):
    page = open_page(page_file)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    more = page.locator("#more")
    while more.is_visible():
        more.click()
    page.locator(".pair, td, h1, select").evaluate_all(
        """all => all.forEach(one => {
            one.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
            one.dispatchEvent(new FocusEvent("focus"));
        })"""
    )
    assert page.evaluate("window.pwned") is None
    assert page.evaluate("Object.prototype.polluted") is None
    # The page's own two scripts, and nothing that data made.
    assert page.evaluate("document.scripts.length") == 2
    assert (
        page.evaluate("document.querySelectorAll('iframe, img, object, embed, a[href^=j]').length")
        == 0
    )


def test_the_texts_are_shown_as_they_are(page_file, open_page):
    page = open_page(page_file)
    page.fill("#search", "prompt <script>window.pwned")
    shown = page.locator(".pair .prompt .text").first.inner_text()
    assert shown == "prompt <script>window.pwned = 1</script>"
    page.fill("#search", "right to left")
    shown = page.locator(".pair .prompt .text").first.inner_text()
    # What would reorder the page is spelled out.
    assert "\u202e" not in page.locator("body").inner_text()
    assert "U+202E" in shown
    page.fill("#search", "{{ 7 * 7 }}")
    assert "{{ 7 * 7 }} {% raw %} ${7*7}" in page.locator(".pair .prompt .text").first.inner_text()


def test_the_policy_stops_what_would_get_into_the_page(page_file, watched):
    page = watched.open_page(page_file)
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.pwned = 1";
            document.body.append(script);
            const holder = document.createElement("div");
            holder.innerHTML = "<img src='http://192.0.2.1/x.png' onerror='window.pwned = 1'>";
            document.body.append(holder);
        }"""
    )
    refused = page.evaluate("fetch('http://192.0.2.1/').then(() => 'loaded', () => 'refused')")
    page.wait_for_timeout(200)
    assert refused == "refused"
    assert page.evaluate("window.pwned") is None
    assert any("Content Security Policy" in problem for problem in watched.problems)
    # The policy comes before the browser would ask anybody.
    assert not any(problem.startswith("request") for problem in watched.problems)


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_a_phone_needs_no_scrolling_to_the_side(page_file, open_page, theme):
    page = open_page(page_file, width=390, theme=theme)
    widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert widths[0] <= widths[1]


def test_filters_search_and_order_do_what_they_say(page_file, open_page):
    page = open_page(page_file)
    page.select_option("#reason", label="confident mistake")
    # Of 15 documents every second is a mistake, and each of four judges made it.
    assert page.locator("#found").inner_text().startswith("28 of ")
    reasons = page.locator(".pair .about b").all_inner_texts()
    assert set(reasons) == {"confident mistake"}
    page.select_option("#order", "right")
    margins = page.locator(".pair .about .bad").all_inner_texts()
    values = [float(text.split()[-1].replace("\u2212", "-")) for text in margins]
    assert values == sorted(values, reverse=True)
    page.fill("#search", "there is no such text")
    assert page.locator(".pair").count() == 0


def test_without_scripts_the_figures_are_there_and_the_rest_is_said(page_file, open_page):
    page = open_page(page_file, scripts=False)
    assert page.locator("svg.chart").count() > 0
    assert "script" in page.locator("noscript").inner_text()


def test_on_paper_whole_texts_are_shown(page_file, open_page):
    page = open_page(page_file)
    page.emulate_media(media="print")
    assert page.locator("#search").is_hidden()
    heights = page.locator(".pair .text").evaluate_all(
        "all => all.map(one => one.scrollHeight - one.clientHeight)"
    )
    assert max(heights) <= 1

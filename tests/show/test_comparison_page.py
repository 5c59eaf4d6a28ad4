import re
from html.parser import HTMLParser

import pytest

from tests.compare.written_runs import choice, rated, write_run
from ultrarm_eval.compare.compute import compare_runs
from ultrarm_eval.compare.page import as_page

HOSTILE = (
    '<script>window.ran=1</script><img src=x onerror="window.ran=1">\'"><svg onload=window.ran=1>'
    "{{ 7*7 }} \u202ejavascript:window.ran=1 \x00 \ud800"
)


def page(tmp_path, judges, **options):
    paths = [
        write_run(tmp_path / f"run {i}", samples, model=f"org/{i}", **of_run)
        for i, (samples, of_run) in enumerate(judges)
    ]
    return as_page(compare_runs(paths, **options))


def outcomes(wins, form=rated, **options):
    return [form(i, [float(win), 0.5], **options) for i, win in enumerate(wins)]


class Texts(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_the_page_says_what_follows_and_how_large_it_is(tmp_path):
    html = page(tmp_path, [(outcomes([0] * 10 + [1] * 10), {}), (outcomes([1] * 20), {})])
    shown = Texts(html)
    assert "org/1 is significantly better than org/0 on pairs, by 50.0 points" in shown.text
    bars = [attributes for tag, attributes in shown.elements if attributes.get("role") == "img"]
    assert bars[0]["class"] == "interval"
    assert bars[0]["aria-label"].startswith("+50.0 points, 95 % interval ")
    # The interval's far end is the span's, with a twentieth of room; 0 is its middle.
    (far,) = re.findall(r"left:([\d.]+)%;width:([\d.]+)%", html)
    assert float(far[0]) + float(far[1]) == pytest.approx(50 + 50 / 1.05, abs=0.02)


def test_a_bar_without_a_shown_difference_is_grey(tmp_path):
    html = page(tmp_path, [(outcomes([0, 1, 1]), {}), (outcomes([1, 1, 1]), {})])
    assert '<div class="interval unsure"' in html
    assert '<li class="unsure">' in html


def test_three_runs_are_told_apart_by_letters(tmp_path):
    html = page(tmp_path, [(outcomes([i % k > 0 for i in range(9)]), {}) for k in (2, 3, 4)])
    assert html.count('<td class="pair-of-runs">') == 6
    assert '<span class="letter">C</span>' in html


def test_a_page_without_differences_says_why(tmp_path):
    html = page(tmp_path, [(outcomes([1]), {}), (outcomes([1], ratings=(4, 1)), {})])
    assert "A and B have no documents in common" in Texts(html).text
    assert 'id="differences"' not in html
    assert 'id="unmatched"' in html


@pytest.fixture
def hostile_page(tmp_path):
    def judge(wins):
        samples = [{**row, "doc_id": HOSTILE} for row in outcomes(wins, choice, subset=HOSTILE)]
        return {"task": samples}

    runs = [
        write_run(tmp_path / str(i), judge(wins), model=f"{HOSTILE} {i}", metadata={"ties": ties})
        for i, (wins, ties) in enumerate((([1, 0, 1], HOSTILE), ([1, 1], "half")))
    ]
    # A task without samples can have any name.
    for run in runs:
        (path,) = run.glob("results_*")
        figures = '{"acc,none": 0.5, "acc_stderr,none": 0.1}'
        name = HOSTILE.encode("unicode_escape").decode().replace('"', '\\"')
        name = name.replace("\\x00", "\\u0000").replace("\\'", "'")
        path.write_text(
            path.read_text().replace('"results": {', f'"results": {{"{name}": {figures}, ')
        )
    return as_page(compare_runs(runs, by=["category"]))


def test_hostile_names_are_texts(hostile_page):
    shown = Texts(hostile_page)
    names = [tag for tag, _ in shown.elements]
    assert (names.count("script"), names.count("img"), names.count("svg")) == (1, 0, 0)
    assert not [a for _, attributes in shown.elements for a in attributes if a.startswith("on")]
    assert shown.text.count("<script>window.ran=1</script>") > 5
    assert not {"\u202e", "\x00", "\ud800"} & set(hostile_page)


@pytest.mark.parametrize("width", [1200, 390])
def test_nothing_runs_in_a_browser(hostile_page, tmp_path, open_page, width):
    path = tmp_path / "page.html"
    path.write_text(hostile_page, encoding="utf-8")
    view = open_page(path, width=width)
    assert view.evaluate("window.ran") is None
    # Nothing sticks out of the page, however long a name is.
    assert view.evaluate("document.documentElement.scrollWidth") == width
    assert view.locator("table.differences .interval .dot").first.is_visible()
    view.locator("#theme").click()
    assert view.locator("html").get_attribute("data-theme") == "light"

"""The list of pairs in a report's page: order, filters, search, and what is said of a pair."""

import re

import pytest

from tests.report.written_runs import rated, rated_sample, samples_of, write_run
from tests.show.reports import judged_pairs, make_page, margins, prompts, reasons


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    write_run(folder / "run", samples_of(rated_sample, judged_pairs(30)))
    return make_page(folder, folder / "run")


def test_mistakes_come_first_the_surest_of_them_at_the_top(page_file, open_page):
    page = open_page(page_file)
    # 10 mistakes; of each document then one pair of small margin that is none, or drawn.
    assert reasons(page)[:11] == ["confident mistake"] * 10 + ["small margin"]
    assert margins(page)[:3] == [-28.0, -25.0, -22.0]
    assert page.locator("#found").inner_text() == "30 pairs, first 20 shown"


def test_more_are_shown_on_request_until_there_are_no_more(page_file, open_page):
    page = open_page(page_file)
    assert page.locator(".pair").count() == 20
    first = page.locator(".pair").first.element_handle()
    page.click("#more")
    assert page.locator(".pair").count() == 30
    assert page.locator("#found").inner_text() == "30 pairs"
    assert page.locator("#more").is_hidden()
    # What was there stays: a reader's place in it is kept.
    assert first.evaluate("element => element.isConnected")
    page.select_option("#order", "right")
    assert page.locator(".pair").count() == 20
    assert page.locator("#more").is_visible()


def test_orders(page_file, open_page):
    page = open_page(page_file)
    for order, first in (
        ("right", [30.0, 29.0, 27.0]),
        ("close", [-1.0, 2.0, 3.0]),
        ("wrong", [-28.0, -25.0, -22.0]),
    ):
        page.select_option("#order", order)
        assert margins(page)[:3] == first
    page.select_option("#order", "gap")
    texts = page.locator(".pair .about").all_inner_texts()
    gaps = [float(re.search(r"rating gap ([\d.]+)", text)[1]) for text in texts]
    # The other answer's rating is 4 - i % 4, the better one's 5.
    assert gaps[:8] == [4.0] * 7 + [3.0]
    page.select_option("#order", "length")
    # "good i" has 30 - i letters behind it.
    assert prompts(page)[:2] == ["question 0", "question 1"]


def test_filters_and_search_together(page_file, open_page):
    page = open_page(page_file)
    options = page.locator("#part option").all_inner_texts()
    assert options == ["all subsets", "source: even", "source: odd"]
    # Neither several judges nor several tasks: nothing to choose.
    assert page.locator("#judge").is_hidden()
    assert page.locator("#task").is_hidden()
    page.select_option("#part", label="source: odd")
    assert page.locator("#found").inner_text() == "15 of 30 pairs"
    page.select_option("#reason", label="confident mistake")
    assert page.locator("#found").inner_text() == "5 of 30 pairs"
    assert margins(page) == [-28.0, -22.0, -16.0, -10.0, -4.0]
    page.fill("#search", " GOOD 2")
    assert prompts(page) == ["question 27", "question 21"]
    page.fill("#search", "good 2 ")
    # What is around the words does not count.
    assert page.locator("#found").inner_text() == "2 of 30 pairs"
    page.fill("#search", "nobody says this")
    assert page.locator("#found").inner_text() == "0 of 30 pairs"
    assert "No pair matches all filters" in page.locator("#list").inner_text()
    page.fill("#search", "")
    page.select_option("#reason", "-1")
    page.select_option("#part", "-1")
    assert page.locator("#found").inner_text() == "30 pairs, first 20 shown"


@pytest.mark.slow
def test_what_was_searched_for_is_marked_and_in_sight(tmp_path, open_page):
    text = "line\n" * 400 + "a Needle here"
    documents = [rated(0, [text, "no"], ["5", "1"]), rated(1, ["other", "no"], ["5", "1"])]
    judged = [(document, [1.0, 0.0]) for document in documents]
    write_run(tmp_path / "run", samples_of(rated_sample, judged))
    page = open_page(make_page(tmp_path, tmp_path / "run"))
    page.fill("#search", "needle")
    marked = page.evaluate("[...CSS.highlights.get('found')].map(String)")
    assert marked == ["Needle"]
    assert page.evaluate(
        """() => {
            const [range] = CSS.highlights.get("found");
            const box = range.startContainer.parentElement.getBoundingClientRect();
            const place = range.getBoundingClientRect();
            return box.top <= place.top && place.bottom <= box.bottom;
        }"""
    )
    page.fill("#search", "")
    assert page.evaluate("CSS.highlights.has('found')") is False


def test_a_pair_says_all_that_is_known_of_it(page_file, open_page):
    page = open_page(page_file)
    page.fill("#search", "question 27")
    pair = page.locator(".pair")
    assert pair.locator(".about").inner_text().split("\n") == [
        "confident mistake",
        "margin -28.000",
        "rating gap 4",
        "pairs",
        "document 27",
        "source: odd",
    ]
    roles = pair.locator(".sides .role").all_inner_texts()
    assert roles == [
        "chosen answer · reward 0.000 · 11 characters · model-0",
        "rejected answer · reward 28.000 · 6 characters · model-1",
    ]
    assert pair.locator(".sides .text").all_inner_texts() == ["good 27 xxx", "bad 27"]


@pytest.mark.slow
def test_two_judges_are_told_apart(tmp_path, open_page):
    judged = judged_pairs(8)
    write_run(tmp_path / "a", samples_of(rated_sample, judged), config={"pretrained": "org/a"})
    turned = [(d, [-r for r in rewards]) for d, rewards in judged]
    write_run(tmp_path / "b", samples_of(rated_sample, turned), config={"pretrained": "org/b"})
    page = open_page(make_page(tmp_path, tmp_path))
    assert reasons(page)[:8] == ["judges disagree"] * 8
    first = page.locator(".pair").first
    assert "org/a: reward 8.000 against 0.000" in first.inner_text()
    assert "org/b: reward -8.000 against 0.000" in first.inner_text()
    page.select_option("#judge", label="org/b")
    page.select_option("#reason", label="confident mistake")
    # Those that are right by the other judge.
    assert page.locator("#found").inner_text().startswith("5 of ")
    assert page.locator("h2").all_inner_texts()[:2] == ["org/a", "org/b"]

"""Rewards after single tokens in a report's page."""

import re

import pytest

from tests.report.written_runs import rated, rated_sample, samples_of, write_run
from tests.show.reports import DEMO_RUN, make_page


@pytest.fixture(scope="module")
def tokens_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    return make_page(folder, DEMO_RUN, "--pairs", 2, "--tokens", 1)


@pytest.mark.slow
def test_they_are_coloured_and_say_the_reward_after_them(tokens_file, open_page):
    page = open_page(tokens_file)
    pair = page.locator(".pair").first
    for side, role in zip(
        pair.locator(".sides .text").all(), pair.locator(".sides .role").all(), strict=True
    ):
        titles = [token.get_attribute("title") for token in side.locator(".token").all()]
        assert len(titles) > 5
        found = [
            re.fullmatch(r"reward after this token: (\S+) \(([+-][\d.]+)\)", t) for t in titles
        ]
        rewards = [float(match[1]) for match in found]
        changes = [float(match[2]) for match in found]
        for before, after, change in zip(rewards, rewards[1:], changes[1:], strict=False):
            assert after - before == pytest.approx(change, abs=0.0021)
        assert f"reward {rewards[-1]:.3f}" in role.inner_text()
        colours = side.locator(".token").evaluate_all(
            "all => all.map(one => one.style.backgroundColor)"
        )
        for change, colour in zip(changes, colours, strict=True):
            assert ("--wrong" if change < 0 else "--right") in colour
        # The strongest change has the full colour.
        strongest = max(range(len(changes)), key=lambda i: abs(changes[i]))
        assert "60%" in colours[strongest]


@pytest.mark.slow
def test_together_they_are_the_text(tokens_file, open_page):
    page = open_page(tokens_file)
    data = page.evaluate("JSON.parse(document.getElementById('data').textContent).pairs[0]")
    shown = page.locator(".pair").first.locator(".sides .text").all_inner_texts()
    assert shown == [data["chosen"]["text"], data["rejected"]["text"]]


@pytest.mark.slow
def test_a_touch_shows_what_a_pointer_would(tokens_file, open_page):
    page = open_page(tokens_file, width=390)
    token = page.locator(".token").nth(3)
    token.click()
    assert page.locator(".readout").first.inner_text() == token.get_attribute("title")


@pytest.mark.slow
def test_where_the_judge_did_not_read_the_beginning_that_is_said(tmp_path, open_page):
    documents = [rated(i, ["word " * 1500, "bad"], ["5", "1"]) for i in range(2)]
    samples = samples_of(rated_sample, [(document, [0.0, 1.0]) for document in documents])
    write_run(tmp_path / "run", samples)
    options = ("--tokens", 1, "--pretrained", "demo")
    page = open_page(make_page(tmp_path, tmp_path / "run", *options))
    said = "the judge did not read the text before this"
    shown = page.locator(".pair").first.locator(".sides .text").all_inner_texts()
    assert [said in text for text in shown] == [True, False]


@pytest.mark.slow
def test_pairs_without_them_have_their_text(tokens_file, open_page):
    page = open_page(tokens_file)
    assert page.locator(".pair").nth(1).locator(".token").count() == 0
    assert page.locator(".pair").nth(1).locator(".sides .text").first.inner_text()

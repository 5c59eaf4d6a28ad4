"""The report in a browser: that it shows what it should, and that all of it can be used."""

import re
from pathlib import Path

import pytest

from tests.report.written_runs import (
    choice,
    choice_sample,
    judged_sample,
    prompted,
    rated,
    rated_sample,
    samples_of,
    write_run,
)
from ultrarm_eval.cli.main import main

DEMO_RUN = Path(__file__).parents[2] / "results" / "demo" / "run"
LONG = "a_name/" + "without_a_place_to_break" * 12


def make_page(folder, *arguments):
    path = folder / "report.html"
    assert main(["report", *map(str, arguments), "-o", str(path)]) == 0
    return path


def judged_pairs(count):
    """Pair i is wrong by i + 1 where i is divisible by 3, else right by i + 1."""
    documents = [
        rated(
            i,
            [f"good {i} " + "x" * (count - i), f"bad {i}"],
            ["5", str(4 - i % 4)],
            prompt=f"question {i}",
            source="odd" if i % 2 else "even",
        )
        for i in range(count)
    ]
    rewards = [[0.0, i + 1.0] if i % 3 == 0 else [i + 1.0, 0.0] for i in range(count)]
    return list(zip(documents, rewards, strict=True))


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    write_run(folder / "run", samples_of(rated_sample, judged_pairs(30)))
    return make_page(folder, folder / "run")


@pytest.fixture(scope="module")
def long_file(tmp_path_factory):
    """Several tasks of two judges, with names and texts that have no end."""
    folder = tmp_path_factory.mktemp("long")
    items = [choice(i, [f"right {i} " + "y" * 3000], [LONG], subset=LONG) for i in range(12)]
    metadata = {"suite": "llmbar", "ties": "half", "data_used": LONG, "in_sample_for": [LONG]}
    for model in (LONG, f"{LONG} 2"):
        rewards = [[float(i % 2), 0.5] for i in range(12)]
        samples = samples_of(choice_sample, list(zip(items, rewards, strict=True)), metadata)
        for task in ("short", "task_" + LONG.replace("/", "_")[:150]):
            write_run(
                folder / model[-1] / task[:5],
                samples,
                metadata,
                task=task,
                config={"pretrained": model, "template": LONG},
            )
    return make_page(folder, folder)


def reasons(page):
    return page.locator(".pair .about b").all_inner_texts()


def margins(page):
    texts = page.locator(".pair .about").all_inner_texts()
    return [float(found[1]) for text in texts if (found := re.search(r"margin (-?[\d.]+)", text))]


def prompts(page):
    return page.locator(".pair .prompt .text").all_inner_texts()


class TestTheList:
    def test_mistakes_come_first_the_surest_of_them_at_the_top(self, page_file, open_page):
        page = open_page(page_file)
        # 10 mistakes; of each document then one pair of small margin that is none, or drawn.
        assert reasons(page)[:11] == ["confident mistake"] * 10 + ["small margin"]
        assert margins(page)[:3] == [-28.0, -25.0, -22.0]
        assert page.locator("#found").inner_text() == "30 pairs, the first 20 shown"

    def test_more_are_shown_on_request_until_there_are_no_more(self, page_file, open_page):
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

    @pytest.mark.parametrize(
        ("order", "first"),
        [
            ("wrong", [-28.0, -25.0, -22.0]),
            ("right", [30.0, 29.0, 27.0]),
            ("close", [-1.0, 2.0, 3.0]),
            # The other answer's rating is 4 - i % 4, the better one's 5.
            ("gap", None),
            ("length", None),
        ],
    )
    def test_orders(self, page_file, open_page, order, first):
        page = open_page(page_file)
        page.select_option("#order", order)
        if first is not None:
            assert margins(page)[:3] == first
        elif order == "gap":
            texts = page.locator(".pair .about").all_inner_texts()
            gaps = [float(re.search(r"rating gap ([\d.]+)", text)[1]) for text in texts]
            assert gaps[:8] == [4.0] * 7 + [3.0]
        else:
            # "good i" has 30 - i letters behind it.
            assert prompts(page)[:2] == ["question 0", "question 1"]

    def test_filters_and_search_together(self, page_file, open_page):
        page = open_page(page_file)
        options = page.locator("#part option").all_inner_texts()
        assert options == ["every part", "source: even", "source: odd"]
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
        assert "No pair has all of this" in page.locator("#list").inner_text()
        page.fill("#search", "")
        page.select_option("#reason", "-1")
        page.select_option("#part", "-1")
        assert page.locator("#found").inner_text() == "30 pairs, the first 20 shown"

    def test_what_was_searched_for_is_marked_and_in_sight(self, tmp_path, open_page):
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

    def test_a_pair_says_all_that_is_known_of_it(self, page_file, open_page):
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
            "better answer · reward 0.000 · 11 characters · model-0",
            "other answer · reward 28.000 · 6 characters · model-1",
        ]
        assert pair.locator(".sides .text").all_inner_texts() == ["good 27 xxx", "bad 27"]

    def test_two_judges_are_told_apart(self, tmp_path, open_page):
        judged = judged_pairs(8)
        write_run(tmp_path / "a", samples_of(rated_sample, judged), config={"pretrained": "org/a"})
        turned = [(d, [-r for r in rewards]) for d, rewards in judged]
        write_run(tmp_path / "b", samples_of(rated_sample, turned), config={"pretrained": "org/b"})
        page = open_page(make_page(tmp_path, tmp_path))
        assert reasons(page)[:8] == ["judges disagree"] * 8
        first = page.locator(".pair").first
        assert "org/a: 8.000 against 0.000" in first.inner_text()
        assert "org/b: -8.000 against 0.000" in first.inner_text()
        page.select_option("#judge", label="org/b")
        page.select_option("#reason", label="confident mistake")
        # Those that are right by the other judge.
        assert page.locator("#found").inner_text().startswith("5 of ")
        assert page.locator("h2").all_inner_texts()[:2] == ["org/a", "org/b"]


class TestTokens:
    @pytest.fixture(scope="class")
    def tokens_file(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp("tokens")
        return make_page(folder, DEMO_RUN, "--pairs", 2, "--tokens", 1)

    def test_they_are_coloured_and_say_the_reward_after_them(self, tokens_file, open_page):
        page = open_page(tokens_file)
        pair = page.locator(".pair").first
        for side, role in zip(
            pair.locator(".sides .text").all(), pair.locator(".sides .role").all(), strict=True
        ):
            titles = [token.get_attribute("title") for token in side.locator(".token").all()]
            assert len(titles) > 5
            found = [re.fullmatch(r"reward after this: (\S+) \(([+-][\d.]+)\)", t) for t in titles]
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

    def test_together_they_are_the_text(self, tokens_file, open_page):
        page = open_page(tokens_file)
        data = page.evaluate("JSON.parse(document.getElementById('data').textContent).pairs[0]")
        shown = page.locator(".pair").first.locator(".sides .text").all_inner_texts()
        assert shown == [data["chosen"]["text"], data["rejected"]["text"]]

    def test_a_touch_shows_what_a_pointer_would(self, tokens_file, open_page):
        page = open_page(tokens_file, width=390)
        token = page.locator(".token").nth(3)
        token.click()
        assert page.locator(".readout").first.inner_text() == token.get_attribute("title")

    def test_pairs_without_them_have_their_text(self, tokens_file, open_page):
        page = open_page(tokens_file)
        assert page.locator(".pair").nth(1).locator(".token").count() == 0
        assert page.locator(".pair").nth(1).locator(".sides .text").first.inner_text()


class TestLooks:
    def test_the_button_goes_through_the_themes(self, page_file, open_page):
        page = open_page(page_file, theme="dark")
        ground = "getComputedStyle(document.body).backgroundColor"
        dark = page.evaluate(ground)
        button = page.locator("#theme")
        assert button.inner_text() == "Theme: system"
        button.click()
        light = page.evaluate(ground)
        assert (button.inner_text(), light == dark) == ("Theme: light", False)
        # Charts take part in it.
        label = page.locator("svg.chart text").first
        in_light = label.evaluate("one => getComputedStyle(one).fill")
        button.click()
        assert (button.inner_text(), page.evaluate(ground)) == ("Theme: dark", dark)
        assert label.evaluate("one => getComputedStyle(one).fill") != in_light
        button.click()
        assert (button.inner_text(), page.evaluate(ground)) == ("Theme: system", dark)
        page.emulate_media(color_scheme="light")
        assert page.evaluate(ground) == light

    @pytest.mark.parametrize("width", [320, 390, 1200])
    def test_the_longest_names_need_no_scrolling_to_the_side(self, long_file, open_page, width):
        page = open_page(long_file, width=width)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        assert page.locator(".pair").count() == 20
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    def test_parts_open_by_keyboard_alone(self, long_file, open_page):
        page = open_page(long_file)
        part = page.locator("details#t0-1")
        assert part.get_attribute("open") is None
        summary = part.locator("> summary")
        for _ in range(60):
            page.keyboard.press("Tab")
            if summary.evaluate("one => one === document.activeElement"):
                break
        page.keyboard.press("Enter")
        assert part.get_attribute("open") is not None
        assert part.locator("table").first.is_visible()

    def test_a_link_in_the_table_opens_its_task(self, long_file, open_page):
        page = open_page(long_file)
        part = page.locator("details#t0-1")
        assert part.get_attribute("open") is None
        page.click("a[href='#t0-1']")
        assert part.get_attribute("open") is not None
        # So does an address that ends in it.
        page.goto(f"{long_file.as_uri()}#t1-1")
        page.reload()
        assert page.locator("details#t1-1").get_attribute("open") is not None

    def test_on_paper_all_is_open_and_light(self, long_file, open_page):
        page = open_page(long_file, theme="dark")
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(255, 255, 255)"
        )
        closed = page.locator("details:not([open])")
        assert closed.count() > 2
        hidden = closed.evaluate_all("all => all.filter(one => one.offsetHeight < 60).length")
        assert hidden == 0
        cut = page.locator(".text").evaluate_all(
            "all => all.filter(one => one.scrollHeight > one.clientHeight + 1).length"
        )
        assert cut == 0
        assert page.locator("#theme").is_hidden()
        assert page.locator("#found").is_visible()


def test_a_task_that_is_compared_with_references_has_win_rates(tmp_path, open_page):
    samples = [
        judged_sample(i, prompted(i, "a reference"), ["an answer"], [float(i % 4 > 0)], 0.5)
        for i in range(12)
    ]
    write_run(tmp_path / "run", samples, config={"judge": None, "model": "hf", "pretrained": "m"})
    page = open_page(make_page(tmp_path, tmp_path / "run"))
    tile = page.locator(".tile.main").inner_text().split("\n")
    assert tile[:2] == ["win rate, pairs", "75.0 %"]
    roles = page.locator(".pair").first.locator(".sides .role").all_inner_texts()
    assert [role.split(" · ")[0] for role in roles] == ["answer", "reference"]


def test_a_run_without_pairs_has_its_figures_and_no_list(tmp_path, open_page):
    samples = [{"doc_id": i, "doc": {}, "metrics": ["acc"], "acc": i % 2} for i in range(6)]
    write_run(tmp_path / "run", samples, config={"judge": None, "model": "hf"})
    page = open_page(make_page(tmp_path, tmp_path / "run"))
    assert page.locator("#list, #reading, svg.chart").count() == 0
    assert page.locator("nav.contents a").all_inner_texts() == ["Results"]
    assert page.locator(".tile .figure").all_inner_texts() == ["50.0 %"]
    assert page.get_by_text("standard error", exact=True).is_visible()


def test_lengths_far_apart_have_readable_ticks(tmp_path, open_page):
    documents = [
        rated(i, ["x" * (2 + 300 * (i % 20)), "y" * (3 + i)], ["5", "1"]) for i in range(40)
    ]
    judged = [(document, [1.0, 0.0]) for document in documents]
    write_run(tmp_path / "run", samples_of(rated_sample, judged))
    page = open_page(make_page(tmp_path, tmp_path / "run"))
    texts = page.locator("svg.chart[aria-label*='length'] text").all_text_contents()
    assert {"10", "100", "1000"} <= set(texts)
    assert not [text for text in texts if "$" in text]

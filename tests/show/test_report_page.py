"""The report in a browser: that it can be read and used, on any screen and on paper."""

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
from tests.show.reports import judged_pairs, make_page, reasons

LONG = "a_name/" + "without_a_place_to_break" * 12


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


@pytest.mark.slow
def test_the_button_goes_through_the_themes(page_file, open_page):
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


@pytest.mark.parametrize(
    "width", [320, *(pytest.param(width, marks=pytest.mark.slow) for width in (390, 1200))]
)
def test_the_longest_names_need_no_scrolling_to_the_side(long_file, open_page, width):
    page = open_page(long_file, width=width)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert page.locator(".pair").count() == 20
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_parts_open_by_keyboard_alone(long_file, open_page):
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


def test_a_link_in_the_table_opens_its_task(long_file, open_page):
    page = open_page(long_file)
    part = page.locator("details#t0-1")
    assert part.get_attribute("open") is None
    page.click("a[href='#t0-1']")
    assert part.get_attribute("open") is not None
    # So does an address that ends in it.
    page.goto(f"{long_file.as_uri()}#t1-1")
    page.reload()
    assert page.locator("details#t1-1").get_attribute("open") is not None


@pytest.mark.slow
def test_on_paper_all_is_open_and_light(long_file, open_page):
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


@pytest.mark.slow
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
    assert reasons(page)[:3] == ["clear loss"] * 3
    note = page.locator("#pairs .note").first.inner_text()
    assert note.startswith("The clearest losses and a random sample; at most one pair")
    assert page.get_by_text("a loss is not a mistake of the judge").is_visible()


def test_a_run_without_pairs_has_its_figures_and_no_list(tmp_path, open_page):
    samples = [{"doc_id": i, "doc": {}, "metrics": ["acc"], "acc": i % 2} for i in range(6)]
    write_run(tmp_path / "run", samples, config={"judge": None, "model": "hf"})
    page = open_page(make_page(tmp_path, tmp_path / "run"))
    assert page.locator("#list, #reading, svg.chart").count() == 0
    assert page.locator("nav.contents a").all_inner_texts() == ["Results"]
    assert page.locator(".tile .figure").all_inner_texts() == ["50.0 %"]
    assert page.get_by_text("standard error", exact=True).is_visible()


@pytest.mark.slow
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

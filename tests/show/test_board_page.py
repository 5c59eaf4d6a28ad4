"""The leaderboard's page in a real browser: sorting, filtering, columns, details, hostile names."""

import pytest

from tests.board.written_results import OfTask, results_of, write_many, write_results
from ultrarm_eval.cli.main import main
from ultrarm_eval.runs.figure import TWO_SIDED_95
from ultrarm_eval.show.formats import cell_value

ATTACKS = [
    "<script>window.pwned = 1</script>",
    "</script><script>window.pwned = 1</script>",
    "<img src=x onerror='window.pwned = 1'>",
    "' onmouseover='window.pwned = 1' x='",
    "javascript:window.pwned=1",
    "__proto__",
    "constructor",
    "\u202eright to left",
    "a\nb\x00\x1b[31m\u2028c",
    "{{ 7 * 7 }}",
]
ORDER = "[...document.querySelectorAll('#board tbody tr:not(.detail):not([hidden]) bdi:first-child')].map(e => e.textContent)"


def written_board(folder, *more):
    assert main(["leaderboard", str(folder), "-o", str(folder / "board"), *more]) == 0
    return folder / "board" / "board.html"


@pytest.fixture(scope="module")
def board_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for model, x, y in (("org/low", 0.6, 0.9), ("org/high", 0.9, 0.7), ("org/mid", 0.75, 0.8)):
        tasks = {
            "x": OfTask(x, figures={"nll": 1 - x, "nll_stderr,none": 0.01}),
            "y": OfTask(y, digest="d2"),
            "z": OfTask(0.5),
        }
        content = results_of(model, tasks, groups={"xy": ((x + y) / 2, ("x", "y"))})
        write_results(folder / model.replace("/", "_"), content)
    part = results_of("org/part", {"x": OfTask(0.99)}, config={"limit": 10})
    write_results(folder / "part", part)
    return written_board(folder)


def order(page):
    return page.evaluate(ORDER)


def head(page, text):
    return page.locator("#board thead th", has=page.get_by_role("button", name=text, exact=True))


def shown_heads(page):
    return [
        text.split("\n")[0] for text in page.locator("#board thead th:visible").all_inner_texts()
    ]


def test_rows_stand_in_the_order_of_the_mean_at_first(open_page, board_file):
    page = open_page(board_file)
    assert order(page) == ["org/high", "org/mid", "org/low", "org/part"]
    assert head(page, "mean of 1 group and 1 task").get_attribute("aria-sort") == "descending"
    ranks = page.locator("#board tbody .rank").all_text_contents()
    assert len(ranks) == 4
    assert ranks[3] == ""
    said = page.locator("main").inner_text()
    assert "each counted once" in said
    assert "It is over xy, z." in said


def test_a_column_sorts_by_keyboard_and_turns_over(open_page, board_file):
    page = open_page(board_file)
    page.get_by_label("tasks of groups").check()
    button = head(page, "y").get_by_role("button")
    button.focus()
    page.keyboard.press("Enter")
    # The row without a figure stays last in either order.
    assert order(page) == ["org/low", "org/mid", "org/high", "org/part"]
    assert head(page, "y").get_attribute("aria-sort") == "descending"
    page.keyboard.press("Enter")
    assert order(page) == ["org/high", "org/mid", "org/low", "org/part"]
    assert head(page, "y").get_attribute("aria-sort") == "ascending"
    assert page.locator("#board [aria-sort]").count() == 1
    # What saw a part of the data alone has the highest figure, and no rank.
    head(page, "x").get_by_role("button").click()
    assert order(page) == ["org/high", "org/mid", "org/low", "org/part"]
    assert page.locator("#board tbody .rank").all_text_contents() == ["1", "2", "3", ""]
    head(page, "model").get_by_role("button").click()
    assert order(page) == ["org/high", "org/low", "org/mid", "org/part"]


def test_every_row_has_its_interval_on_one_axis(open_page, board_file):
    page = open_page(board_file)
    dots = page.locator("#board .track .dot")
    assert dots.count() == 3
    places = [dots.nth(i).bounding_box()["x"] for i in range(3)]
    assert places == sorted(places, reverse=True)
    assert (
        page.locator("#board tbody .track[role=img]")
        .first.get_attribute("aria-label")
        .startswith("65.0, ")
    )


@pytest.mark.few(2)
@pytest.mark.parametrize(
    "values",
    [(0.5, 0.5), (79.5, 81.0), (1e16, 1e16 + 2), (-1e300, 1e300), (0.0, 1e-12)],
    ids=repr,
)
def test_values_of_any_size_have_an_axis(open_page, tmp_path, values):
    for name, value in zip("ab", values, strict=True):
        # Figures that the name of their metric does not fit are shown all the same.
        of_task = OfTask(0.5, stderr="N/A", figures={"acc,none": value, "acc_stderr,none": 0.001})
        write_results(tmp_path / name, results_of(name, {"x": of_task}))
    page = open_page(written_board(tmp_path))
    places = page.evaluate(
        "[...document.querySelectorAll('#board .track .dot')].map(e => parseFloat(e.style.left))"
    )
    assert len(places) == 2
    assert all(0 <= place <= 100 for place in places)


def intervals_of(page):
    tracks = page.locator("#board tbody .track[role=img]").evaluate_all(
        "all => all.map(e => e.getAttribute('aria-label'))"
    )
    return dict(zip(order(page), tracks, strict=True))


def test_only_all_reads_100_percent_and_only_none_0(open_page, tmp_path):
    error = 0.0001 / TWO_SIDED_95
    rows = {
        "most": OfTask(0.9995, stderr=error),
        "few": OfTask(0.0005, stderr=error),
        "all": OfTask(1.0),
        "none": OfTask(0.0),
    }
    for name, of_task in rows.items():
        write_results(tmp_path / name, results_of(name, {"x": of_task}))
    page = open_page(written_board(tmp_path))
    assert intervals_of(page) == {
        "all": "100.0, 99.0 to 100.0",
        "most": "99.95, 99.9 to 99.96",
        "few": "0.1, 0.04 to 0.1",
        "none": "0.0, 0.0 to 1.0",
    }
    # The details of a row are written by the same rule.
    page.get_by_role("button", name="most").click()
    assert "99.9 to 99.96" in page.locator("#board .detail").inner_text()


@pytest.mark.parametrize("value", [0.5, 12.34, 12346.0, 2.5e9], ids=repr)
def test_an_interval_is_written_as_its_value_is(open_page, tmp_path, value):
    half = 0.1 * value
    figures = {"loss": value, "loss_stderr,none": half / TWO_SIDED_95}
    content = results_of("a", {"x": OfTask()})
    content["results"]["x"] = {
        name if "," in name else f"{name},none": v for name, v in figures.items()
    }
    write_results(tmp_path, content)
    said = intervals_of(open_page(written_board(tmp_path)))["a"]
    written = (cell_value(x, False) for x in (value, value - half, value + half))
    assert said.replace("e+9", "e+09") == "{}, {} to {}".format(*written)


def test_rows_are_filtered_by_words(open_page, board_file):
    page = open_page(board_file)
    page.get_by_role("searchbox").fill("ultrarm MID")
    assert order(page) == ["org/mid"]
    assert "1 of 4" in page.get_by_role("status").inner_text()
    page.get_by_role("searchbox").fill("nothing like it")
    assert order(page) == []


def test_tasks_of_a_group_are_behind_a_toggle(open_page, board_file):
    page = open_page(board_file)
    assert shown_heads(page)[2:] == ["mean of 1 group and 1 task", "xy", "z"]
    page.get_by_label("tasks of groups").check()
    assert shown_heads(page)[2:] == ["mean of 1 group and 1 task", "xy", "x", "y", "z"]


def test_columns_are_chosen_and_metrics_added(open_page, board_file):
    page = open_page(board_file)
    page.get_by_role("button", name="Columns…").click()
    page.get_by_role("button", name="None").click()
    assert shown_heads(page)[2:] == ["mean of 1 group and 1 task"]
    page.get_by_label("x", exact=True).check()
    page.get_by_label("nll", exact=True).check()
    assert shown_heads(page)[2:] == ["mean of 1 group and 1 task", "x", "x"]
    # Of this metric less is better: the first order is upwards.
    added = page.locator("#board thead th.more").get_by_role("button")
    added.click()
    assert order(page)[:3] == ["org/high", "org/mid", "org/low"]
    assert page.locator("#board thead th.more").get_attribute("aria-sort") == "ascending"


def test_details_of_a_row_open_under_it_and_close(open_page, board_file):
    page = open_page(board_file)
    button = page.get_by_role("button", name="org/part")
    button.click()
    assert button.get_attribute("aria-expanded") == "true"
    detail = page.locator("#board .detail")
    assert "partial: limit 10" in detail.inner_text()
    assert "part/results_2026-03-04T05-06-07.890123.json" in detail.inner_text()
    # It stays with its row.
    head(page, "model").get_by_role("button").click()
    rows = page.locator("#board tbody tr")
    assert ["detail" in (rows.nth(i).get_attribute("class") or "") for i in range(5)][-1]
    button.click()
    assert detail.count() == 0


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_on_a_phone_the_name_stays_and_nothing_overflows(open_page, board_file, theme):
    page = open_page(board_file, width=390, theme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    name = page.locator("#board tbody th").first
    page.locator(".board").evaluate("e => { e.scrollLeft = 200 }")
    assert name.bounding_box()["x"] == pytest.approx(0, abs=2)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(x) for x in ground[4:-1].split(",")) > 384) == (theme == "light")


def test_without_scripts_the_table_is_there(open_page, board_file):
    page = open_page(board_file, scripts=False)
    names = page.locator("#board tbody th .label > bdi").all_text_contents()
    assert names == ["org/high", "org/mid", "org/low", "org/part"]
    # The model, the mean, a group and three tasks; the chart is made by the script.
    assert page.locator("#board thead th:visible").count() == 6
    assert page.locator("#controls:visible").count() == 0


def test_a_print_shows_the_whole_table_and_no_controls(open_page, board_file):
    page = open_page(board_file)
    page.emulate_media(media="print")
    assert page.locator("#controls :is(input, button):visible").count() == 0
    assert page.get_by_role("status").is_visible()
    box = page.locator(".board")
    assert box.evaluate("e => getComputedStyle(e).overflow") == "visible"
    assert page.locator("#board tbody tr:visible").count() == 4


@pytest.mark.slow
def test_a_print_of_thirty_columns_fits_on_the_sheet(open_page, tmp_path):
    # The width of A4 across in pixels of CSS, less the margins.
    page = open_page(written_board(write_many(tmp_path, 3, 30)), width=1032)
    page.emulate_media(media="print")
    assert page.locator("#board thead th:visible").count() == 33
    assert page.evaluate("document.documentElement.scrollWidth") <= 1032


@pytest.mark.slow
def test_hostile_names_do_nothing_and_are_shown(open_page, tmp_path):
    for place, attack in enumerate(ATTACKS):
        content = results_of(
            attack,
            {attack: OfTask(figures={attack: 0.5}), "x": OfTask()},
            groups={f"group {attack}": (0.5, (attack, "x"))},
            config={"template": attack, "limit": attack if place % 2 else None},
        )
        write_results(tmp_path / str(place), content)
    write_results(tmp_path / "<script>window.pwned = 1<script>", "{")
    page = open_page(written_board(tmp_path, "--title", ATTACKS[1]))
    page.get_by_label("tasks of groups").check()
    page.get_by_role("button", name="Columns…").click()
    for every in ("#metrics input", "#board .open", "#board thead button:visible"):
        page.locator(every).evaluate_all("all => all.forEach(one => one.click())")
    assert page.locator("#board .detail").count() == len(ATTACKS)
    assert page.evaluate("window.pwned === undefined && ({}).polluted === undefined")
    assert page.locator("main script, main img, main iframe, main a").count() == 0
    shown = set(order(page))
    assert "<script>window.pwned = 1</script>" in shown
    assert "⟨U+202E⟩right to left" in shown
    assert "a b⟨U+0000⟩⟨U+001B⟩[31m c" in shown
    assert ATTACKS[1] in page.title()


@pytest.mark.slow
def test_a_thousand_rows_of_thirty_tasks_stay_usable(open_page, tmp_path):
    page = open_page(written_board(write_many(tmp_path, 1000, 30, metrics=1)))
    assert page.locator("#board tbody tr:visible").count() == 200
    spent = page.evaluate("""() => {
        const start = performance.now();
        document.querySelectorAll('#board thead th button')[4].click();
        document.body.offsetHeight;
        return performance.now() - start;
    }""")
    # In milliseconds, on a small machine with other work beside.
    assert spent < 3000
    page.get_by_role("searchbox").fill("model-0999")
    assert order(page) == ["org-10/reward-model-0999"]
    page.get_by_role("searchbox").fill("")
    page.get_by_role("button", name="Show all 1000 rows").click()
    assert page.locator("#board tbody tr:visible").count() == 1000


def test_the_watch_notices_what_a_page_must_not_do(watched, tmp_path):
    (tmp_path / "bad.html").write_text(
        "<!doctype html><img src='http://192.0.2.1/x.png'>"
        "<script>console.error('broken'); alert('hello'); missing();</script>"
    )
    watched.open_page(tmp_path / "bad.html").wait_for_load_state()
    found = "; ".join(watched.problems)
    for problem in (
        "request: http://192.0.2.1/x.png",
        "console error: broken",
        "dialog: hello",
        "error: missing is not defined",
    ):
        assert problem in found

import csv
import io
import json

import numpy as np
import pytest

from tests.compare.compared import OTHER, pair_of_runs, right
from tests.compare.written_runs import choice, rated, write_run
from ultrarm_eval.compare.comparing import compare_runs
from ultrarm_eval.compare.data import as_csv, as_json
from ultrarm_eval.compare.page import as_page
from ultrarm_eval.compare.statements import statements
from ultrarm_eval.compare.text import as_markdown, as_text
from ultrarm_eval.report.slices import FEWEST_PROMPTS

NO = "No difference is shown"


def tasks(seed, names, count=20):
    """Every judge is right on half of each task, on a half of its own."""
    random = np.random.default_rng(seed)
    return {name: right(random.permutation(np.arange(count) % 2)) for name in names}


@pytest.fixture
def six(tmp_path):
    """Two runs on six tasks that show nothing, and on one that does."""
    names = [f"task{i}" for i in range(6)]
    a, b = tasks(1, names), tasks(2, names)
    return pair_of_runs(tmp_path, {**a, "won": right([0] * 20)}, {**b, "won": right([1] * 20)})


def test_what_is_not_shown_is_said_once(six):
    first, second = statements(six, six.rows)
    assert first.is_shown
    assert first.text.startswith("org/other is better than org/judge by 100.0 points on won")
    assert not second.is_shown
    assert second.text.startswith(
        "No difference is shown between org/judge and org/other on 6 tasks (B less A, in points, "
        "with its 95 % interval): task0 "
    )
    for row in six.rows[:6]:
        found = row.part.difference
        ends = f"({100 * found.interval.low:+.1f} to {100 * found.interval.high:+.1f})"
        assert f"{row.task} {100 * found.value:+.1f} {ends}" in second.text


def test_every_form_says_it_once(six):
    for written in (as_page(six), as_text(six), as_markdown(six)):
        assert written.count(NO) == 1
    assert as_page(six).count('<li class="unsure">') == 1


def test_data_have_a_sentence_for_each_row(six):
    rows = json.loads(as_json(six))["differences"]
    assert [row["conclusion"].startswith(NO) for row in rows] == [True] * 6 + [False]


def test_one_alone_keeps_its_sentence(tmp_path):
    comparison = pair_of_runs(tmp_path, right([0, 1, 1, 0]), right([1, 0, 1, 0]))
    (one,) = statements(comparison, comparison.rows)
    assert one.text == comparison.rows[0].conclusion


def test_what_the_correction_takes_away_keeps_its_sentence(tmp_path):
    names = ["x", "y", "z"]
    a, b = tasks(3, names), tasks(4, names)
    comparison = pair_of_runs(
        tmp_path, {**a, "w": right([0] * 6 + [1] * 9)}, {**b, "w": right([1] * 15)}
    )
    said = [one.text for one in statements(comparison, comparison.rows)]
    assert len(said) == 2
    assert said[0].startswith("After correction for 4 tests no difference is shown")


def test_every_two_runs_have_a_sentence_of_their_own(tmp_path):
    paths = [
        write_run(tmp_path / name, tasks(i, ["x", "y"]), model=f"org/{name}")
        for i, name in enumerate("abc")
    ]
    comparison = compare_runs(paths)
    said = [one.text for one in statements(comparison, comparison.rows)]
    assert [text.partition(" on 2 tasks (")[2][:11] for text in said] == [
        f"{b} less {a}, in"[:11] for a, b in ("AB", "AC", "BC")
    ]


def test_of_very_many_the_first_are_named(tmp_path):
    names = [f"t{i:02}" for i in range(15)]
    comparison = pair_of_runs(tmp_path, tasks(5, names, 9), tasks(6, names, 9))
    text = " ".join(one.text for one in statements(comparison, comparison.rows))
    assert "t11 " in text
    assert "t12 " not in text
    assert "and 3 more in the table" in text


def of_sizes(seed, sizes):
    random = np.random.default_rng(seed)
    subsets = [name for name, size in sizes.items() for _ in range(size)]
    return [
        choice(i, [float(random.integers(0, 2)), 0.5], subset) for i, subset in enumerate(subsets)
    ]


def test_parts_of_few_prompts_have_no_row_and_are_counted(tmp_path):
    sizes = {"two": 2, "five": FEWEST_PROMPTS - 1, "six": FEWEST_PROMPTS}
    comparison = pair_of_runs(tmp_path, of_sizes(1, sizes), of_sizes(2, sizes), by=["category"])
    assert [row.part.name for row in comparison.shown_rows] == [None, "six"]
    assert comparison.tests == 2
    for written in (as_page(comparison), as_text(comparison), as_markdown(comparison)):
        assert f"2 parts of fewer than {FEWEST_PROMPTS} prompts are left out" in written
        assert "category: six" in written
        assert "category: two" not in written
        assert "category: five" not in written
    # Data have them, without a verdict.
    rows = list(csv.DictReader(io.StringIO(as_csv(comparison))))
    small = [row for row in rows if row["part"] in ("two", "five")]
    assert [row["adjusted_p"] for row in small] == ["", ""]
    assert "there are 2 prompts, too few to tell the runs apart" in small[1]["conclusion"]


def test_no_part_is_left_out_where_all_are_large(tmp_path):
    sizes = {"x": 9, "y": 8}
    comparison = pair_of_runs(tmp_path, of_sizes(1, sizes), of_sizes(2, sizes), by=["category"])
    assert len(comparison.shown_rows) == 3
    assert "left out" not in as_text(comparison)


def test_a_whole_task_is_compared_however_small(tmp_path):
    comparison = pair_of_runs(tmp_path, right([1, 0]), right([0, 1]))
    assert len(comparison.shown_rows) == 1


def test_for_pairs_the_accuracies_are_told_once(tmp_path, six):
    for written in (as_text(six), as_markdown(six), as_page(six)):
        assert "A right" not in written
    several = [rated(i, [float(i % 3), 0.5, 0.1], (5, 3, 1)) for i in range(9)]
    other = [rated(i, [float(i % 2), 0.5, 0.1], (5, 3, 1)) for i in range(9)]
    comparison = pair_of_runs(tmp_path / "several", several, other, options_b=OTHER)
    for written in (as_text(comparison), as_markdown(comparison), as_page(comparison)):
        assert "A right" in written

import csv
import io
import json

import numpy as np
import pytest

from tests.compare.compared import OTHER, pair_of_runs, right
from tests.compare.written_runs import choice, foreign, rated, write_run
from ultrarm_eval.compare.compute import compare_runs
from ultrarm_eval.compare.data import as_csv, as_json
from ultrarm_eval.compare.difference import Difference
from ultrarm_eval.compare.page import as_page
from ultrarm_eval.compare.statements import Named, conclusion, is_shown, statements
from ultrarm_eval.compare.text import as_markdown, as_text
from ultrarm_eval.stats.interval import Interval
from ultrarm_eval.stats.significance import FEWEST_PROMPTS

NO = "here is no significant difference"


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


@pytest.mark.slow
def test_what_is_not_shown_is_said_once(six):
    first, second = statements(six, six.rows)
    assert first.is_shown
    assert first.text.startswith(
        "org/other is significantly better than org/judge on won, by 100.0 points"
    )
    assert not second.is_shown
    assert second.text.startswith(
        "There is no significant difference between org/judge and org/other on 6 tasks. "
        "Differences, B minus A (points, 95 % interval): task0 "
    )
    for row in six.rows[:6]:
        found = row.part.difference
        ends = f"({100 * found.interval.low:+.1f} to {100 * found.interval.high:+.1f})"
        assert f"{row.task} {100 * found.value:+.1f} {ends}" in second.text


def test_every_form_says_it_once(six):
    for written in (as_page(six), as_text(six), as_markdown(six)):
        assert written.count(NO) == 1
    assert as_page(six).count('<li class="unsure">') == 1


@pytest.mark.parametrize(
    ("apart", "said"),
    [
        (1.0, "by 1.000 (adjusted p = 0.008; no interval, because all prompts differ alike)."),
        (0.0, "(ppl): 0.000 (p = 1.00; no interval, because all prompts differ alike)."),
    ],
)
def test_a_difference_that_all_prompts_share_has_no_interval(tmp_path, apart, said):
    a, b = ([foreign(i, "ppl", i + x) for i in range(8)] for x in (0.0, apart))
    metric = {"metric": "ppl", "better": {"ppl": True}}
    comparison = pair_of_runs(tmp_path, a, b, metric, metric)
    (row,) = comparison.rows
    assert row.conclusion.endswith(said)
    assert "1.000 to 1.000" not in as_text(comparison) + as_page(comparison)
    (written,) = json.loads(as_json(comparison))["differences"]
    assert [written[name] for name in ("low", "high", "level", "interval_method")] == [None] * 4


@pytest.mark.slow
def test_data_have_a_sentence_for_each_row(six):
    rows = json.loads(as_json(six))["differences"]
    assert [NO in row["conclusion"] for row in rows] == [True] * 6 + [False]


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
    assert said[0].startswith(
        "After Holm's correction for 4 tests there is no significant difference"
    )


def test_every_two_runs_have_a_sentence_of_their_own(tmp_path):
    paths = [
        write_run(tmp_path / name, tasks(i, ["x", "y"]), model=f"org/{name}")
        for i, name in enumerate("abc")
    ]
    comparison = compare_runs(paths)
    said = [one.text for one in statements(comparison, comparison.rows)]
    assert [text.partition("Differences, ")[2][:9] for text in said] == [
        f"{b} minus {a}" for a, b in ("AB", "AC", "BC")
    ]


@pytest.mark.slow
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
        assert f"2 subsets with fewer than {FEWEST_PROMPTS} prompts are not tested" in written
        assert "category: six" in written
        assert "category: two" not in written
        assert "category: five" not in written
    # Data have them, without a verdict.
    rows = list(csv.DictReader(io.StringIO(as_csv(comparison))))
    small = [row for row in rows if row["part"] in ("two", "five")]
    assert [row["adjusted_p"] for row in small] == ["", ""]
    assert "2 prompts are too few to compare the runs" in small[1]["conclusion"]


def test_no_part_is_left_out_where_all_are_large(tmp_path):
    sizes = {"x": 9, "y": 8}
    comparison = pair_of_runs(tmp_path, of_sizes(1, sizes), of_sizes(2, sizes), by=["category"])
    assert len(comparison.shown_rows) == 3
    assert "not tested" not in as_text(comparison)


def test_a_whole_task_is_compared_however_small(tmp_path):
    comparison = pair_of_runs(tmp_path, right([1, 0]), right([0, 1]))
    assert len(comparison.shown_rows) == 1


def test_for_pairs_the_accuracies_are_told_once(tmp_path, six):
    for written in (as_text(six), as_markdown(six), as_page(six)):
        assert "A accuracy" not in written
        assert "Prompts with more pairs count more here" not in written
    several = [rated(i, [float(i % 3), 0.5, 0.1], (5, 3, 1)) for i in range(9)]
    other = [rated(i, [float(i % 2), 0.5, 0.1], (5, 3, 1)) for i in range(9)]
    comparison = pair_of_runs(tmp_path / "several", several, other, options_b=OTHER)
    for written in (as_text(comparison), as_markdown(comparison), as_page(comparison)):
        assert "A accuracy" in written
        assert "Prompts with more pairs count more here than in the differences." in written


def found(value, interval, p_value, *, prompts=200):
    between = None if interval is None else Interval(*interval)
    test = None if p_value is None else "sign-flip"
    return Difference(0.7, 0.7 + value, value, between, test, p_value, 200, prompts)


def named(*, metric="acc", are_shares=True, higher_is_better=True, on="X"):
    return Named("A", "B", on, metric, are_shares, higher_is_better)


def test_a_difference_that_is_shown():
    said = conclusion(
        found(0.018, (0.006, 0.030), 0.003), 0.003, 1, named(on="ultrafeedback_pairs")
    )
    assert said == (
        "B is significantly better than A on ultrafeedback_pairs, by 1.8 points (95 % interval 0.6 "
        "to 3.0, adjusted p = 0.003)."
    )


def test_a_difference_the_other_way_round():
    said = conclusion(found(-0.018, (-0.030, -0.006), 0.003), 0.003, 1, named())
    assert said == (
        "A is significantly better than B on X, by 1.8 points (95 % interval 0.6 to 3.0, adjusted "
        "p = 0.003)."
    )


def test_a_difference_that_is_not_shown_says_how_large_it_may_be():
    said = conclusion(found(0.003, (-0.010, 0.016), 0.6), 0.6, 1, named())
    assert said == (
        "There is no significant difference between A and B on X: 0.3 points in favor of B (95 % "
        "interval -1.0 to 1.6, p = 0.60). The data are compatible with a difference of up to 1.6 "
        "points."
    )


@pytest.mark.parametrize(
    ("interval", "prompts", "shares", "told"),
    [
        (
            (-0.28, 1.0),
            20,
            True,
            " of up to 100.0 points: 20 prompts are too few to compare the runs.",
        ),
        ((-0.2, 0.3), 5, True, " of up to 30.0 points: 5 prompts are too few to compare the runs."),
        ((-0.2, 0.3), 1, True, " of up to 30.0 points: 1 prompt is too few to compare the runs."),
        ((-0.4, 0.49), 6, True, " of up to 49.0 points."),
        ((-0.6, 0.7), 200, False, " of up to 0.700."),
        ((-0.28, 1.0), None, True, " of up to 100.0 points. The runs are treated as independent, "),
    ],
)
def test_too_few_prompts_are_named(interval, prompts, shares, told):
    said = conclusion(found(0.2, interval, 0.6, prompts=prompts), 0.6, 1, named(are_shares=shares))
    assert f"compatible with a difference{told}" in said


def test_too_few_prompts_are_named_among_several_tasks(tmp_path):
    few, more = ["x"], ["y"]
    a, b = ({**tasks(i, few, 4), **tasks(i, more, 200)} for i in (3, 4))
    comparison = pair_of_runs(tmp_path, a, b)
    (one,) = statements(comparison, comparison.rows)
    assert one.text.count("), too few prompts; y ") == 1
    assert one.text.count("too few") == 1


def test_its_interval_is_that_of_what_the_favoured_one_is_ahead_by():
    said = conclusion(found(-0.003, (-0.016, 0.010), 0.6), 0.6, 1, named())
    assert "0.3 points in favor of A (95 % interval -1.0 to 1.6, p" in said


def test_no_difference_at_all_favours_nobody():
    said = conclusion(found(0.0, (-0.02, 0.02), 1.0), 1.0, 1, named())
    assert said.startswith(
        "There is no significant difference between A and B on X: 0.0 points (95 %"
    )


def test_the_correction_is_named_where_it_changes_what_follows():
    said = conclusion(found(0.018, (0.006, 0.030), 0.02), 0.24, 12, named())
    assert said == (
        "After Holm's correction for 12 tests there is no significant difference between A and B on "
        "X: 1.8 points in favor of B (95 % interval 0.6 to 3.0, unadjusted p = 0.020, adjusted p = "
        "0.24). The data are compatible with a difference of up to 3.0 points."
    )


def test_an_interval_without_zero_is_not_enough():
    said = conclusion(found(-0.2, (-0.39, -0.01), 0.0625), 0.0625, 1, named())
    assert "1.0 to 39.0, p = 0.062). The interval excludes 0, but the test is not" in said
    assert said.startswith("There is no significant difference")


def test_a_test_without_its_interval():
    said = conclusion(found(0.02, (-0.001, 0.04), 0.04), 0.04, 1, named())
    assert said == (
        "B is significantly better than A on X, by 2.0 points (95 % interval -0.1 to 4.0, adjusted "
        "p = 0.040). The interval includes 0, but the test is significant."
    )


def test_lower_is_better():
    loss = named(metric="nll", are_shares=False, higher_is_better=False)
    worse = conclusion(found(0.25, (0.1, 0.4), 0.001), 0.001, 1, loss)
    assert worse == (
        "A is significantly better than B on X (nll, lower is better), by 0.250 (95 % interval "
        "0.100 to 0.400, adjusted p = 0.001)."
    )
    better = conclusion(found(-0.25, (-0.4, -0.1), 0.001), 0.001, 1, loss)
    assert better.startswith(
        "B is significantly better than A on X (nll, lower is better), by 0.250 (95 % interval 0.1"
    )
    open_ = conclusion(found(0.25, (-0.1, 0.6), 0.2), 0.2, 1, loss)
    assert ": 0.250 in favor of A (95 % interval -0.100 to 0.600, p" in open_


def test_a_metric_without_a_direction_makes_nobody_better():
    neutral = named(metric="length", are_shares=False, higher_is_better=None)
    said = conclusion(found(-3.0, (-4.0, -2.0), 0.001), 0.001, 1, neutral)
    assert said.startswith(
        "A is significantly higher than B on X (length, neither direction is better), by 3.000"
    )


def test_too_few_prompts_for_an_interval():
    said = conclusion(found(0.5, None, 1.0), 1.0, 1, named())
    assert said.endswith("50.0 points in favor of B (p = 1.00; too few prompts for an interval).")
    said = conclusion(found(0.5, None, 0.01), 0.01, 1, named())
    assert said.endswith("50.0 points (adjusted p = 0.010; too few prompts for an interval).")


def test_an_unpaired_difference_says_that_it_is_one():
    said = conclusion(found(0.018, (0.006, 0.030), 0.003, prompts=None), 0.003, 1, named())
    assert said.endswith(
        "p = 0.003). The runs are treated as independent, because their documents cannot be matched."
    )


def test_a_difference_without_a_test():
    said = conclusion(found(-0.018, None, None, prompts=None), None, 0, named())
    assert said.startswith("B minus A is -1.8 points on X. Without standard errors or samples")


@pytest.mark.parametrize(("adjusted", "shown"), [(0.0499, True), (0.05, False), (None, False)])
def test_five_percent_is_the_limit(adjusted, shown):
    assert is_shown(adjusted) is shown

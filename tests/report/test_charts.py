"""The numbers in a chart, and in the note below it."""

import dataclasses
import re

import pytest

from tests.report.written_runs import rated, rated_sample, samples_of, write_run
from ultrarm_eval.report.charts import charts_of
from ultrarm_eval.report.overview import tiles
from ultrarm_eval.report.ranks import RankConfusion
from ultrarm_eval.report.report import make_report
from ultrarm_eval.runs.evaluation import read_evaluations

SHARES = [
    (1.0, "100.0"),
    (0.9996, "99.96"),
    (0.999999, "99.9999"),
    (0.5, "50.0"),
    (0.0004, "0.04"),
    (0.0, "0.0"),
]


@pytest.fixture(scope="module")
def task(tmp_path_factory):
    """The report of a judge that prefers the longer answer in two of three pairs."""
    folder = tmp_path_factory.mktemp("run")
    judged = [
        (rated(i, ["a long answer" * (i + 1), "short"], ["5", "1"]), [float(i > 0), 0.5])
        for i in range(3)
    ]
    write_run(folder, samples_of(rated_sample, judged))
    (judge,) = make_report(read_evaluations(folder), pairs=0).judges
    return judge.tasks[0]


def chart(task, title):
    (found,) = [one for one in charts_of(task, "t") if one.title.startswith(title)]
    return found


def test_the_note_on_lengths_says_how_often_the_longer_answer_is_preferred(task):
    said = chart(task, "Reward by answer length").caption
    assert said.startswith("The judge prefers the longer answer in 66.7 % of the pairs of unequal")


@pytest.mark.parametrize(("share", "written"), SHARES)
def test_only_all_longer_answers_read_100_percent_and_only_none_0(task, share, written):
    lengths = dataclasses.replace(task.lengths, follows_length=share)
    said = chart(dataclasses.replace(task, lengths=lengths), "Reward by answer length").caption
    assert f"prefers the longer answer in {written} % of the pairs" in said


def test_without_pairs_of_unequal_length_the_note_says_nothing_of_them(task):
    lengths = dataclasses.replace(task.lengths, follows_length=None)
    said = chart(dataclasses.replace(task, lengths=lengths), "Reward by answer length").caption
    assert said.startswith("Spearman's correlation")


def test_only_all_answers_at_a_rank_read_100_and_only_none_0(task):
    ranks = RankConfusion(2, 1000, 0, ((0.996, 0.004), (0.0, 1.0)))
    drawn = chart(dataclasses.replace(task, ranks=ranks), "Rank by reward").svg
    numbers = re.findall(r">([0-9.]+)</text>", str(drawn))
    assert {"99.6", "0.4", "0", "100"} <= set(numbers)


def test_a_calibration_error_that_is_not_0_does_not_read_so(task):
    calibration = dataclasses.replace(task.calibration, error=0.0004, error_by_chance=0.0123)
    given = dataclasses.replace(task, calibration=calibration)
    said = chart(given, "Calibration").caption
    assert "calibration error 0.04 points (1.2 expected from chance)" in said
    (tile,) = [one for one in tiles(given) if one.label.startswith("calibration error")]
    assert (tile.value, tile.beside) == ("0.04", "points; 1.2 from chance")

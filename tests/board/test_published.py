"""Published figures beside a board: read as they are, never rows of it."""

import json
from pathlib import Path

import pytest

from tests.board.written_results import OfTask, results_of, write_results
from ultrarm_eval.board.board import make_board
from ultrarm_eval.board.page import as_page
from ultrarm_eval.board.published import read_published
from ultrarm_eval.errors import DataError
from ultrarm_eval.runs.evaluation import read_evaluations

PUBLISHED = Path(__file__).parents[2] / "results" / "published"
GOOD = {
    "benchmark": "Bench",
    "unit": "percent",
    "metrics": {"overall": "mean of all"},
    "entries": [
        {
            "model": "org/m",
            "metrics": {"overall": 69.03},
            "source": {"title": "board", "url": "javascript:alert(1)", "where": "table 2"},
        }
    ],
}


def page_of(tmp_path, published):
    write_results(tmp_path / "runs", results_of("m", {"x": OfTask()}))
    runs = read_evaluations(tmp_path / "runs")
    board = make_board(runs, tmp_path / "runs", read_published(published))
    return board, as_page(board, title="Board")


def test_the_projects_own_are_read(tmp_path):
    board, page = page_of(tmp_path, PUBLISHED)
    (rewardbench,) = (one for one in board.published if one.benchmark == "RewardBench")
    figures = [one.values.get("overall") for one in rewardbench.entries]
    assert 69.03 in figures
    assert "69.03" in page
    assert [row.label for row in board.rows] == ["m"]


def test_a_link_that_is_none_of_the_web_is_not_one(tmp_path):
    (tmp_path / "one.json").write_text(json.dumps(GOOD))
    _, page = page_of(tmp_path, tmp_path)
    assert "69.03" in page
    assert "javascript:" not in page


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "not a file of published scores"),
        (json.dumps({**GOOD, "metrics": {}}), "metrics overall of org/m"),
        (json.dumps({**GOOD, "entries": [{"model": "m"}]}), "KeyError"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    (tmp_path / "one.json").write_text(content)
    with pytest.raises(DataError, match=message):
        read_published(tmp_path)


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(DataError, match="no files of published scores"):
        read_published(tmp_path / "nowhere")

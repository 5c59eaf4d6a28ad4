"""`ultrarm-eval leaderboard`: its three files, and what is not compared."""

import csv
import io
import json

import pytest

from tests.board.written_results import OfTask, results_of, write_results
from ultrarm_eval.cli.main import main

FILES = ("board.html", "board.csv", "board.json")


def board_of(capsys, folder, output, *more, status=0):
    arguments = ["leaderboard", str(folder), "-o", str(output), *more]
    assert main(arguments) == status
    return capsys.readouterr()


def as_json(capsys, folder, output):
    board_of(capsys, folder, output)
    return json.loads((output / "board.json").read_text(encoding="utf-8"))


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "runs"
    for model, accuracy in (("org/a", 0.9), ("org/b", 0.7), ("org/c", 0.71)):
        tasks = {"x": OfTask(accuracy), "y": OfTask(accuracy - 0.1, digest="d2")}
        write_results(folder / model, results_of(model, tasks))
    return folder


def test_three_files_are_written_and_named(runs, tmp_path, capsys):
    output = tmp_path / "new" / "board"
    said = board_of(capsys, runs, output)
    assert said.out.splitlines() == [str(output / name) for name in FILES]
    assert (output / "board.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert as_json(capsys, runs, output)["format"] == "ultrarm_eval.board/1"


def test_the_table_has_a_row_for_each_figure(runs, tmp_path, capsys):
    board_of(capsys, runs, tmp_path / "board")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "board" / "board.csv").read_text())))
    found = {(r["model"], r["task"]): float(r["value"]) for r in rows if r["metric"] == "acc"}
    assert found["org/a", "x"] == 0.9
    assert found["org/b", "y"] == pytest.approx(0.6)
    assert len(found) == 6
    # Nothing says where the files lie on this machine.
    assert {r["file"].split("/")[0] for r in rows} == {"org"}
    assert str(tmp_path) not in (tmp_path / "board" / "board.json").read_text()


def test_two_calls_write_the_same_bytes(runs, tmp_path, capsys):
    for name in ("one", "two"):
        board_of(capsys, runs, tmp_path / name)
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_the_harnesss_figures_are_kept_under_their_own_keys(runs, tmp_path, capsys):
    board = as_json(capsys, runs, tmp_path / "board")
    figures = [result["figures"] for row in board["rows"] for result in row["results"].values()]
    assert all("acc,none" in of_task for of_task in figures)


def test_parts_of_the_data_and_in_sample_figures_are_marked(runs, tmp_path, capsys):
    write_results(runs / "d", results_of("org/d", {"x": OfTask(0.99)}, config={"limit": 10}))
    seen = OfTask(0.98, metadata={"in_sample_for": ["org/e"]})
    write_results(runs / "e", results_of("org/e", {"x": seen}))
    board_of(capsys, runs, tmp_path / "board")
    text = (tmp_path / "board" / "board.csv").read_text()
    marks = {
        r["model"]: (r["partial"], r["in_sample"])
        for r in csv.DictReader(io.StringIO(text))
        if (r["task"], r["metric"]) == ("x", "acc")
    }
    assert (marks["org/d"], marks["org/e"]) == (("true", "false"), ("false", "true"))
    assert marks["org/a"] == ("false", "false")


def test_other_documents_are_no_competition(runs, tmp_path, capsys):
    write_results(runs / "d", results_of("org/d", {"x": OfTask(0.99, digest="other")}))
    board_of(capsys, runs, tmp_path / "board")
    text = (tmp_path / "board" / "board.csv").read_text()
    other = {
        r["model"]: r["other_documents"]
        for r in csv.DictReader(io.StringIO(text))
        if (r["task"], r["metric"]) == ("x", "acc")
    }
    assert other == {"org/a": "false", "org/b": "false", "org/c": "false", "org/d": "true"}


def test_a_damaged_file_among_good_ones_is_said(runs, tmp_path, capsys):
    write_results(runs / "broken", '{"results":')
    said = board_of(capsys, runs, tmp_path / "board")
    assert "not valid JSON" in said.err
    assert "not valid JSON" in (tmp_path / "board" / "board.html").read_text(encoding="utf-8")


def test_nothing_to_read_is_refused(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    said = board_of(capsys, tmp_path / "empty", tmp_path / "board", status=2)
    assert "no result of any task here" in said.err
    assert not (tmp_path / "board").exists()


def test_a_file_in_the_place_of_the_folder_is_refused(runs, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert "Give a folder" in board_of(capsys, runs, tmp_path / "file", status=2).err
    assert (tmp_path / "file").read_text() == "x"


def test_results_that_newer_ones_of_the_same_settings_replace_are_counted(runs, tmp_path, capsys):
    tasks = {"x": OfTask(0.8), "y": OfTask(0.8, digest="d2")}
    again = results_of("org/a", tasks)
    write_results(runs / "org/a", again, stamp="2027-01-01T00-00-00.000000")
    output = tmp_path / "board"
    assert (
        "2 results are excluded because others with the same model"
        in board_of(capsys, runs, output).err
    )
    (row,) = (r for r in as_json(capsys, runs, output)["rows"] if r["model"] == "org/a")
    (remark,) = row["remarks"]
    assert remark.startswith("x, y: 2 runs with these settings; results_2027-01-01T00")

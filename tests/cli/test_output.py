"""What a command writes over, and what it leaves alone."""

import json
import shutil
from pathlib import Path

import pytest

from tests.compare.written_runs import rated, write_run
from ultrarm_eval.cli.main import main

FILES = ("board.html", "board.csv", "board.json")
DEMO = Path(__file__).parents[2] / "results" / "demo"


@pytest.fixture
def runs(tmp_path):
    samples = [rated(i, [float(i % 3), 0.5]) for i in range(9)]
    return [
        str(write_run(tmp_path / name, samples, model=f"org/{name}")) for name in ("one", "two")
    ]


def commands(runs, output):
    return [
        ["report", runs[0], "-o", str(output), "--format", form] for form in ("html", "md", "json")
    ] + [
        ["compare", *runs, "-o", str(output), "--format", form]
        for form in ("html", "md", "json", "csv", "text")
    ]


@pytest.mark.slow
def test_an_older_output_of_any_form_is_replaced(runs, tmp_path, capsys):
    output = tmp_path / "out"
    written = {}
    # Each over what the one before it wrote.
    for command in commands(runs, output):
        assert main(command) == 0
        written[" ".join(command)] = output.read_bytes()
        assert main(command) == 0
        assert output.read_bytes() == written[" ".join(command)]
    assert len(set(written.values())) == len(written)
    # Both commands look at a file before they write, whatever form they write.
    plain = [command for command in commands(runs, output) if command[-1] in ("md", "text")]
    for content in written.values():
        for command in plain:
            output.write_bytes(content)
            assert main(command) == 0, (command, content[:100])
            assert output.read_bytes() == written[" ".join(command)]


@pytest.mark.parametrize(
    "content",
    [
        '{"results": {"hellaswag": {}}, "configs": {}}',
        '{"doc_id": 0, "doc": {"format": "ultrarm_eval.document/2"}}\n{"doc_id": 1}\n',
        '{"format": "ultrarm_eval.document/2"}',
        "{",
        "[1]",
        "my notes on # Report: x",
        "<!doctype html><title>mine</title>",
        "task,score\n",
        "\x00\xff",
    ],
)
def test_a_file_of_others_is_left_alone(runs, tmp_path, capsys, content):
    output = tmp_path / "out"
    output.write_text(content, encoding="utf-8")
    for command in commands(runs, output):
        assert main(command) == 2
        assert f"{output}: this file exists and is not a report" in capsys.readouterr().err
    assert output.read_text(encoding="utf-8") == content


def test_what_was_compared_is_not_written_over(runs, tmp_path, capsys):
    (results,) = Path(runs[0]).glob("results_*.json")
    before = results.read_bytes()
    assert main(["compare", str(results), runs[1], "-o", str(results)]) == 2
    assert main(["report", str(results), "-o", str(results)]) == 2
    assert results.read_bytes() == before


def test_outputs_of_older_versions_are_ours(runs, tmp_path, capsys):
    for name in ("report.html", "report.json", "comparison.html", "comparison.json"):
        shutil.copy(DEMO / name, tmp_path / name)
        assert main(["report", runs[0], "-o", str(tmp_path / name)]) == 0


def test_an_empty_file_is_written(runs, tmp_path, capsys):
    output = tmp_path / "out.md"
    output.write_text("")
    assert main(["report", runs[0], "-o", str(output)]) == 0


@pytest.mark.few(1)
@pytest.mark.parametrize("name", FILES)
def test_a_board_leaves_files_of_others_alone(runs, tmp_path, capsys, name):
    folder = tmp_path / "board"
    for _ in range(2):
        assert main(["leaderboard", str(tmp_path), "-o", str(folder)]) == 0
    (folder / name).write_text(json.dumps({"mine": 1}))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert main(["leaderboard", str(tmp_path), "-o", str(folder)]) == 2
    assert f"{folder / name}: this file exists" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

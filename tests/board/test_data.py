"""The board's files: loaded by others, the same anywhere, and harmless whatever names hold."""

import json
import math
import shutil

import pytest

from tests.board.written_results import OfTask, results_of, write_results
from ultrarm_eval.board.board import make_board
from ultrarm_eval.board.data import as_csv, as_json
from ultrarm_eval.board.page import as_page
from ultrarm_eval.runs.evaluation import read_evaluations

HOSTILE = ["=1+1", "@x", "a\nb,c", "\u202eabc", "__proto__", "<script>", "\x1b[31m", "\ud800"]


def repr_of(value):
    return repr(value)[:20]


def board_of(folder):
    return make_board(read_evaluations(folder), folder)


def written(folder):
    board = board_of(folder)
    return [as_csv(board), as_json(board), as_page(board, title="Board")]


def test_the_table_loads_in_pandas(tmp_path):
    pandas = pytest.importorskip("pandas")
    figures = {"margin": -0.5, "nll": math.inf, "f1,strict": 0.25}
    tasks = {"x": OfTask(0.75, figures=figures, metadata={"in_sample_for": ["org/a"]})}
    write_results(tmp_path / "a", results_of("org/a", tasks))
    (tmp_path / "b.csv").write_text(as_csv(board_of(tmp_path)), encoding="utf-8")
    found = pandas.read_csv(tmp_path / "b.csv")
    assert found["metric"].tolist() == ["acc", "margin", "f1"]
    assert found["filter"].tolist() == ["none", "none", "strict"]
    assert found["value"].tolist() == [0.75, -0.5, 0.25]
    assert found["n"].tolist() == [400] * 3
    assert found["in_sample"].tolist() == [True] * 3
    assert found["partial"].tolist() == [False] * 3
    assert found["stderr"][0] == pytest.approx(math.sqrt(0.75 * 0.25 / 400))
    assert math.isnan(found["stderr"][1])
    first = found.iloc[0]
    assert first["setting_template"] == "ultrarm"
    assert first["date"] == "2026-03-04T05:06:07Z"
    assert (first["data_digest"], str(first["lm_eval_version"])) == ("d1", "0.4.13")
    assert first["file"] == "a/results_2026-03-04T05-06-07.890123.json"


def test_the_same_runs_give_the_same_bytes_wherever_they_lie(tmp_path):
    first = tmp_path / "first" / "runs"
    for name in "ab":
        write_results(first / name, results_of(name, {"x": OfTask()}))
    write_results(first / "damaged", "{")
    shutil.copytree(first, tmp_path / "elsewhere")
    assert written(first) == written(tmp_path / "elsewhere")
    assert all(str(tmp_path) not in text for text in written(first))
    assert board_of(first).left_out[0].startswith("damaged/results_2026-03-04T05-06-07.890123.json")


@pytest.mark.few(3)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_texts_in_the_files(tmp_path, name):
    content = results_of(name, {name: OfTask()}, config={"judge": name, "template": name})
    write_results(tmp_path / "a", content)
    table, text, _ = written(tmp_path)
    board = json.loads(text)
    assert board["rows"][0]["model"] == name
    assert text.isascii()
    assert {c for c in table if not c.isprintable()} == {"\n"}
    head, *rows = table.splitlines()
    assert len(rows) == 1
    assert not rows[0].startswith(("=", "@", '"='))
    assert head.count(",") >= 17


def test_a_file_that_is_no_number_is_no_figure(tmp_path):
    figures = {"nll": math.nan, "big": 10**400, "flag": True, "text": "N/A"}
    write_results(tmp_path / "a", results_of("m", {"x": OfTask(figures=figures)}))
    assert [column.key for column in board_of(tmp_path).columns] == ["acc,none"]
    assert (
        json.loads(as_json(board_of(tmp_path)))["rows"][0]["results"]["t0"]["figures"]["nll,none"]
        is None
    )


@pytest.mark.product
@pytest.mark.parametrize(
    "value", [None, [], "x", -1, 1e308, 10**400, math.nan, {"a": [None]}], ids=repr_of
)
@pytest.mark.parametrize(
    "field",
    ["configs", "n-samples", "n-shot", "higher_is_better", "group_subtasks", "config", "date"],
)
def test_fields_of_another_kind_are_no_reason_to_stop(tmp_path, field, value):
    write_results(tmp_path / "a", {**results_of("a", {"x": OfTask()}), field: value})
    assert all(written(tmp_path))


@pytest.mark.parametrize("value", ["x", [None], math.inf, -1, 10**400], ids=repr_of)
def test_counts_of_another_kind_are_no_reason_to_stop(tmp_path, value):
    counts = {"texts": value, "computed_tokens": value}
    config = {"judge_counts": counts, "scoring_seconds": value}
    changes = {"config": config, "total_evaluation_time_seconds": value}
    write_results(tmp_path / "a", results_of("a", {"x": OfTask()}, **changes))
    assert all(written(tmp_path))

"""Rows that a task leaves out are warned of, whatever family it is of."""

import logging
import re

import pytest

from tests.conftest import raw_row, write_jsonl

PAIR = {"prompt": "p", "chosen": "good", "rejected": "bad", "subset": "mt-bench-easy"}
WEBGPT = {
    "question": {"full_text": "q"},
    "answer_0": "good",
    "answer_1": "bad",
    "score_0": 1.0,
    "score_1": -1.0,
}


@pytest.fixture
def warned(caplog):
    """Our log lines from WARNING on; the harness may have taken our logger over."""
    records = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: records.append(record.getMessage())
    ours = logging.getLogger("ultrarm_eval")
    ours.addHandler(handler)
    yield records
    ours.removeHandler(handler)


CASES = {
    "ultrafeedback_pairs": (raw_row(), raw_row("q", (("a", 3), ("b", 3))), "rows_left_out_without_pairs"),
    "ultrafeedback_binarized": (PAIR, {**PAIR, "rejected": 7}, "pairs_left_out_not_text"),
    "preference_pairs": (PAIR, {**PAIR, "rejected": "good"}, "pairs_left_out_identical_answers"),
    "ultrarm_paper_webgpt": (WEBGPT, {**WEBGPT, "score_0": -1.0}, "rows_left_out_equal_scores"),
}  # fmt: skip


@pytest.mark.parametrize("task", CASES)
def test_left_out_rows_are_a_warning_with_the_first_line(run, model_of, tmp_path, warned, task):
    good, bad, name = CASES[task]
    path = write_jsonl(tmp_path / "webgpt.jsonl", [good, bad, good, bad])
    run(model_of(lambda _, text: len(text)), [task], {"data": str(path)})
    (line,) = [line for line in warned if "excluded" in line]
    assert line.startswith(f"{task}: 2 ")
    assert f"({name})" in line
    assert re.search(rf"; first: {re.escape(str(path))}, line 2[.:]", line)


@pytest.mark.parametrize("task", CASES)
def test_nothing_is_warned_of_where_nothing_is_left_out(run, model_of, tmp_path, warned, task):
    path = write_jsonl(tmp_path / "webgpt.jsonl", [CASES[task][0]] * 2)
    run(model_of(lambda _, text: len(text)), [task], {"data": str(path)})
    assert not [line for line in warned if "excluded" in line]


def test_prompts_without_a_reference_are_warned_of(run, writer, scripted, tmp_path, warned):
    scripted(lambda *_: 1.0)
    path = write_jsonl(tmp_path / "d.jsonl", [raw_row(), raw_row(answers=(("a", 1),))])
    run(
        writer(lambda *_: "x"),
        ["ultrafeedback_judge"],
        {"data": str(path), "reference": "model-1"},
    )
    assert [line for line in warned if "excluded" in line] == [
        "ultrafeedback_judge: 1 prompt excluded (prompts_left_out_without_reference): no such "
        f"reference answer; first: {path}, line 2."
    ]

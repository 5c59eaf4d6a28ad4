"""How much a report reads: a regression fails without a stopwatch."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.report.written_runs import rated, rated_sample, samples_of, write_run
from ultrarm_eval.documents import document
from ultrarm_eval.report.report import make_report
from ultrarm_eval.runs import samples_file
from ultrarm_eval.runs.evaluation import read_evaluations

TOTAL = 6


@pytest.fixture
def counted(monkeypatch) -> Counter[str]:
    """How often samples are opened, parsed and hashed by their content, and ratings are parsed."""
    calls: Counter[str] = Counter()

    def count(owner: Any, name: str, what: str) -> None:
        own = getattr(owner, name)

        def counting(*given: Any, **options: Any) -> Any:
            calls[what] += 1
            return own(*given, **options)

        monkeypatch.setattr(owner, name, counting)

    opened = Path.open

    def counting_open(path: Path, *given: Any, **options: Any) -> Any:
        calls["opened"] += path.name.startswith("samples_")
        return opened(path, *given, **options)

    monkeypatch.setattr(Path, "open", counting_open)
    count(json, "loads", "parsed")
    count(samples_file, "document_digest", "hashed")
    count(document, "_parsed", "ratings")
    return calls


def samples(prompt: Any = "p") -> list[dict[str, Any]]:
    judged = [
        (rated(row, [f"a {row}", "b"], ["7/11", "5/11"], prompt=prompt), [1.0, 0.0])
        for row in range(TOTAL)
    ]
    return samples_of(rated_sample, judged)


def test_of_one_task_each_line_is_read_once_and_then_only_what_is_shown(tmp_path, counted):
    write_run(tmp_path, samples())
    evaluations = read_evaluations(tmp_path)
    counted.clear()
    document._parsed_once.cache_clear()
    made = make_report(evaluations, pairs=0)
    assert made.judges[0].tasks[0].data["documents"] == TOTAL
    assert counted == {"opened": 1, "parsed": TOTAL, "ratings": 2}
    counted.clear()
    shown = len(make_report(evaluations, pairs=2).pairs)
    assert shown == 2
    assert counted == {"opened": 1 + shown, "parsed": TOTAL + shown}


def test_documents_are_hashed_where_those_of_two_files_are_compared(tmp_path, counted):
    write_run(tmp_path / "a", samples())
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    evaluations = [one for name in "ab" for one in read_evaluations(tmp_path / name)]
    make_report(evaluations[:1], pairs=0)
    assert counted["hashed"] == 0
    make_report(evaluations, pairs=0)
    assert counted["hashed"] == 2 * TOTAL


def test_documents_without_a_prompt_are_hashed_to_tell_which_share_one(tmp_path, counted):
    write_run(tmp_path, samples(prompt=()))
    make_report(read_evaluations(tmp_path), pairs=0)
    assert counted["hashed"] == TOTAL

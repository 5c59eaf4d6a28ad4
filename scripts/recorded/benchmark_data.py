"""A few rows of each published benchmark, in the files that it is published in."""

from __future__ import annotations

import importlib
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def write(folder: Path) -> None:
    """Writes a folder for each benchmark, of the rows that the tests are made of, too."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    rows = importlib.import_module("tests.benchmarks.rows")

    kept = _few(rows.rewardbench(1), lambda row: row["subset"], 2)
    rows.write_jsonl(folder / "rewardbench" / "filtered.jsonl", kept)
    kept = _few(rows.rewardbench2(2), lambda row: row["subset"], 2, but=("Ties",))
    kept = [row for row in kept if row["subset"] != "Ties" or int(row["id"].split(":")[1]) < 4]
    rows.write_parquet(folder / "rewardbench2" / "test.parquet", kept)
    for name in (*rows.COUNTED_PREFERENCE_SETS, *rows.OTHER_PREFERENCE_SETS):
        path = folder / "preference_test_sets" / f"{name}.jsonl"
        rows.write_jsonl(path, rows.preference_test_set(3, name)[:6])
    for part, place in rows.LLMBAR_FOLDERS.items():
        path = folder / "llmbar" / "Dataset" / "LLMBar" / place / "dataset.json"
        rows.write_json(path, rows.llmbar(4, part)[:6])
    for split in ("gpt", "claude"):
        kept = _few(rows.judgebench(5, split), lambda row: row["source"], 2)
        rows.write_jsonl(folder / "judgebench" / f"{split}.jsonl", kept)
    kept = _few(rows.rm_bench(6), lambda row: row["domain"], 2)
    rows.write_json(folder / "rm_bench" / "total_dataset.json", kept)
    rows.write_parquet(folder / "ppe_human" / "test.parquet", rows.ppe_human(7)[:14])
    for name, made in rows.PAPER_SETS.items():
        rows.write_jsonl(folder / "ultrarm_paper" / f"{name}.jsonl", made(8)[:8])


def _few(
    rows: Sequence[Row], part: Callable[[Row], str], most: int, but: Sequence[str] = ()
) -> list[Row]:
    """The first rows of each part, in their order."""
    taken: Counter[str] = Counter()
    kept = []
    for row in rows:
        taken[part(row)] += 1
        if taken[part(row)] <= most or part(row) in but:
            kept.append(row)
    return kept

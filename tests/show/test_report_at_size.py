"""A report on 100,000 pairs stays a page that can be sent and opened."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ultrarm_eval.cli.main import main

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    """The benchmark's own code; its folder is no package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        yield importlib.import_module("report_at_size")


@pytest.mark.slow
def test_a_hundred_thousand_pairs(tmp_path, benchmark, open_page):
    written = benchmark.write_run(tmp_path / "run", 100_000)
    assert 100_000 <= written["pairs"] < 100_006
    path = tmp_path / "report.html"
    # More pairs than there is room for.
    assert main(["report", str(tmp_path / "run"), "-o", str(path), "--pairs", "5000"]) == 0
    # The texts take at most 8 of the 15 million.
    assert 7_500_000 < path.stat().st_size < 9_000_000
    page = open_page(path)
    assert page.locator(".pair").count() == 20
    assert "more did not fit on the page" in page.locator("#pairs").inner_text()
    # The figures are those of all.
    tiles = page.locator(".tile .label").all_inner_texts()
    assert tiles[1] == f"accuracy pooled over {written['pairs']:,} pairs"


@pytest.mark.campaign
def test_the_benchmark_runs_and_says_what_it_found(tmp_path, browser):
    output = tmp_path / "figures.json"
    options = ["--pairs", "300", "--rounds", "1", "--folder", str(tmp_path), "-o", str(output)]
    # Playwright's driver is there once in a process.
    command = [sys.executable, str(BENCHMARKS / "report_at_size.py"), *options]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "open in less than 3 s" in finished.stdout
    found = json.loads(output.read_text(encoding="utf-8"))
    assert 300 <= found["run"]["pairs"] < 306
    page = found["pages"]["large"]
    assert page["bytes"]["median"] == (tmp_path / "large.html").stat().st_size
    assert page["shown"]["least"] > 0
    assert page["peak_gb"]["median"] > 0.05

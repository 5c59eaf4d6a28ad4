"""Reports as pages, and what their lists show."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.report.written_runs import rated
from ultrarm_eval.cli.main import main

DEMO_RUN = Path(__file__).parents[2] / "results" / "demo" / "run"


def make_page(folder: Path, *arguments: Any) -> Path:
    """The page of `ultrarm-eval report` with these arguments."""
    path = folder / "report.html"
    assert main(["report", *map(str, arguments), "-o", str(path)]) == 0
    return path


def judged_pairs(count: int) -> list[tuple[dict[str, Any], list[float]]]:
    """Pair i is wrong by i + 1 where i is divisible by 3, else right by i + 1."""
    documents = [
        rated(
            i,
            [f"good {i} " + "x" * (count - i), f"bad {i}"],
            ["5", str(4 - i % 4)],
            prompt=f"question {i}",
            source="odd" if i % 2 else "even",
        )
        for i in range(count)
    ]
    rewards = [[0.0, i + 1.0] if i % 3 == 0 else [i + 1.0, 0.0] for i in range(count)]
    return list(zip(documents, rewards, strict=True))


def reasons(page: Any) -> list[str]:
    """Why each pair of the list is shown."""
    found: list[str] = page.locator(".pair .about b").all_inner_texts()
    return found


def margins(page: Any) -> list[float]:
    """The margin of each pair of the list."""
    texts = page.locator(".pair .about").all_inner_texts()
    return [float(found[1]) for text in texts if (found := re.search(r"margin (-?[\d.]+)", text))]


def prompts(page: Any) -> list[str]:
    """The prompt of each pair of the list."""
    found: list[str] = page.locator(".pair .prompt .text").all_inner_texts()
    return found

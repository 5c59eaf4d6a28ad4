"""Makes the pictures of docs/reports.md from the demo's pages (results/demo), in headless Chromium.

    python scripts/make_docs_images.py

Run it after the pages' words or looks change. It needs playwright and a `chromium` on the PATH.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "results" / "demo"
IMAGES = ROOT / "docs" / "images"
_WIDTH = 1000


def main() -> None:
    """Writes report-charts.png, comparison.png and board.png."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(
            viewport={"width": _WIDTH, "height": 900},
            color_scheme="light",
            device_scale_factor=1.5,
        )
        _charts(page, DEMO / "report.html", IMAGES / "report-charts.png")
        _top(page, DEMO / "comparison.html", IMAGES / "comparison.png", 640)
        _top(page, _board(Path(folder)), IMAGES / "board.png", 400)
        browser.close()


def _charts(page: Any, source: Path, image: Path) -> None:
    page.goto(source.as_uri())
    page.locator(".charts").first.screenshot(path=image)


def _top(page: Any, source: Path, image: Path, height: int) -> None:
    page.goto(source.as_uri())
    page.screenshot(path=image, clip={"x": 0, "y": 0, "width": _WIDTH, "height": height})


def _board(folder: Path) -> Path:
    for run in ("run", "run_without_template"):
        shutil.copytree(DEMO / run, folder / "runs" / run)
    command = Path(sys.executable).parent / "ultrarm-eval"
    arguments = ["leaderboard", str(folder / "runs"), "-o", str(folder / "board")]
    subprocess.run([str(command), *arguments], check=True)  # noqa: S603 - our own arguments
    return folder / "board" / "board.html"


if __name__ == "__main__":
    main()

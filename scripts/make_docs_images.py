"""Makes the pictures of README.md and docs/ from the demo's run and pages (results/demo).

    python scripts/make_docs_images.py

`make demo-report` runs it after it has made the run and the pages anew. It needs playwright and a
`chromium` on the PATH.
"""

from __future__ import annotations

import base64
import html
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from chromium import chromium_page

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "results" / "demo"
IMAGES = ROOT / "docs" / "images"
_WIDTH = 1000
#: The README's picture, in CSS pixels.
_OVERVIEW = (1560, 560)
_RUN = """$ lm_eval --model ultrarm --model_args pretrained=demo \\
      --tasks ultrafeedback_pairs_demo --output_path out/ --log_samples"""
_REPORT = "$ ultrarm-eval report out/ -o report.html"
_TWO = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; display: flex; gap: 20px; height: 560px; background: #e8eaee; }}
figure {{ margin: 20px 0 20px 20px; border-radius: 10px; overflow: hidden;
  box-shadow: 0 2px 12px rgba(0, 0, 0, .22); }}
.terminal {{ background: #16181d; color: #e4e6ea; flex: 0 0 850px; }}
.terminal pre {{ margin: 22px 24px; font: 13.6px/1.5 "DejaVu Sans Mono", monospace; }}
.terminal b {{ color: #7fc7ff; font-weight: normal; }}
.report {{ margin: 20px 20px 20px 0; flex: 1; background: #fff; }}
.report img {{ display: block; width: 100%; }}
</style><figure class="terminal"><pre>{terminal}</pre></figure>
<figure class="report"><img src="data:image/png;base64,{report}"></figure>"""


def main() -> None:
    """Writes overview.png, report-charts.png, comparison.png and board.png."""
    with tempfile.TemporaryDirectory() as folder, chromium_page(_WIDTH, 900, scale=1.5) as page:
        _charts(page, DEMO / "report.html", IMAGES / "report-charts.png")
        _top(page, DEMO / "comparison.html", IMAGES / "comparison.png", 640)
        _top(page, _board(Path(folder)), IMAGES / "board.png", 400)
    with chromium_page(1130, 1000, scale=1.25) as page:
        report = _report(page)
    with chromium_page(*_OVERVIEW, scale=1.25) as page:
        shown = base64.b64encode(report).decode()
        page.set_content(_TWO.format(terminal=_terminal(), report=shown))
        page.screenshot(path=IMAGES / "overview.png")


def _charts(page: Page, source: Path, image: Path) -> None:
    page.goto(source.as_uri())
    page.locator(".charts").first.screenshot(path=image)


def _top(page: Page, source: Path, image: Path, height: int) -> None:
    page.goto(source.as_uri())
    page.screenshot(path=image, clip={"x": 0, "y": 0, "width": _WIDTH, "height": height})


def _board(folder: Path) -> Path:
    for run in ("run", "run_without_template"):
        shutil.copytree(DEMO / run, folder / "runs" / run)
    command = Path(sys.executable).parent / "ultrarm-eval"
    arguments = ["leaderboard", str(folder / "runs"), "-o", str(folder / "board")]
    subprocess.run([str(command), *arguments], check=True)  # noqa: S603 - our own arguments
    return folder / "board" / "board.html"


def _report(page: Page) -> bytes:
    """The top of the report, with the charts instead of how the run was made."""
    page.goto((DEMO / "report.html").as_uri())
    page.evaluate("document.querySelector('details').open = false")
    picture: bytes = page.screenshot(animations="disabled")
    return picture


def _terminal() -> str:
    """lm_eval's table of the demo run, and the command that makes the report."""
    from lm_eval.utils import make_table

    (results,) = (DEMO / "run").rglob("results_*.json")
    table = make_table(json.loads(results.read_text(encoding="utf-8")))
    return f"<b>{html.escape(_RUN)}</b>\n\n{html.escape(table)}\n<b>{html.escape(_REPORT)}</b>"


if __name__ == "__main__":
    main()

"""Draws the README's picture: lm_eval's table of the demo run beside the report on it.

    python scripts/make_overview_picture.py [-o docs/images/overview.png]

Both are read from `results/demo`, so `make demo-report` comes first. It needs Chromium.
"""

from __future__ import annotations

import argparse
import base64
import html
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "results" / "demo"
COMMAND = """$ lm_eval --model ultrarm --model_args pretrained=demo \\
      --tasks ultrafeedback_pairs_demo --output_path out/ --log_samples"""
REPORT_COMMAND = "$ ultrarm-eval report out/ -o report.html"
#: In CSS pixels; the picture has a quarter more, for sharp text.
WIDTH, HEIGHT = 1560, 560
_PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; width: {width}px; height: {height}px; display: flex; gap: 20px;
  background: #e8eaee; font-family: sans-serif; }}
figure {{ margin: 20px 0 20px 20px; border-radius: 10px; overflow: hidden;
  box-shadow: 0 2px 12px rgba(0, 0, 0, .22); }}
.terminal {{ background: #16181d; color: #e4e6ea; flex: 0 0 850px; }}
.terminal pre {{ margin: 22px 24px; font: 13.6px/1.5 "DejaVu Sans Mono", monospace; }}
.terminal b {{ color: #7fc7ff; font-weight: normal; }}
.report {{ margin: 20px 20px 20px 0; flex: 1; background: #fff; }}
.report img {{ display: block; width: 100%; }}
</style><figure class="terminal"><pre>{terminal}</pre></figure>
<figure class="report"><img src="data:image/png;base64,{report}"></figure>"""


def main() -> int:
    """Draws the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs/images/overview.png")
    output = parser.parse_args().output
    chromium = shutil.which("chromium")
    if chromium is None:
        print("There is no chromium.", file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=1.25
        )
        page.set_content(
            _PAGE.format(
                width=WIDTH,
                height=HEIGHT,
                terminal=_terminal(),
                report=base64.b64encode(_report(browser)).decode(),
            )
        )
        output.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=output)
        browser.close()
    return 0


def _terminal() -> str:
    from lm_eval.utils import make_table

    (results,) = (DEMO / "run").rglob("results_*.json")
    table = make_table(json.loads(results.read_text(encoding="utf-8")))
    return (
        f"<b>{html.escape(COMMAND)}</b>\n\n{html.escape(table)}\n"
        f"<b>{html.escape(REPORT_COMMAND)}</b>"
    )


def _report(browser: Browser) -> bytes:
    page = browser.new_page(
        viewport={"width": 1130, "height": 1000}, device_scale_factor=1.25, color_scheme="light"
    )
    page.goto((DEMO / "report.html").as_uri())
    # What the run was made of is long; the charts under it are what the picture is for.
    page.evaluate(
        "document.querySelectorAll('details').forEach((one, n) => { if (n == 0) one.open = false })"
    )
    picture: bytes = page.screenshot(animations="disabled")
    page.close()
    return picture


if __name__ == "__main__":
    sys.exit(main())

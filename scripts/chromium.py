"""Pages in headless Chromium, for the scripts that take pictures of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page


@contextmanager
def chromium_page(width: int, height: int, *, scale: float = 1) -> Iterator[Page]:
    """A page in the light theme.

    Args:
        width: The viewport's width in CSS pixels.
        height: Its height.
        scale: Pixels of a picture for each CSS pixel.

    Raises:
        SystemExit: There is no `chromium` on the PATH.
    """
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    if path is None:
        raise SystemExit("There is no chromium on the PATH, and the pictures need it.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme="light",
            device_scale_factor=scale,
        )
        browser.close()

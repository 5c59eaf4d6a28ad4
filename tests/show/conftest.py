"""A real browser for pages: nothing may be loaded, nothing may go wrong in it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
# A small machine with other tests beside: what takes longer than this hangs.
_TIMEOUT_MS = 30_000


class WatchedBrowser:
    """Opens pages from files, and keeps what a page must not do.

    Attributes:
        problems: Requests other than for the page itself, errors, dialogs and further windows.
    """

    def __init__(self, browser: Any) -> None:
        self.problems: list[str] = []
        self._browser = browser
        self._contexts: list[Any] = []

    def open_page(
        self, path: Path, *, width: int = 1200, theme: str = "light", scripts: bool = True
    ) -> Any:
        """A page of Playwright that shows a file.

        Args:
            path: The file.
            width: The window's width in pixels.
            theme: What the reader prefers: `light` or `dark`.
            scripts: Whether scripts run.
        """
        context = self._browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=theme,
            java_script_enabled=scripts,
        )
        self._contexts.append(context)
        context.set_default_timeout(_TIMEOUT_MS)
        address = path.resolve().as_uri()

        def decide(route: Any) -> None:
            if (
                route.request.url.partition("#")[0] == address
                and route.request.is_navigation_request()
            ):
                route.continue_()
            else:
                self.problems.append(f"request: {route.request.url[:200]}")
                route.abort()

        context.route("**/*", decide)
        page = context.new_page()
        context.on("page", lambda other: self.problems.append(f"window: {other.url[:200]}"))
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("dialog", self._on_dialog)
        page.on("download", lambda found: self.problems.append(f"download: {found.url[:200]}"))
        page.goto(address)
        return page

    def close(self) -> None:
        """Closes all pages."""
        for context in self._contexts:
            context.close()

    def _on_console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"console {message.type}: {message.text}")

    def _on_dialog(self, dialog: Any) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("chromium is not installed (Debian's package of that name)")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=executable, args=list(_ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture
def watched(browser: Any) -> Iterator[WatchedBrowser]:
    """Opens pages and keeps what they must not do, for a test that looks at that itself."""
    found = WatchedBrowser(browser)
    yield found
    found.close()


@pytest.fixture
def open_page(watched: WatchedBrowser) -> Iterator[Callable[..., Any]]:
    """Opens a page; fails the test if it loads anything, or anything goes wrong in it."""
    yield watched.open_page
    watched.close()
    if watched.problems:
        pytest.fail("the page must not do this: " + "; ".join(watched.problems))

"""A real browser for pages: nothing may be loaded, nothing may go wrong in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# A small machine with other tests beside: what takes longer than this hangs.
_TIMEOUT_MS = 30_000


class Tab:
    """A page of Playwright which tests use one after the other, and what it must not do.

    Opening a window takes as long as loading a page into it, and a page that is loaded has nothing
    of the one before it: the pages keep nothing in the browser.
    """

    def __init__(self, browser: Any, *, scripts: bool) -> None:
        self.problems: list[str] = []
        self._address = ""
        context = browser.new_context(java_script_enabled=scripts)
        context.set_default_timeout(_TIMEOUT_MS)
        context.route("**/*", self._decide)
        self.page = page = context.new_page()
        context.on("page", self._on_window)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("dialog", self._on_dialog)
        page.on("download", lambda found: self.problems.append(f"download: {found.url[:200]}"))

    def show(self, path: Path, *, width: int, theme: str, problems: list[str]) -> None:
        """Loads a file; from here on, problems are added to the list."""
        self.problems, self._address = problems, path.resolve().as_uri()
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.emulate_media(media="null", color_scheme=theme)
        self.page.mouse.move(0, 0)
        self.page.goto(self._address)

    def _decide(self, route: Any) -> None:
        asked = route.request
        if asked.url.partition("#")[0] == self._address and asked.is_navigation_request():
            route.continue_()
        else:
            self.problems.append(f"request: {asked.url[:200]}")
            route.abort()

    def _on_window(self, other: Any) -> None:
        self.problems.append(f"window: {other.url[:200]}")
        other.close()

    def _on_console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"console {message.type}: {message.text}")

    def _on_dialog(self, dialog: Any) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()


class WatchedBrowser:
    """Opens pages from files, and keeps what a page must not do.

    Attributes:
        problems: Requests other than for the page itself, errors, dialogs and further windows.
    """

    def __init__(self, browser: Any, free: dict[bool, list[Tab]]) -> None:
        self.problems: list[str] = []
        self._browser = browser
        self._free = free
        self._used: list[tuple[bool, Tab]] = []

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
        free = self._free[scripts]
        tab = free.pop() if free else Tab(self._browser, scripts=scripts)
        self._used.append((scripts, tab))
        tab.show(path, width=width, theme=theme, problems=self.problems)
        return tab.page

    def close(self) -> None:
        """Closes all pages."""
        for scripts, tab in self._used:
            tab.page.goto("about:blank")
            self._free[scripts].append(tab)
        self._used.clear()


@pytest.fixture(scope="session")
def free_tabs() -> dict[bool, list[Tab]]:
    """Tabs that no test is using, by whether scripts run in them."""
    return {True: [], False: []}


@pytest.fixture
def watched(browser: Any, free_tabs: dict[bool, list[Tab]]) -> Iterator[WatchedBrowser]:
    """Opens pages and keeps what they must not do, for a test that looks at that itself."""
    found = WatchedBrowser(browser, free_tabs)
    yield found
    found.close()


@pytest.fixture
def open_page(watched: WatchedBrowser) -> Iterator[Callable[..., Any]]:
    """Opens a page; fails the test if it loads anything, or anything goes wrong in it."""
    yield watched.open_page
    watched.close()
    if watched.problems:
        pytest.fail("the page must not do this: " + "; ".join(watched.problems))

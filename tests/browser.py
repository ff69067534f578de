"""A real browser for the tests that look at a page: headless Chromium, and axe to look it over."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

NAMES = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome", "chrome")
PATH = next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def opened() -> Iterator[Browser]:
    """The browser; starting it is what costs most."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PATH, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass(frozen=True)
class Window:
    """One of its windows: what it shows is free of faults, whenever it is looked at."""

    page: Page
    told: list[str]

    def look(self, file: Path, view: str) -> Locator:
        """The view, once it is drawn. Nothing is written to the console, nothing is wider than the
        window, and axe finds neither a contrast nor a label to blame."""
        from axe_playwright_python.sync_playwright import Axe

        self.page.goto("about:blank")
        self.page.goto(f"{file.as_uri()}#{view}")
        wide, window = self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert self.told == [] and wide <= window
        found = Axe().run(self.page)
        assert found.violations_count == 0, found.generate_report()
        return self.page.locator("main")

    @property
    def focused(self) -> str:
        """The text or the label of what has the focus."""
        told = "document.activeElement.ariaLabel || document.activeElement.textContent"
        return str(self.page.evaluate(told))


def window(browser: Browser, width: int, scheme: str) -> Window:
    """A new window of this width, whose reader prefers `light` or `dark`."""
    size = {"width": width, "height": 800}
    page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    return Window(page, told)

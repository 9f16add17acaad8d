"""Debian's Chromium, driven by Playwright, and pages of it that notice what goes wrong in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
_QUIETLY = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP, PHONE = (1440, 900), (390, 844)


@dataclass
class Watched:
    """A page, and what its console complained of.

    Attributes
    ----------
    complaints : list of str
        Errors and warnings of the console, exceptions that nobody caught, and requests for what there is not.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self._note(message.type, f"{message.text} {message.location['url']}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser; Playwright gives it a profile of its own, which goes with it."""
    if not CHROMIUM.exists():
        pytest.fail(f"these tests need {CHROMIUM}: apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(_QUIETLY))
        yield browser
        browser.close()


def context(
    browser: Browser, size: tuple[int, int] = DESKTOP, *, dark: bool = False, routed: bool = False
) -> BrowserContext:
    """Give a profile without a past.

    Parameters
    ----------
    routed : bool
        A test answers some requests itself. Its pages know of no service worker, as on plain HTTP: beside one, about a
        request in fifty was out of Playwright's reach.
    """
    width, height = size
    made = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", service_workers="allow"
    )
    if routed:
        made.add_init_script("delete Navigator.prototype.serviceWorker")
    return made

"""`make screenshots`: takes each view in both themes at desktop and phone width, on a real desk in September 2008."""

import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import httpx
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import DESKTOP, PHONE, chromium, context
from tests.e2e.process import ROOT, DeskProcess, free_port

FOLDER = ROOT / "docs" / "images"
# Half an hour a second: fast enough that something happens, and slow enough that all pictures are of one day.
DESK = {"FINAGENT_START": "2008-09-29", "FINAGENT_SPEED": "1800"}
SETTLED_MILLISECONDS = 1_500
SHOWN = {
    "desk": "fin-watchlist tbody tr",
    "trade": "fin-decision svg",
    "portfolio": "fin-portfolio .figures",
    "replay": "fin-replay table.measures",
    "operations": "fin-operations .total",
}


def main() -> None:
    """Take them all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory() as folder,
        chromium() as browser,
        DeskProcess(Path(folder), port=free_port(Random()), **DESK) as desk,
        desk.client() as api,
    ):
        subjects = {"trade": f"/{_prepare(api)}", "portfolio": "/main", "replay": f"/{_replay(api)}"}
        for theme in ("light", "dark"):
            for size, suffix in ((DESKTOP, ""), (PHONE, "-phone")):
                _take(browser, desk.about["url"], subjects, size, theme + suffix)


def _prepare(api: httpx.Client) -> str:
    """Hold a portfolio, ask for a trade, and give it."""
    positions = [{"symbol": "IBM", "quantity": 300}, {"symbol": "AAPL", "quantity": 900}]
    api.put("/api/portfolios/main", json={"cash": 20_000, "positions": positions}).raise_for_status()
    body = {"symbol": "AAPL", "side": "buy", "quantity": 100, "portfolio": "main"}
    asked = api.post("/api/trades", json=body).raise_for_status()
    return str(asked.json()["id"])


def _replay(api: httpx.Client) -> str:
    """Replay 2008, and give it once it was played."""
    asked = {"first_day": "2008-01-01", "last_day": "2008-12-31"}
    replay = str(api.post("/api/replays", json=asked).raise_for_status().json()["id"])
    while api.get(f"/api/replays/{replay}").json()["state"] == "open":
        time.sleep(1)
    return replay


def _take(browser: Browser, url: str, subjects: dict[str, str], size: tuple[int, int], name: str) -> None:
    with context(browser, size, dark=name.startswith("dark")) as profile:
        for view, shown in SHOWN.items():
            page = profile.new_page()  # nothing that was chosen in another view
            page.goto(f"{url}/#/{view}{subjects.get(view, '')}")
            expect(page.locator(shown).first).to_be_visible()
            _settle(page, view)
            page.screenshot(path=FOLDER / f"ui-{view}-{name}.png", full_page=True)
            page.close()


def _settle(page: Page, view: str) -> None:
    if view == "trade":
        page.locator("fin-decision g[role=button]").nth(1).click()
    expect(page.get_by_text("Loading…")).to_have_count(0)
    expect(page.get_by_text("Connecting…")).to_have_count(0)
    page.evaluate("scrollTo(0, 0)")  # a click may have brought its subject into view
    page.mouse.move(0, 0)  # a chart shows where it is
    page.wait_for_timeout(SETTLED_MILLISECONDS)


if __name__ == "__main__":
    main()

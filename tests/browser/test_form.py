"""What every view keeps to: accessible in both themes, within the screen, still while it loads, and light."""

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import DESKTOP, PHONE
from tests.browser.conftest import Open
from tests.browser.test_journey import hold

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
VIEWS = ("desk", "trade", "portfolio", "replay", "operations")
LOADED = {
    "desk": "fin-watchlist tbody tr",
    "trade": "fin-decision svg",
    "portfolio": "fin-portfolio .figures",
    "replay": "fin-replay .panel",
    "operations": "fin-operations .total",
}
FIRST_LOAD_BYTES = 150_000

SERIOUS = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => JSON.stringify(target)).slice(0, 3)}`);
}"""
NAMES = """async () => {
  const sections = document.querySelector("fin-gallery").shadowRoot.querySelectorAll("section[id]");
  const all = Object.keys(await import("/components.js"));
  return [[...sections].map(({ id }) => id), all.filter((name) => name.startsWith("Fin"))];
}"""
# Pixels of the page under the last thing that it shows.
BLANK = """() => {
  const ends = [...document.body.children].map((each) => each.getBoundingClientRect().bottom + scrollY);
  return document.documentElement.scrollHeight - Math.max(innerHeight, ...ends);
}"""
MOST_BLANK = 40
SHIFTS = """() => new Promise((resolve) => new PerformanceObserver((list) => resolve(
  list.getEntries().filter((shift) => !shift.hadRecentInput).reduce((sum, { value }) => sum + value, 0)
)).observe({ type: "layout-shift", buffered: true }) || setTimeout(() => resolve(0), 500))"""


@pytest.fixture
def trade(api: httpx.Client) -> str:
    """Give a trade that is decided, the same to all tests."""
    hold(api, "main")
    body = {"symbol": "AAPL", "side": "buy", "quantity": 100, "portfolio": "main"}
    asked = api.post("/api/trades", json=body, headers={"Idempotency-Key": "browser"}).raise_for_status().json()
    return str(asked["id"])


def open_view(show: Open, view: str, trade: str, size: tuple[int, int], *, dark: bool = False) -> Page:
    """Open a view and wait until it shows what it is about."""
    subject = {"trade": f"/{trade}", "portfolio": "/main"}.get(view, "")
    page = show(f"/#/{view}{subject}", size, dark=dark).page
    expect(page.locator(LOADED[view]).first).to_be_visible()
    return page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_view_when_it_is_examined_has_no_serious_fault(show: Open, trade: str, dark: bool) -> None:
    page = open_view(show, "desk", trade, DESKTOP, dark=dark)
    page.evaluate(AXE.read_text())
    found = {}
    for key, view in enumerate(VIEWS, start=1):
        page.keyboard.press(str(key))
        expect(page.locator(LOADED[view]).first).to_be_visible()
        found[view] = page.evaluate(SERIOUS)
        if view == "desk":
            page.goto(page.url.partition("#")[0] + f"#/trade/{trade}")  # so that the next has something to show
            expect(page.locator(LOADED["trade"]).first).to_be_visible()
    assert found == {view: [] for view in VIEWS}


def test_gallery_when_it_is_examined_has_each_component_and_no_serious_fault(show: Open, trade: str) -> None:
    page = show("/gallery").page
    expect(page.locator("fin-chart canvas").first).to_be_visible()
    expect(page.locator("fin-operations .total")).to_be_visible()
    names, exported = page.evaluate(NAMES)
    tags = {re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower() for name in exported}
    assert tags - set(names) == {"fin-agent", "fin-decision", "fin-holdings", "fin-playback"}  # parts of others
    page.evaluate(AXE.read_text())
    assert page.evaluate(SERIOUS) == []


@pytest.mark.parametrize("view", VIEWS)
def test_view_when_the_screen_is_a_phones_is_no_wider_and_ends_with_what_it_shows(
    show: Open, trade: str, view: str
) -> None:
    page = open_view(show, view, trade, PHONE)
    if view == "desk":
        expect(page.locator("fin-events li").nth(40)).to_be_attached()  # more than its panel has room for
    if view == "operations":
        assert (
            page.locator("fin-operations .scroll:has(.costs)").evaluate(
                "({scrollWidth, clientWidth}) => scrollWidth - clientWidth"
            )
            <= 0
        )
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    assert page.evaluate(BLANK) < MOST_BLANK


def test_page_when_it_loads_moves_nothing_about(show: Open, trade: str) -> None:
    page = open_view(show, "desk", trade, DESKTOP)
    expect(page.locator("fin-chart canvas").first).to_be_visible()
    assert page.evaluate(SHIFTS) < 0.1


def test_page_when_it_is_loaded_first_is_small(show: Open, trade: str) -> None:
    watched = show("/api/docs")
    sizes: dict[str, int] = {}
    watched.page.on("response", lambda answer: sizes.update({answer.url: int(answer.headers.get("content-length", 0))}))
    watched.page.goto(watched.page.url.replace("/api/docs", "/"))
    expect(watched.page.locator("fin-chart canvas").first).to_be_visible()
    files = {url: size for url, size in sizes.items() if "/api/" not in url}
    assert any("chart-canvas" in url for url in files)
    assert 5_000 < sum(size for url, size in files.items() if "chart-canvas" not in url) < FIRST_LOAD_BYTES
    assert sum(files.values()) < FIRST_LOAD_BYTES

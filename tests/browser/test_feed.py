"""The page's feed of events on a real desk that is killed and started again."""

import re
import time
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.browser.conftest import PAGE_MILLISECONDS, Open
from tests.e2e.process import DeskProcess

FOLLOW = """async ({ types, key }) => {
  const { DeskClient, EventFeed } = await import("/components.js");
  const client = new DeskClient({ base: location.origin, key, usesCookies: false });
  window.feed = new EventFeed(client, { wanted: { types } });
  window.ids = [];
  const beginning = new Promise((resolve) =>
    feed.on("status", ({ state }) => state === "current" && resolve(feed.cursor)));
  feed.on("page", ({ events }) => ids.push(...events.map(({ id }) => id)));
  feed.start();
  return beginning;
}"""
TYPES = "market.data.received"


def test_feed_when_the_desk_is_killed_and_started_again_loses_and_doubles_nothing(
    show: Open, desk: DeskProcess, api: httpx.Client
) -> None:
    watched = show()
    page = watched.page
    begun = page.evaluate(FOLLOW, {"types": TYPES, "key": ""})
    until_seen(page, 3)
    desk.kill()
    expect(page.locator("fin-status")).to_contain_text("does not answer")
    expect(page.locator("fin-watchlist tbody tr")).to_have_count(4)  # what is known stays
    desk.start()
    before = page.evaluate("ids.length")
    until_seen(page, before + 3)
    expect(page.locator("fin-status")).to_contain_text("Live, streaming")
    seen = page.evaluate("feed.stop(), ids")
    assert seen == told(api, begun)[: len(seen)]
    watched.complaints.clear()  # the browser itself tells of every connection that was refused


def test_page_when_it_is_opened_without_the_desk_shows_what_it_knew(show: Open, desk: DeskProcess) -> None:
    watched = show()
    page = watched.page
    expect(page.locator("fin-chart .legend")).to_contain_text(re.compile(r"O \d+\.\d\d"))
    expect(page.locator("fin-watchlist tbody tr")).to_have_count(4)
    _wait_for_worker(page)
    page.reload()  # now its files pass the worker, which keeps them
    expect(page.locator("fin-chart canvas").first).to_be_visible()
    expect(page.locator("fin-chart .legend")).to_contain_text(re.compile(r"O \d+\.\d\d"))
    desk.kill()
    page.reload()
    expect(page.locator("fin-chart .stale")).to_contain_text(re.compile("does not answer. This was read on .* UTC"))
    expect(page.locator("fin-chart .legend")).to_contain_text(re.compile(r"O \d+\.\d\d"))
    expect(page.locator("fin-watchlist tbody tr")).to_have_count(4)
    desk.start()
    expect(page.locator("fin-chart .stale")).to_have_count(0)
    watched.complaints.clear()


def until_seen(page: Page, count: int) -> None:
    """Wait for events; Playwright's own waiting for a condition needs what the page's policy forbids."""
    ends = time.monotonic() + PAGE_MILLISECONDS / 1000
    while page.evaluate("ids.length") < count:
        assert time.monotonic() < ends, "no more events came"
        page.wait_for_timeout(100)


def told(api: httpx.Client, after: str) -> list[str]:
    """Give the ids of all events after a cursor."""
    found: list[dict[str, Any]] = []
    while True:
        answer = api.get("/api/events", params={"after": after, "types": TYPES, "limit": 500}).json()
        found += answer["events"]
        after = answer["cursor"]
        if not answer["events"]:
            return [event["id"] for event in found]


def _wait_for_worker(page: Page) -> None:
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")

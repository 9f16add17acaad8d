"""What a page lets nobody do: run what news say, see a key in an address, or load from elsewhere."""

import json
from pathlib import Path

import httpx
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.e2e.process import DeskProcess, finagent

MARKUP = '<img src=x onerror="window.harmed=1"><script>window.harmed=1</script> </script> IBM & co rise'


def test_text_when_it_is_markup_is_shown_as_text(show: Open, api: httpx.Client) -> None:
    page = show().page
    expect(page.locator("fin-status")).to_contain_text("Live, streaming")
    event = api.post("/api/news", json={"headline": MARKUP, "summary": MARKUP, "symbols": ["AAPL"]}).json()["event"]
    row = page.locator("fin-events .row", has_text="IBM & co rise").first
    expect(row).to_contain_text("onerror")
    row.click()
    expect(page.locator("fin-event dd", has_text="onerror").first).to_be_visible()
    expect(page.locator("fin-event h2")).to_have_text("news.received")
    assert page.evaluate("window.harmed") is None
    assert page.locator("fin-events img, fin-event img, fin-chart img").count() == 0
    assert api.get(f"/api/events/{event}").json()["data"]["headline"] == MARKUP


def test_page_when_a_script_is_put_into_it_does_not_run_it(show: Open) -> None:
    watched = show()
    watched.page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=/none.png onerror=\"window.harmed=1\">');"
        "document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.harmed=1' }))"
    )
    expect(watched.page.locator("fin-chart canvas").first).to_be_visible()
    assert watched.page.evaluate("window.harmed") is None
    assert any("Content Security Policy" in complaint for complaint in watched.complaints)
    watched.complaints.clear()


def test_key_when_the_desk_asks_for_one_stays_in_the_tab_and_out_of_addresses(show: Open, tmp_path: Path) -> None:
    created = finagent(tmp_path, "keys", "create", "--owner", "alice", "--role", "trader", "--json")
    text = json.loads(created.stdout)["key"]
    settings = {"FINAGENT_AUTH": "key", "FINAGENT_START": "2008-09-11", "FINAGENT_SPEED": "86400"}
    with DeskProcess(tmp_path, **settings) as guarded:
        watched = show(guarded.about["url"])
        page = watched.page
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.get_by_label("Key of this desk").fill("finagent_wrong")
        page.get_by_role("button", name="Use it").click()
        expect(page.get_by_role("alert")).to_contain_text("does not know this key")
        page.get_by_label("Key of this desk").fill(text)
        page.get_by_role("button", name="Use it").click()
        expect(page.locator("fin-status")).to_contain_text("Live, streaming")
        expect(page.locator("fin-watchlist tbody tr")).to_have_count(4)
        page.reload()
        expect(page.locator("fin-watchlist tbody tr")).to_have_count(4)
        assert not any("/api/stream" in url for url in asked)  # an EventSource can show no key
        assert [url for url in asked if text in url] == []
        assert text not in json.dumps(page.evaluate("({ ...localStorage })"))
        assert page.context.cookies() == []
        watched.complaints.clear()  # the browser itself tells of every request that was refused

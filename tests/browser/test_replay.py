"""The past, played again in the dashboard: asked for, followed over a reload, and read to its report."""

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.chromium import DESKTOP, PHONE
from tests.browser.conftest import Open
from tests.browser.test_form import AXE, SERIOUS
from tests.e2e.process import DeskProcess

ASKED = {"First day": "2008-09-02", "Last day": "2008-10-31", "Symbols": "aapl, IBM"}
REPORT = "fin-replay table.measures"


@pytest.fixture(scope="module")
def played(desk: DeskProcess) -> str:
    """Give a replay that was played, the same to all tests here."""
    asked = {"first_day": "2008-09-02", "last_day": "2008-09-30", "symbols": ["IBM"], "lookback_days": 60}
    with desk.client() as api:
        return str(api.post("/api/replays", json=asked).raise_for_status().json()["id"])


def fill(page: Page, fields: dict[str, str]) -> None:
    """Fill in the form."""
    for label, text in fields.items():
        page.locator("fin-replay").get_by_label(label).fill(text)


def scrub(page: Page, index: int) -> None:
    """Go to a moment, as a hand on the slider does."""
    page.get_by_label("Time").fill(str(index))


def test_replay_when_it_is_asked_for_is_followed_over_a_reload_to_what_the_api_reports(
    show: Open, api: httpx.Client
) -> None:
    page = show("/#/replay").page
    expect(page.get_by_role("button", name="Replay 2008")).to_be_enabled()
    fill(page, ASKED)
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.locator("fin-replay progress")).to_be_visible()
    expect(page).to_have_url(re.compile("#/replay/.+"))
    page.reload()
    expect(page.locator(REPORT)).to_be_visible()
    view = api.get(f"/api/replays/{page.url.rpartition('/')[2]}").json()
    assert view["state"] == "completed"
    assert view["request"]["symbols"] == ["AAPL", "IBM"]
    _check_figures(page, view["report"])
    _check_course(page, view["report"])


def _check_figures(page: Page, report: dict[str, Any]) -> None:
    rows = page.locator(f"{REPORT} tbody tr")
    for row, name in ((0, "total_return"), (3, "max_drawdown")):
        shown = [_percent(report[whose][name]) for whose in ("desk", "benchmark")]
        assert rows.nth(row).locator("td.number").all_inner_texts() == shown
    sharpe = f"{report['desk']['sharpe']:.2f}".replace("-", "−")
    expect(rows.nth(5).locator("td.number").first).to_have_text(sharpe)
    expect(page.locator("fin-replay .hash")).to_contain_text(report["hash"])
    expect(page.locator("fin-replay .labels")).to_contain_text(_percent(report["intervals"]["annual_return"][0]))


def _check_course(page: Page, report: dict[str, Any]) -> None:
    series = report["series"]
    expect(page.locator("fin-playback canvas").first).to_be_visible()
    fills = [fill["bar_closed_at"] for fill in report["fills"]]
    assert fills, "these two months have fills"
    for index in (0, series["moments"].index(fills[0]), len(series["moments"]) - 1):
        scrub(page, index)
        expect(page.locator("fin-playback .value")).to_have_text(f"{series['equity'][index]:,.0f} USD")
        expect(page.locator("fin-playback .figures")).to_contain_text(_percent(series["drawdown"][index], sign=""))
        until = sum(moment <= series["moments"][index] for moment in fills)
        expect(page.locator("fin-playback .fills h3")).to_contain_text(f"until then: {until}")
        _check_agents(page, report, index)


def _check_agents(page: Page, report: dict[str, Any], index: int) -> None:
    """See that what was voted and thought until a moment is shown, and nothing that came later."""
    moment = report["series"]["moments"][index]
    voted = [each for each in report["decided"] if each["decided_at"] <= moment]
    assert index == 0 or voted, "the agents had voted by then"
    expect(page.locator("fin-playback .decided h3")).to_contain_text(f"Voted on until then: {len(voted)}")
    expect(page.locator("fin-playback .decided tbody tr")).to_have_count(len(voted))
    analyst = page.locator("fin-playback .agents tbody tr", has_text="Market analyst")
    trends = [each for each in report["views"] if (each["agent"], each["name"]) == ("market_analyst", "trend")]
    assert {each["subject"] for each in trends} == set(report["series"]["symbols"])
    for view in trends:
        known = [value for place, value in view["changes"] if place <= index][-1]
        expect(analyst.locator(".subject", has_text=view["subject"])).to_contain_text(known)
    if voted:
        newest = next(vote for vote in voted[-1]["votes"] if vote["agent"] == "market_analyst")
        shown = "Abstained" if newest["abstained"] else f"{newest['stance']:+.2f}".replace("-", "−")
        expect(analyst.locator("td").nth(2)).to_contain_text(shown)


def _percent(fraction: float, sign: str = "+") -> str:
    text = f"{fraction * 100:{sign}.1f} %"
    return f"{0:.1f} %" if text.lstrip("+-") == "0.0 %" else text.replace("-", "−")


def test_replay_when_it_cannot_be_asked_for_or_played_says_what_the_desk_says(show: Open, desk: DeskProcess) -> None:
    watched = show("/#/replay")
    page = watched.page
    fill(page, {"First day": "2008-12-31", "Last day": "2008-01-01"})
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.locator("fin-replay").get_by_role("alert")).to_contain_text("last_day: before first_day")
    watched.complaints.clear()  # the browser itself tells of every refused request
    fill(page, {"First day": "1990-01-01", "Last day": "1990-01-31"})
    page.get_by_role("button", name="Replay", exact=True).click()
    expect(page.locator("fin-replay").get_by_role("alert")).to_contain_text("no bar")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_replay_when_it_was_played_has_no_serious_fault_and_fits(show: Open, played: str, dark: bool) -> None:
    page = show(f"/#/replay/{played}", PHONE if dark else DESKTOP, dark=dark).page
    expect(page.locator(REPORT)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth")
    page.evaluate(AXE.read_text())
    assert page.evaluate(SERIOUS) == []


def test_replay_when_it_is_played_back_begins_anew_and_ends_at_its_last_day(show: Open, played: str) -> None:
    page = show(f"/#/replay/{played}").page
    time = page.get_by_label("Time")
    expect(time).to_be_visible()
    last = time.input_value()
    page.get_by_label("Days a second").select_option("5")  # some seconds, in which it can be seen on its way
    page.get_by_role("button", name="Play", exact=True).click()
    expect(time).not_to_have_value(last)
    expect(time).to_have_value(last)
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()


def test_replay_when_it_is_under_way_shows_how_far_it_came_until_it_is_there(show: Open, played: str) -> None:
    page = show("/#/replay", routed=True).page
    shares = [0.25, 0.5]

    def answer(route: Route) -> None:
        """Give the desk's answer as it was on the way there."""
        whole = route.fetch()
        under_way = {"state": "open", "progress": shares[0], "report": None, "hash": None} if shares else {}
        route.fulfill(response=whole, json=whole.json() | under_way)

    page.route(f"**/api/replays/{played}", answer)
    page.goto(page.url + f"/{played}")
    while shares:  # it stands still until it was looked at
        expect(page.locator("fin-replay").get_by_role("status")).to_contain_text(f"{shares[0]:.0%}".replace("%", " %"))
        expect(page.get_by_role("progressbar")).to_have_js_property("value", shares[0])
        shares.pop(0)
    expect(page.locator(REPORT)).to_be_visible()

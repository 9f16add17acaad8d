"""The dashboard behind App Service authentication: who is not signed in is asked to, who was leaves nothing behind."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.chromium import Watched
from tests.browser.conftest import START, Open
from tests.e2e.process import DeskProcess
from tests.standins.app_service import COOKIE, LOG_OUT, AppService, fronted, principal

ROWS = "fin-watchlist tbody tr"
SETTINGS = {"FINAGENT_AUTH": "entra", "WEBSITE_SITE_NAME": "desk", "WEBSITE_AUTH_ENABLED": "True"}
KEPT = "() => [...Object.entries(localStorage), ...Object.entries(sessionStorage)].map(String).join()"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppService]:
    """Give a desk that believes the platform, behind what stands for it."""
    settings = SETTINGS | {"FINAGENT_START": START, "FINAGENT_SPEED": "86400"}
    with (
        DeskProcess(tmp_path_factory.mktemp("entra"), **settings) as desk,
        fronted(desk.about["url"], "reader", "trader") as front,
    ):
        yield front


def signed_in(show: Open, site: AppService) -> Watched:
    """Open the page as somebody new, and follow its link."""
    watched = show(site.url)
    watched.page.get_by_role("link", name="Sign in with your Microsoft account").click()
    expect(watched.page.locator(ROWS).first).to_be_visible()
    watched.complaints.clear()  # the browser itself tells of each 401 that came before
    return watched


def session_of(context: BrowserContext) -> list[str]:
    return [cookie["value"] for cookie in context.cookies() if cookie["name"] == COOKIE]


def test_page_when_nobody_is_signed_in_asks_for_it_and_shows_nothing(show: Open, site: AppService) -> None:
    watched = show(site.url)
    expect(watched.page.get_by_role("link", name="Sign in with your Microsoft account")).to_be_visible()
    expect(watched.page.locator(ROWS)).to_have_count(0)
    watched.complaints.clear()


def test_page_when_somebody_signs_in_follows_the_desk_by_cookie_and_trades_as_them(
    show: Open, site: AppService
) -> None:
    page = signed_in(show, site).page
    expect(page.get_by_text("Live, streaming").first).to_be_visible()
    page.goto(f"{site.url}/#/trade")
    page.get_by_role("button", name="Ask the agents").click()
    expect(page.locator("fin-trade [role=status]")).to_contain_text("Score")
    (session,) = session_of(page.context)
    assert session in site.sessions
    kept = page.evaluate(KEPT)
    assert session not in kept
    assert "finagent:key" not in kept
    assert page.evaluate("() => Object.keys(localStorage).filter((name) => name.startsWith('finagent:'))") == []


def test_page_when_somebody_signs_out_asks_anew_and_shows_nothing_of_theirs(show: Open, site: AppService) -> None:
    watched = signed_in(show, site)
    watched.page.goto(site.url + LOG_OUT)
    expect(watched.page.get_by_role("link", name="Sign in with your Microsoft account")).to_be_visible()
    expect(watched.page.locator(ROWS)).to_have_count(0)
    watched.complaints.clear()


def test_principal_when_a_caller_sends_one_is_taken_away(site: AppService) -> None:
    with httpx.Client(base_url=site.url, trust_env=False) as api:
        forged = api.get("/api/events", headers={"X-MS-CLIENT-PRINCIPAL": principal("operator")})
    assert forged.status_code == 401

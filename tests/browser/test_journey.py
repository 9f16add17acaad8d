"""What people do with the dashboard, in a real browser, on real data."""

import re

import httpx
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Open


def hold(api: httpx.Client, name: str) -> None:
    """Hold something."""
    body = {"cash": 20_000, "positions": [{"symbol": "IBM", "quantity": 300}, {"symbol": "AAPL", "quantity": 900}]}
    api.put(f"/api/portfolios/{name}", json=body).raise_for_status()


def test_desk_when_it_is_opened_shows_prices_and_what_happens_next(show: Open) -> None:
    page = show().page
    expect(page.locator("fin-chart .legend")).to_contain_text(re.compile(r"O \d+\.\d\d"))
    expect(page.locator("fin-chart canvas").first).to_be_visible()
    expect(page.locator("fin-watchlist tbody tr")).to_have_count(4)
    expect(page.locator("fin-status")).to_contain_text("Live, streaming")
    closed = page.locator("fin-chart .meta")
    before = closed.inner_text()
    expect(closed).not_to_have_text(before)  # a day is a second
    expect(page.locator("fin-events .row").first).to_be_visible()


def test_symbol_when_it_is_chosen_is_charted_and_named_in_the_address(show: Open) -> None:
    page = show().page
    page.locator("fin-watchlist").get_by_role("button", name="IBM").click()
    expect(page.locator("fin-chart h2")).to_have_text("IBM")
    expect(page).to_have_url(re.compile("#/desk/IBM$"))
    page.reload()
    expect(page.locator("fin-chart h2")).to_have_text("IBM")


def test_agent_when_it_is_chosen_shows_its_record_as_of_a_day(show: Open, api: httpx.Client) -> None:
    page = show().page
    page.locator("fin-agents").get_by_role("button", name="Risk manager").click()
    agent = page.locator("fin-agent")
    expect(agent.locator(".about")).to_have_text(api.get("/api/agents/risk_manager").json()["about"])
    agent.get_by_label("As of the end of").fill("2008-01-02")
    expect(agent).to_contain_text("None of its votes was graded by 2 Jan 2008")
    expect(agent).to_contain_text("As of 2 Jan 2008, 23:59 UTC")


def test_trade_when_it_is_asked_for_shows_votes_consensus_and_their_reasons(show: Open, api: httpx.Client) -> None:
    hold(api, "main")
    page = show("/#/trade").page
    page.get_by_label("Portfolio").first.select_option("main")
    page.get_by_role("button", name="Ask the agents").click()
    expect(page.locator("fin-trade .verdict strong")).to_have_text(re.compile("Approved|Rejected|No quorum"))
    expect(page.locator("fin-trade .votes > tbody > tr")).to_have_count(4)
    expect(page.locator("fin-decision g[role=button]", has_text="market.data.received").first).to_be_attached()
    expect(page.locator("fin-trades .row").first).to_contain_text("100 AAPL")
    page.locator("fin-trade summary", has_text="numbers").first.click()
    page.locator("fin-trade").get_by_role("button", name="from").first.click()
    expect(page.locator("fin-event .says")).not_to_be_empty()
    page.locator("fin-decision g[role=button]", has_text="Request").press("Enter")
    expect(page.locator("fin-event h2")).to_have_text("trade.requested")
    expect(page.locator("fin-latency tbody tr").first).to_contain_text("POST /api/trades")


def test_holdings_when_they_are_changed_are_measured_anew(show: Open) -> None:
    page = show("/#/portfolio/mine").page
    page.get_by_role("button", name=re.compile("Change holdings|Hold something")).click()
    form = page.locator("fin-holdings")
    form.get_by_label("Name").fill("mine")
    form.get_by_role("button", name="Add a holding").click()
    form.get_by_label("Shares").fill("400")
    form.get_by_role("button", name="Save").click()
    expect(page.locator("fin-portfolio h2")).to_have_text("Portfolio mine")
    expect(page.locator("fin-portfolio tbody tr").first).to_contain_text("400")
    expect(page.locator("fin-portfolio .figures")).to_contain_text(re.compile(r"Value at risk.*\d\.\d\d %", re.DOTALL))
    expect(page.locator("fin-portfolio")).to_contain_text("Autumn of 2008 again")


def test_portfolio_when_the_list_of_names_lags_behind_its_first_event_is_shown_all_the_same(
    show: Open, api: httpx.Client
) -> None:
    page = show("/#/portfolio/late", routed=True).page
    expect(page.locator("fin-portfolio")).to_contain_text(re.compile("There is no portfolio late yet|No portfolio yet"))
    lags = ["once"]

    def answer(route: Route) -> None:
        """Give the names as they were before, once, and then as they are."""
        whole = route.fetch()
        names = [name for name in whole.json()["portfolios"] if not lags or name != "late"]
        lags.clear()
        route.fulfill(response=whole, json={"portfolios": names})

    page.route("**/api/portfolios", answer)
    hold(api, "late")
    expect(page.locator("fin-portfolio tbody tr").first).to_contain_text("IBM")
    assert not lags


def test_holdings_when_they_are_impossible_are_refused_with_the_reason(show: Open) -> None:
    watched = show("/#/portfolio/wrong")
    form = watched.page.locator("fin-holdings")
    watched.page.get_by_role("button", name=re.compile("Change holdings|Hold something")).click()
    form.get_by_label("Name").fill("wrong")
    form.get_by_label("Cash").fill("1e13")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("cash")
    watched.complaints.clear()  # the browser itself tells of every refused request


def test_options_when_they_are_asked_for_show_payoff_and_sensitivities(show: Open) -> None:
    page = show("/#/trade").page
    page.locator("fin-options").get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("fin-options summary")).to_contain_text("Why not")
    expect(page.locator("fin-options svg.payoff path").first).to_be_attached()
    expect(page.locator("fin-options")).to_contain_text("Theta")


def test_question_when_it_is_asked_is_answered_with_the_events_behind_it(show: Open) -> None:
    page = show("/#/trade").page
    page.get_by_label("Question").fill("What is the trend of IBM?")
    page.locator("fin-research").get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("fin-research .answer")).to_contain_text("IBM")
    page.locator("fin-research li").get_by_role("button", name="from").first.click()
    expect(page.locator("fin-event .says")).not_to_be_empty()


def test_operations_when_they_are_opened_tell_health_and_costs(show: Open) -> None:
    page = show("/#/operations").page
    expect(page.locator("fin-operations")).to_contain_text("Prices come from the recorded feed")
    expect(page.locator("fin-operations")).to_contain_text("None: every message was handled")
    page.get_by_role("button", name="By day").click()
    expect(page.locator("fin-operations .total")).to_contain_text("All")


def test_keys_when_they_are_pressed_change_views_and_walk_the_chart(show: Open) -> None:
    page = show().page
    legend = page.locator("fin-chart .legend span").first
    page.locator("fin-chart .canvas").focus()
    expect(page.locator("fin-chart canvas").first).to_be_visible()
    page.keyboard.press("Home")
    expect(legend).to_have_text(re.compile("200[78]"))
    first = legend.inner_text()
    page.keyboard.press("ArrowRight")
    expect(legend).not_to_have_text(first)
    for key, tag in (("2", "fin-trade"), ("3", "fin-portfolio"), ("5", "fin-operations"), ("1", "fin-watchlist")):
        page.keyboard.press(key)
        expect(page.locator(tag)).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("From bar to bar")


def test_component_when_another_site_uses_it_works_there(show: Open, another_site: str, api: httpx.Client) -> None:
    hold(api, "main")
    page = show(f"{another_site}/another-desk.html").page
    expect(page.locator("fin-chart .legend")).to_contain_text(re.compile(r"O \d+\.\d\d"))
    expect(page.locator("fin-portfolio tbody tr").first).to_contain_text("IBM")
    _ask(page)
    expect(page.locator("fin-trade .verdict strong")).to_have_text(re.compile("Approved|Rejected|No quorum"))


def _ask(page: Page) -> None:
    page.get_by_role("button", name="Ask the agents").click()

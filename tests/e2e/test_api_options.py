"""Options over HTTP: asked for once, answered with every number, and followed to the events behind it."""

import time
from typing import Any

import httpx
import pytest

from tests.e2e.refusal import refused

ANSWER_SECONDS = 45
WISH = {"symbol": "IBM", "risk_budget": 2_000, "view": 0.5}


def answered(api: httpx.Client, request_id: str) -> dict[str, Any]:
    ends = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < ends:
        found: dict[str, Any] = api.get(f"/api/options/{request_id}").json()
        if found["state"] == "answered":
            return found
        time.sleep(0.05)
    raise AssertionError(f"no answer: {found}")


def ask(api: httpx.Client, **changes: Any) -> dict[str, Any]:
    return answered(api, api.post("/api/options", json=WISH | changes).json()["id"])


def test_options_when_asked_for_are_accepted_with_their_address(api: httpx.Client) -> None:
    response = api.post("/api/options", json=WISH)
    asked = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == f"/api/options/{asked['id']}"
    assert asked["state"] in ("open", "answered")
    assert asked["request"] == WISH | {"horizon_days": 30}
    if asked["state"] == "open":
        assert asked["suggestion"] is None
    event = api.get(f"/api/events/{asked['id']}").json()
    assert (event["type"], event["data"]) == ("options.requested", asked["request"])


def test_options_when_answered_have_every_number(api: httpx.Client) -> None:
    found = ask(api)["suggestion"]
    assert found["chain"]["origin"] == "synthetic"
    assert "synthetic" in found["rationale"]
    assert found["climate"]["regime"] in ("dear", "fair", "cheap")
    suggested = found["suggested"]
    assert suggested["risk"] <= 2_000
    assert suggested["max_loss"] > 0
    assert 0 < suggested["probability_of_profit"] < 1
    assert len(found["rejected"]) == 12
    event = api.get(f"/api/events/{found['event']}").json()
    assert (event["type"], event["data"]["suggested"]) == ("options.suggested", suggested)


def test_options_when_no_view_is_given_go_by_the_analyst_s(api: httpx.Client) -> None:
    asked = api.post("/api/options", json={"symbol": "IBM", "risk_budget": 5_000}).json()
    found = answered(api, asked["id"])["suggestion"]
    assert found["view_of"] == "market_analyst"
    source = api.get(f"/api/events/{found['evidence'][0]['event']}").json()
    assert source["type"] == "analysis.completed"
    assert source["data"]["symbol"] == "IBM"
    assert found["view"] == pytest.approx(source["data"]["view"] * source["data"]["confidence"])


def test_options_when_a_portfolio_holds_shares_may_cover_them(api: httpx.Client) -> None:
    api.put("/api/portfolios/coverer", json={"cash": 1_000, "positions": [{"symbol": "IBM", "quantity": 200}]})
    found = ask(api, portfolio="coverer", view=-0.9)["suggestion"]
    reasons = {each["strategy"]: each["reason"] for each in found["rejected"]}
    assert "names no portfolio" not in str(reasons)
    assert {"cash", "shares of IBM"} <= {each["name"] for each in found["evidence"]}


def test_options_when_nothing_suits_say_why_not_each(api: httpx.Client) -> None:
    found = ask(api, risk_budget=0.01)["suggestion"]
    assert found["abstained"]
    assert "suggested" not in found
    assert len(found["rejected"]) == 13


def test_options_when_their_key_comes_again_are_the_same(api: httpx.Client) -> None:
    headers = {"Idempotency-Key": "options-again"}
    first = api.post("/api/options", json=WISH, headers=headers)
    second = api.post("/api/options", json=WISH | {"horizon_days": 30}, headers=headers)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.headers["location"] == second.headers["location"]
    answered(api, first.json()["id"])
    kinds = [event["type"] for event in api.get(f"/api/events?correlation={first.json()['id']}").json()["events"]]
    assert sorted(kinds) == ["options.requested", "options.suggested"]


@pytest.mark.parametrize(
    "changes", [{"symbol": "AAPL"}, {"view": 0.4}, {"horizon_days": 31}, {"risk_budget": 1}, {"portfolio": "optioned"}]
)
def test_options_when_their_key_was_another_s_are_refused(api: httpx.Client, changes: dict[str, Any]) -> None:
    api.put("/api/portfolios/optioned", json={"cash": 1})
    headers = {"Idempotency-Key": "options-taken"}
    api.post("/api/options", json=WISH, headers=headers)
    refused(api.post("/api/options", json=WISH | changes, headers=headers), 409, "idempotency-key")


def test_options_when_a_trade_has_the_same_key_are_another_thing(api: httpx.Client) -> None:
    headers = {"Idempotency-Key": "options-and-trade"}
    trade = api.post("/api/trades", json={"symbol": "IBM", "side": "buy", "quantity": 1}, headers=headers).json()
    options = api.post("/api/options", json=WISH, headers=headers)
    assert options.status_code == 202
    refused(api.get(f"/api/options/{trade['id']}"), 404)
    refused(api.get(f"/api/trades/{options.json()['id']}"), 404)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"symbol": "ZZZZ"}, "symbol"),
        ({"symbol": "ibm"}, "symbol"),
        ({"view": 1.1}, "view"),
        ({"view": "up"}, "view"),
        ({"horizon_days": 4}, "horizon_days"),
        ({"horizon_days": 366}, "horizon_days"),
        ({"horizon_days": 30.5}, "horizon_days"),
        ({"risk_budget": 0}, "risk_budget"),
        ({"risk_budget": "100"}, "risk_budget"),
        ({"risk_budget": 1e10}, "risk_budget"),
        ({"portfolio": "no-such"}, "portfolio"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_options_when_a_field_is_wrong_are_refused(api: httpx.Client, changes: dict[str, Any], field: str) -> None:
    refused(api.post("/api/options", json=WISH | changes), 422, field)


def test_agent_when_listed_reacts_to_requests_and_votes_nowhere(api: httpx.Client) -> None:
    (found,) = [each for each in api.get("/api/agents").json()["agents"] if each["name"] == "options_strategist"]
    assert (found["reacts_to"], found["votes_in"]) == (["options.requested"], [])

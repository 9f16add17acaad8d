"""Portfolios: what is written is read at once, and writing it again changes nothing."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

HELD = {"cash": 1_000.5, "positions": [{"symbol": "IBM", "quantity": 3, "average_price": 90.25}]}


def _changes(api: httpx.Client, name: str) -> list[str]:
    page = api.get(f"/api/events?stream=portfolio-{name}&types=portfolio.changed").json()
    return [event["id"] for event in page["events"]]


def test_portfolio_when_it_is_put_is_read_at_once(api: httpx.Client) -> None:
    for cash in range(30):
        put = api.put("/api/portfolios/at-once", json={"cash": cash})
        got = api.get("/api/portfolios/at-once").json()
        assert put.status_code == 200
        assert got["cash"] == cash
        assert got["event"] == put.json()["event"]


def test_portfolio_when_it_is_put_has_what_was_said(api: httpx.Client) -> None:
    put = api.put("/api/portfolios/said", json=HELD).json()
    assert (put["portfolio"], put["cash"]) == ("said", 1_000.5)
    assert put["positions"] == HELD["positions"]
    event = api.get(f"/api/events/{put['event']}").json()
    assert event["type"] == "portfolio.changed"
    assert event["time"] == put["changed_at"]
    assert event["source"] == "api"


def test_portfolio_when_it_is_put_again_changes_nothing(api: httpx.Client) -> None:
    first = api.put("/api/portfolios/same", json=HELD).json()
    again = api.put("/api/portfolios/same", json=HELD).json()
    assert (again["event"], again["changed_at"]) == (first["event"], first["changed_at"])
    assert _changes(api, "same") == [first["event"]]


def test_portfolio_when_it_is_put_twenty_times_at_once_changes_once(api: httpx.Client) -> None:
    with ThreadPoolExecutor(20) as pool:
        puts = [pool.submit(api.put, "/api/portfolios/crowded", json=HELD) for _ in range(20)]
        events = {put.result().json()["event"] for put in puts}
    assert _changes(api, "crowded") == list(events)


def test_portfolio_when_it_returns_to_a_former_content_is_a_new_event(api: httpx.Client) -> None:
    first, _, third = (api.put("/api/portfolios/back", json={"cash": cash}).json() for cash in (1, 2, 1))
    assert first["event"] != third["event"]
    assert len(_changes(api, "back")) == 3
    assert api.get("/api/portfolios/back").json()["cash"] == 1


def test_portfolio_when_it_is_read_as_of_then_has_the_content_of_then(api: httpx.Client) -> None:
    first = api.put("/api/portfolios/dated", json={"cash": 1}).json()
    time.sleep(0.01)
    api.put("/api/portfolios/dated", json={"cash": 2})
    then = api.get("/api/portfolios/dated", params={"as_of": first["changed_at"]}).json()
    assert (then["cash"], then["event"]) == (1, first["event"])
    assert api.get("/api/portfolios/dated?as_of=2008-01-01T00:00:00Z").status_code == 404


def test_portfolio_when_it_changed_has_its_risk_measured(api: httpx.Client) -> None:
    put = api.put("/api/portfolios/risky", json={"cash": 10, "positions": [{"symbol": "GOOG", "quantity": 9}]}).json()
    risk = _risk(api, "risky")
    assessed = api.get(f"/api/events/{risk['event']}").json()
    assert assessed["type"] == "risk.assessed"
    assert assessed["causationid"] == put["event"]
    assert risk["portfolio"] == "risky"
    assert risk["measures"]["historical_var_95"] > 0
    assert "max_weight:GOOG" in [breach["limit"] for breach in risk["breaches"]]


def test_portfolios_when_they_are_listed_are_sorted(api: httpx.Client) -> None:
    for name in ("list-b", "list-a"):
        api.put(f"/api/portfolios/{name}", json={"cash": 1})
        _risk(api, name)
    names = api.get("/api/portfolios").json()["portfolios"]
    assert {"list-a", "list-b"} <= set(names)
    assert names == sorted(names)


def _risk(api: httpx.Client, name: str) -> dict[str, Any]:
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        risk: dict[str, Any] | None = api.get(f"/api/portfolios/{name}").json()["risk"]
        if risk is not None:
            return risk
        time.sleep(0.05)
    raise AssertionError(f"the risk of {name} was not measured")

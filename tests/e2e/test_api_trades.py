"""Trades: asked for once, followed to their consensus, and explained down to the events behind it."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.agents.registry import TRADE
from tests.e2e.process import DeskProcess
from tests.e2e.refusal import refused

DECISION_SECONDS = 45


@pytest.fixture(scope="module")
def decided(api: httpx.Client) -> dict[str, Any]:
    """Give a trade for a portfolio, with its consensus."""
    api.put("/api/portfolios/trader", json={"cash": 1_000_000, "positions": [{"symbol": "IBM", "quantity": 100}]})
    asked = api.post(
        "/api/trades", json={"symbol": "AAPL", "side": "buy", "quantity": 10, "portfolio": "trader"}
    ).json()
    return _decided(api, asked["id"])


def _decided(api: httpx.Client, trade_id: str) -> dict[str, Any]:
    ends = time.monotonic() + DECISION_SECONDS
    while time.monotonic() < ends:
        trade: dict[str, Any] = api.get(f"/api/trades/{trade_id}").json()
        if trade["state"] == "decided":
            return trade
        time.sleep(0.05)
    raise AssertionError(f"no consensus: {trade}")


def _story(api: httpx.Client, trade_id: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = api.get(f"/api/events?correlation={trade_id}").json()["events"]
    return events


def test_trade_when_it_is_asked_for_is_accepted_with_its_address(api: httpx.Client) -> None:
    response = api.post("/api/trades", json={"symbol": "MSFT", "side": "sell", "quantity": 2.5})
    trade = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == f"/api/trades/{trade['id']}"
    assert trade["state"] in ("open", "decided")
    assert trade["trade"] == {"symbol": "MSFT", "side": "sell", "quantity": 2.5}
    assert trade["requested_at"] < trade["deadline"]
    if trade["state"] == "open":
        assert trade["consensus"] is None
    followed = api.get(response.headers["location"]).json()
    assert followed["id"] == trade["id"]
    assert api.get(f"/api/events/{trade['id']}").json()["data"] == trade["trade"]


def test_trade_when_no_key_is_given_is_another_each_time(api: httpx.Client) -> None:
    trade = {"symbol": "MSFT", "side": "buy", "quantity": 1}
    first, second = api.post("/api/trades", json=trade), api.post("/api/trades", json=trade)
    assert first.headers["location"] != second.headers["location"]


def test_trade_when_its_key_comes_again_is_the_same(api: httpx.Client) -> None:
    trade, headers = {"symbol": "GOOG", "side": "buy", "quantity": 3}, {"Idempotency-Key": "again"}
    first = api.post("/api/trades", json=trade, headers=headers)
    second = api.post("/api/trades", json=trade | {"quantity": 3.0}, headers=headers)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.headers["location"] == second.headers["location"]
    assert first.json()["requested_at"] == second.json()["requested_at"]


@pytest.mark.parametrize("changes", [{"symbol": "IBM"}, {"side": "sell"}, {"quantity": 4}, {"portfolio": "keyed"}])
def test_trade_when_its_key_was_another_s_is_refused(api: httpx.Client, changes: dict[str, Any]) -> None:
    api.put("/api/portfolios/keyed", json={"cash": 1})
    trade, headers = {"symbol": "GOOG", "side": "buy", "quantity": 3}, {"Idempotency-Key": "taken"}
    first = api.post("/api/trades", json=trade, headers=headers).json()
    refused(api.post("/api/trades", json=trade | changes, headers=headers), 409, "idempotency-key")
    assert api.get(f"/api/trades/{first['id']}").json()["trade"] == trade


def test_trade_when_its_key_comes_twenty_times_at_once_is_one(api: httpx.Client) -> None:
    trade, headers = {"symbol": "IBM", "side": "buy", "quantity": 7}, {"Idempotency-Key": "crowd"}
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(api.post, "/api/trades", json=trade, headers=headers) for _ in range(20)]
        responses = [each.result() for each in asked]
    assert {response.status_code for response in responses} == {202}
    locations = {response.headers["location"] for response in responses}
    assert len(locations) == 1
    trade_id = responses[0].json()["id"]
    _decided(api, trade_id)
    kinds = [event["type"] for event in _story(api, trade_id)]
    assert kinds.count("trade.requested") == 1
    assert kinds.count("consensus.reached") == 1
    assert kinds.count("opinion.formed") == len(TRADE.judges)


def test_trade_when_it_is_decided_shows_who_said_what(api: httpx.Client, decided: dict[str, Any]) -> None:
    opinions, consensus = decided["opinions"], decided["consensus"]
    assert {opinion["agent"] for opinion in opinions} == set(TRADE.judges)
    assert consensus["decision"] in ("approved", "rejected", "no_quorum")
    assert consensus["closed_by"] == "quorum"
    assert consensus["explanation"]
    assert {vote["opinion"] for vote in consensus["votes"]} == {opinion["event"] for opinion in opinions}
    assert not any(opinion["late"] for opinion in opinions)
    assert not any("abstained" in opinion for opinion in opinions if opinion["agent"] != "sentiment_tracker")


def test_trade_when_it_is_decided_rests_on_events_that_can_be_read(api: httpx.Client, decided: dict[str, Any]) -> None:
    sources = {evidence["event"] for opinion in decided["opinions"] for evidence in opinion["evidence"]}
    assert len(sources) >= 2
    kinds = set()
    for source in sources:
        response = api.get(f"/api/events/{source}")
        assert response.status_code == 200
        assert response.json()["id"] == source
        assert response.json()["time"] <= decided["requested_at"]
        kinds.add(response.json()["type"])
    assert {"market.data.received", "portfolio.changed"} <= kinds


def test_trade_when_it_is_decided_is_told_by_its_events(api: httpx.Client, decided: dict[str, Any]) -> None:
    story = {event["id"]: event for event in _story(api, decided["id"])}
    assert story[decided["id"]]["type"] == "trade.requested"
    assert story[decided["consensus"]["event"]]["type"] == "consensus.reached"
    for opinion in decided["opinions"]:
        assert story[opinion["event"]]["type"] == "opinion.formed"
        assert story[opinion["event"]]["causationid"] == decided["id"]
    assert {event["stream"] for event in story.values()} == {f"trade-{decided['id']}"}


def test_trade_when_it_is_decided_stays_so(api: httpx.Client, decided: dict[str, Any]) -> None:
    assert api.get(f"/api/trades/{decided['id']}").json() == decided


def test_trade_when_the_desk_runs_at_another_speed_since_keeps_its_deadline(tmp_path: Path) -> None:
    trade = {"symbol": "AAPL", "side": "buy", "quantity": 1}
    with DeskProcess(tmp_path, FINAGENT_SPEED="86400") as desk, desk.client() as client:
        decided = _decided(client, client.post("/api/trades", json=trade).json()["id"])
        desk.stop()
    with DeskProcess(tmp_path, FINAGENT_SPEED="3600") as desk, desk.client() as client:
        assert client.get(f"/api/trades/{decided['id']}").json()["deadline"] == decided["deadline"]


def test_trade_when_it_costs_more_than_the_cash_is_vetoed(api: httpx.Client) -> None:
    api.put("/api/portfolios/poor", json={"cash": 1})
    asked = api.post("/api/trades", json={"symbol": "GOOG", "side": "buy", "quantity": 1e9, "portfolio": "poor"})
    decided = _decided(api, asked.json()["id"])
    assert decided["consensus"]["decision"] == "rejected"
    assert decided["consensus"]["vetoes"]
    veto = next(opinion for opinion in decided["opinions"] if opinion["agent"] == "risk_manager")["veto"]
    assert "cash" in veto

"""Costs and latency over HTTP: the price of a trade is what its executions add up to, by whatever it is asked."""

import time
from typing import Any

import httpx
import pytest

from tests.e2e.refusal import refused

DECISION_SECONDS = 45
CRITICAL = ["POST /api/trades", "consensus"]


@pytest.fixture(scope="module")
def trade(api: httpx.Client) -> str:
    """Give the id of a trade that is decided."""
    body = {"symbol": "IBM", "side": "buy", "quantity": 3}
    trade_id = str(api.post("/api/trades", json=body).json()["id"])
    ends = time.monotonic() + DECISION_SECONDS
    while api.get(f"/api/trades/{trade_id}").json()["state"] != "decided":
        assert time.monotonic() < ends
        time.sleep(0.05)
    return trade_id


@pytest.fixture(scope="module")
def latency(api: httpx.Client, trade: str) -> dict[str, Any]:
    """Give the trade's latency, once the last execution before its consensus is put down."""
    ends = time.monotonic() + DECISION_SECONDS
    while True:
        found: dict[str, Any] = api.get(f"/api/trades/{trade}/latency").json()
        if found["elapsed_ms"] is not None:
            return found
        assert time.monotonic() < ends
        time.sleep(0.05)


def _costs(api: httpx.Client, **query: str) -> dict[str, Any]:
    response = api.get("/api/costs", params=query)
    assert response.status_code == 200, response.text
    costs: dict[str, Any] = response.json()
    return costs


def test_latency_when_a_trade_is_decided_follows_it_from_the_request_to_the_consensus(
    latency: dict[str, Any],
) -> None:
    hops = latency["hops"]
    agents = [hop["agent"] for hop in hops if hop["critical"]]
    assert [agents[0], agents[-1]] == CRITICAL
    assert len(agents) == 3, agents
    assert {"market_analyst", "risk_manager", "sentiment_tracker", "consensus"} < {hop["agent"] for hop in hops}
    assert latency["elapsed_ms"] >= max(hop["handler_ms"] + hop["store_ms"] for hop in hops if hop["critical"])
    assert all(hop["store_ms"] > 0 for hop in hops if hop["agent"] != "projector")


def test_latency_when_there_is_no_such_trade_is_missing(api: httpx.Client) -> None:
    assert api.get("/api/trades/none/latency").status_code == 404


def test_costs_when_of_a_trade_are_those_of_its_executions(
    api: httpx.Client, trade: str, latency: dict[str, Any]
) -> None:
    until = max(hop["started"] for hop in latency["hops"])
    hops = [hop for hop in latency["hops"] if hop["started"] < until]
    found = _costs(api, trade=trade, by="trade", to=until)
    (group,) = found["groups"]
    assert group["key"] == trade
    assert group["use"]["executions"] == len(hops)
    assert group["use"]["messages_received"] == len([hop for hop in hops if hop["agent"] != CRITICAL[0]])
    assert group["use"]["handler_ms"] == pytest.approx(sum(hop["handler_ms"] for hop in hops))
    assert group["use"]["messages_sent"] >= 4
    assert group["price"]["total"] > 0


def test_costs_when_grouped_in_any_way_add_up_to_the_same(
    api: httpx.Client, trade: str, latency: dict[str, Any]
) -> None:
    until = max(hop["started"] for hop in latency["hops"])
    answers = [_costs(api, trade=trade, by=by, to=until) for by in ("agent", "day", "trade", "owner")]
    for answer in answers:
        assert answer["total"] == answers[0]["total"]
        assert sum(group["use"]["executions"] for group in answer["groups"]) == answer["total"]["use"]["executions"]
        assert sum(group["price"]["total"] for group in answer["groups"]) == pytest.approx(
            answer["total"]["price"]["total"]
        )


def test_costs_when_on_one_machine_are_not_billed_and_leave_cosmos_open(api: httpx.Client) -> None:
    found = _costs(api)
    assert (found["billed"], found["currency"]) == (False, "USD")
    assert found["total"]["use"]["request_units"] is None
    assert found["total"]["price"]["cosmos"] is None
    parts = found["total"]["price"]
    assert parts["total"] == pytest.approx(parts["service_bus"] + parts["functions"])


def test_costs_when_requests_and_timers_ran_have_them(api: httpx.Client) -> None:
    keys = {group["key"] for group in _costs(api, limit="1000")["groups"]}
    assert {"GET /api/health", "ingest_market", "ingest_news", "ingest_positions", "projector"} <= keys


def test_costs_when_limited_are_the_dearest_and_say_how_many_are_left(api: httpx.Client) -> None:
    found = _costs(api, limit="1")
    whole = _costs(api, limit="1000")
    assert (len(found["groups"]), found["omitted"] > 0, whole["omitted"]) == (1, True, 0)
    prices = [group["price"]["total"] for group in whole["groups"]]
    assert prices == sorted(prices, reverse=True)


def test_costs_when_before_anything_are_none(api: httpx.Client) -> None:
    found = _costs(api, **{"from": "2008-01-01T00:00:00Z", "to": "2008-01-02T00:00:00Z"})
    assert (found["groups"], found["total"]["use"]["executions"]) == ([], 0)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"by": "symbol"}, "by"),
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-02-02T00:00:00Z", "to": "2026-02-01T00:00:00Z"}, "to"),
        ({"limit": "0"}, "limit"),
        ({"trade": "a b"}, "trade"),
        ({"since": "2026-02-01T00:00:00Z"}, "since"),
    ],
)
def test_costs_when_asked_wrongly_are_refused_by_name(api: httpx.Client, query: dict[str, str], field: str) -> None:
    refused(api.get("/api/costs", params=query), 422, field)

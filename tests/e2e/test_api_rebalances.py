"""Rebalances over HTTP: a suggestion follows a changed portfolio, and can be followed to what it rests on."""

import time
from typing import Any

import httpx

from tests.e2e.refusal import refused


def latest(api: httpx.Client, portfolio: str) -> dict[str, Any]:
    """Give the suggestion, once there is one."""
    patience = time.monotonic() + 30
    while (answer := api.get(f"/api/portfolios/{portfolio}/rebalance")).status_code == 404:
        assert time.monotonic() < patience
        time.sleep(0.05)
    found: dict[str, Any] = answer.json()
    return found


def test_rebalance_when_a_portfolio_is_put_is_suggested(api: httpx.Client) -> None:
    # So much of one share that it is above the limit on any day that the desk has come to.
    holdings = {"cash": 100_000, "positions": [{"symbol": "IBM", "quantity": 100_000}]}
    api.put("/api/portfolios/lopsided", json=holdings)
    found = latest(api, "lopsided")
    assert found["abstained"] is None
    (sale,) = [order for order in found["orders"] if order["symbol"] == "IBM"]
    assert (sale["side"], sale["weight_before"] > sale["weight_after"]) == ("sell", True)
    event = api.get(f"/api/events/{found['event']}").json()
    assert (event["type"], event["time"]) == ("rebalance.suggested", found["suggested_at"])
    for view in found["views"]:
        assert api.get(f"/api/events/{view['event']}").json()["source"] == view["agent"]


def test_rebalance_when_nothing_is_known_is_not_there(api: httpx.Client) -> None:
    refused(api.get("/api/portfolios/nobodys/rebalance"), 404)
    refused(api.get("/api/portfolios/lopsided/rebalance", params={"as_of": "2008-01-02T00:00:00Z"}), 404)

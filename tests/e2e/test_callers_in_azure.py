"""Callers of a desk on Cosmos DB and Service Bus: keys in the account count on every host, and owners stay apart."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from shared.bus.topology import topology
from shared.store.cosmos_container import create_containers
from tests.e2e.process import DeskProcess, finagent
from tests.standins.cosmos.server import KEY, CosmosStandIn
from tests.standins.service_bus.server import ServiceBusStandIn

PATIENCE_SECONDS = 300


@pytest.fixture
async def settings() -> AsyncIterator[dict[str, str]]:
    """Give what a host on the stand-ins needs to know."""
    async with CosmosStandIn() as cosmos, ServiceBusStandIn(topology()) as bus:
        await create_containers(cosmos.url, KEY)
        yield {
            "SERVICEBUS": bus.connection_string,
            "SERVICEBUS_ADMINISTRATION_URL": bus.administration_url,
            "COSMOS_ENDPOINT": cosmos.url,
            "COSMOS_KEY": KEY,
            "FINAGENT_START": "2008-09-12",
            "FINAGENT_SPEED": "0.001",
            "FINAGENT_LOOKBACK_DAYS": "5",
            "FINAGENT_DEADLINE_SECONDS": "300",
        }


async def _run(folder: Path, *arguments: str, **settings: str) -> str:
    ran = await asyncio.to_thread(finagent, folder, *arguments, **settings)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


async def _story(api: httpx.AsyncClient, correlation: str, last: str) -> list[dict[str, str]]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            page = (await api.get("/api/events", params={"correlation": correlation, "limit": 100})).json()
            if any(event["type"] == last for event in page["events"]):
                return list(page["events"])
            await asyncio.sleep(0.3)


async def test_owners_when_a_desk_is_in_azure_see_their_own_on_every_host(
    settings: dict[str, str], tmp_path: Path
) -> None:
    keys = {}
    for owner in ("alice", "bob"):
        text = await _run(tmp_path, "keys", "create", "--owner", owner, "--role", "trader", "--json", **settings)
        keys[owner] = json.loads(text)
    assert not (tmp_path / "keys.sqlite").exists()
    desk = DeskProcess(tmp_path / "host", FINAGENT_AUTH="key", **settings)
    await asyncio.to_thread(desk.start)
    clients = [
        httpx.AsyncClient(base_url=desk.about["url"], headers=headers, timeout=60, trust_env=False)
        for headers in ({"Authorization": f"Bearer {each['key']}"} for each in keys.values())
    ]
    alice, bob = clients
    try:
        for api, cash in ((alice, 1_000_000), (bob, 5)):
            (await api.put("/api/portfolios/main", json={"cash": cash})).raise_for_status()
        body = {"symbol": "IBM", "side": "buy", "quantity": 1, "portfolio": "main"}
        (trade, other) = [(await api.post("/api/trades", json=body)).raise_for_status().json()["id"] for api in clients]
        events = await _story(alice, trade, "consensus.reached")
        assert {event["owner"] for event in events} == {"alice"}
        await _story(bob, other, "consensus.reached")
        for address in (f"/api/trades/{trade}", *(f"/api/events/{event['id']}" for event in events)):
            assert [(await api.get(address)).status_code for api in clients] == [200, 404]
        assert (await bob.get("/api/portfolios/main")).json()["cash"] == 5
        for path in ("/api/events", "/api/stream"):
            for query in ({}, {"correlation": trade}, {"stream": f"trade-{trade}"}, {"types": "trade.requested"}):
                told = (await bob.get(path, params={"limit": 500, "wait": 0, **query})).raise_for_status().text
                assert "alice" not in told
        await _run(tmp_path, "keys", "revoke", keys["bob"]["id"], **settings)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await bob.get("/api/portfolios")).status_code != 401:  # noqa: ASYNC110 - over HTTP
                await asyncio.sleep(0.3)
        assert (await alice.get("/api/portfolios")).status_code == 200
    finally:
        for api in clients:
            await api.aclose()
        await asyncio.to_thread(desk.kill)

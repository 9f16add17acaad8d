"""A namespace and an account on their stand-ins, hosts that live on them, and a frontend that asks for trades there."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from shared.bus.topology import topology
from shared.store.cosmos_container import create_containers
from tests.e2e.process import DeskProcess
from tests.standins.cosmos.server import KEY, CosmosStandIn
from tests.standins.service_bus.server import ServiceBusStandIn

# The clock all but stands still, so both desks see the same, and what ages has the same age to six digits.
SETTINGS = {
    "FINAGENT_START": "2008-09-12",
    "FINAGENT_SPEED": "0.001",
    "FINAGENT_LOOKBACK_DAYS": "120",
    "FINAGENT_DEADLINE_SECONDS": "300",
}
HOLDINGS = {"cash": 1_000_000, "positions": [{"symbol": "IBM", "quantity": 1_000}]}
TRADES = [("AAPL", "buy"), ("IBM", "sell"), ("MSFT", "buy"), ("GOOG", "sell"), ("IBM", "buy"), ("AAPL", "sell")]
PATIENCE_SECONDS = 300


class Cloud:
    """A namespace and an account, and what a host needs to know of them."""

    def __init__(self, bus: ServiceBusStandIn, cosmos: CosmosStandIn) -> None:
        self.bus = bus
        self.cosmos = cosmos

    def host(self, folder: Path, port: int | None = None, **more: str) -> DeskProcess:
        """Give a host, not yet started; the folder holds what is its own, and it meets the namespace at `port`."""
        return DeskProcess(
            folder,
            SERVICEBUS=self.bus.connection_string_at(port or self.bus.port),
            SERVICEBUS_ADMINISTRATION_URL=self.bus.administration_url,
            COSMOS_ENDPOINT=self.cosmos.url,
            COSMOS_KEY=KEY,
            **(SETTINGS | more),
        )


@asynccontextmanager
async def empty_cloud() -> AsyncIterator[Cloud]:
    """Open a namespace and an account where nothing happened yet."""
    async with CosmosStandIn() as cosmos, ServiceBusStandIn(topology()) as bus:
        await create_containers(cosmos.url, KEY)
        yield Cloud(bus, cosmos)


@asynccontextmanager
async def running(desk: DeskProcess) -> AsyncIterator[httpx.AsyncClient]:
    """Run a host, and give a client of it; the stand-ins go on in this loop meanwhile."""
    await asyncio.to_thread(desk.start)
    try:
        async with httpx.AsyncClient(base_url=desk.about["url"], timeout=60, trust_env=False) as client:
            yield client
    finally:
        if desk.runs:
            assert await asyncio.to_thread(desk.stop) == 0


async def quiet(api: httpx.AsyncClient) -> None:
    """Wait until every timer has ticked and no message waits."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            health = (await api.get("/api/health")).json()
            if len(health["ticks"]) == 4 and not any(health["backlog"].values()):
                return
            await asyncio.sleep(0.5)


async def hold(api: httpx.AsyncClient) -> None:
    """Let the portfolio hold something."""
    (await api.put("/api/portfolios/main", json=HOLDINGS)).raise_for_status()


async def ask(api: httpx.AsyncClient, numbers: Iterable[int]) -> list[str]:
    """Ask for trades, each again until it is accepted, and give their ids."""
    return [await _insist(api, number) for number in numbers]


async def _insist(api: httpx.AsyncClient, number: int) -> str:
    symbol, side = TRADES[number % len(TRADES)]
    body = {"symbol": symbol, "side": side, "quantity": 10 + number, "portfolio": "main"}
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = await api.post("/api/trades", json=body, headers={"Idempotency-Key": f"trade-{number}"})
            if answer.status_code == 202:
                return str(answer.json()["id"])
            assert answer.status_code == 503, answer.text
            await asyncio.sleep(0.2)


async def decided(api: httpx.AsyncClient, trades: list[str]) -> None:
    """Wait until there is a consensus on all of them."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        for trade in trades:
            while (await api.get(f"/api/trades/{trade}")).json()["state"] != "decided":  # noqa: ASYNC110 - over HTTP
                await asyncio.sleep(0.5)


async def log_of(api: httpx.AsyncClient) -> dict[str, dict[str, Any]]:
    """Give all events by id; none may be there twice."""
    found: dict[str, dict[str, Any]] = {}
    cursor = ""
    while True:
        page = (await api.get("/api/events", params={"after": cursor, "limit": 200})).raise_for_status().json()
        for event in page["events"]:
            assert event["id"] not in found
            found[event["id"]] = event
        if not page["events"]:
            return found
        cursor = page["cursor"]

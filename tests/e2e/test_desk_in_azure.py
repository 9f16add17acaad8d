"""The whole desk on Service Bus and Cosmos DB, over the wire to their stand-ins, through Microsoft's SDKs.

What comes out must be what the embedded desk makes of the same: whatever hosts die, connections break and messages come
twice on the way.
"""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.bus.topology import topology
from shared.store.cosmos_container import create_containers
from tests.e2e.process import DeskProcess
from tests.standins.cosmos.server import KEY, CosmosStandIn
from tests.standins.service_bus.faults import BUSY, Delayed, Doubled, Fault, LostAck, Reset, Through
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
PATIENCE_SECONDS = 120
FAULTS: tuple[Fault, ...] = (Doubled(), Through(), LostAck(), Delayed(0.3), Reset(), BUSY, Doubled())
OF_THE_CLOCK = ("time", "deadline", "decided_at")
SUBSCRIPTIONS = [f"{topic.name}/{each.name}" for topic in topology().topics for each in topic.subscriptions]

type Events = dict[str, dict[str, Any]]


class Cloud:
    """A namespace and an account, and what a host needs to know of them."""

    def __init__(self, bus: ServiceBusStandIn, cosmos: CosmosStandIn) -> None:
        self.bus = bus
        self.cosmos = cosmos

    def host(self, folder: Path) -> DeskProcess:
        """Give a host, not yet started; the folder holds what is its own."""
        return DeskProcess(
            folder,
            SERVICEBUS=self.bus.connection_string,
            SERVICEBUS_ADMINISTRATION_URL=self.bus.administration_url,
            COSMOS_ENDPOINT=self.cosmos.url,
            COSMOS_KEY=KEY,
            **SETTINGS,
        )


@pytest.fixture
async def cloud() -> AsyncIterator[Cloud]:
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
            if len(health["ticks"]) == 3 and not any(health["backlog"].values()):
                return
            await asyncio.sleep(0.5)


async def hold(api: httpx.AsyncClient) -> None:
    (await api.put("/api/portfolios/main", json=HOLDINGS)).raise_for_status()


async def ask(api: httpx.AsyncClient, numbers: Iterable[int]) -> list[str]:
    """Ask for trades, each again until it is accepted, and give their ids."""
    return [await _insist(api, number) for number in numbers]


async def _insist(api: httpx.AsyncClient, number: int) -> str:
    symbol, side = TRADES[number]
    body = {"symbol": symbol, "side": side, "quantity": 10 + number, "portfolio": "main"}
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = await api.post("/api/trades", json=body, headers={"Idempotency-Key": f"trade-{number}"})
            if answer.status_code == 202:
                return str(answer.json()["id"])
            assert answer.status_code == 503, answer.text
            await asyncio.sleep(0.2)


async def decided(api: httpx.AsyncClient, trades: list[str]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        for trade in trades:
            while (await api.get(f"/api/trades/{trade}")).json()["state"] != "decided":  # noqa: ASYNC110 - over HTTP
                await asyncio.sleep(0.5)


async def log_of(api: httpx.AsyncClient) -> Events:
    """Give all events by id, without what only tells when the machine did the work; none may be there twice."""
    found: Events = {}
    cursor = ""
    while True:
        page = (await api.get("/api/events", params={"after": cursor, "limit": 200})).raise_for_status().json()
        for event in page["events"]:
            assert event["id"] not in found
            found[event["id"]] = _timeless(event)
        if not page["events"]:
            return found
        cursor = page["cursor"]


def _timeless(event: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(event, sort_keys=True)
    whole: dict[str, Any] = json.loads(
        text, object_hook=lambda part: {key: value for key, value in part.items() if key not in OF_THE_CLOCK}
    )
    return whole


def differences(made: Any, expected: Any, path: str = "") -> list[str]:
    """Say where two documents differ by more than a moment does to a number."""
    if isinstance(made, dict) and isinstance(expected, dict) and made.keys() == expected.keys():
        return [text for key in made for text in differences(made[key], expected[key], f"{path}/{key}")]
    if isinstance(made, list) and isinstance(expected, list) and len(made) == len(expected):
        pairs = enumerate(zip(made, expected, strict=True))
        return [text for place, (one, other) in pairs for text in differences(one, other, f"{path}/{place}")]
    if isinstance(made, float) and isinstance(expected, float) and math.isclose(made, expected, rel_tol=1e-5):
        return []
    return [] if made == expected else [f"{path}: {made!r:.200} is not {expected!r:.200}"]


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Events:
    """Give what the embedded desk makes of the story."""

    async def play() -> Events:
        async with running(DeskProcess(tmp_path_factory.mktemp("embedded"), **SETTINGS)) as api:
            await quiet(api)
            await hold(api)
            await decided(api, await ask(api, range(len(TRADES))))
            await quiet(api)
            return await log_of(api)

    return asyncio.run(play())


def kinds(events: Events) -> dict[str, int]:
    counts: dict[str, int] = {}
    for event in events.values():
        counts[event["type"]] = counts.get(event["type"], 0) + 1
    return counts


async def test_desk_in_azure_when_nothing_fails_is_the_embedded_one(
    cloud: Cloud, embedded: Events, tmp_path: Path
) -> None:
    async with running(cloud.host(tmp_path)) as api:
        await quiet(api)
        await hold(api)
        await decided(api, await ask(api, range(len(TRADES))))
        await quiet(api)
        made = await log_of(api)
    assert kinds(made)["consensus.reached"] == len(TRADES)
    assert differences(made, embedded) == []


async def test_desk_in_azure_when_a_host_dies_and_messages_double_is_the_embedded_one(
    cloud: Cloud, embedded: Events, tmp_path: Path
) -> None:
    doomed = cloud.host(tmp_path / "doomed")
    async with running(cloud.host(tmp_path / "survivor")) as api, running(doomed) as other:
        await quiet(api)
        # The feed's clock began later there: what happens by it has happened for both.
        await hold(other)
        await quiet(other)
        cloud.bus.fail("events", *3 * FAULTS)
        first = await ask(api, range(2)) + await ask(other, range(2, 4))
        await asyncio.to_thread(doomed.kill)
        # What the dead host held would come again after a minute.
        for subscription in SUBSCRIPTIONS:
            cloud.bus.lose_locks(subscription)
        await decided(api, first + await ask(api, range(4, len(TRADES))))
        await quiet(api)
        made = await log_of(api)
    assert kinds(made)["consensus.reached"] == len(TRADES)
    assert differences(made, embedded) == []

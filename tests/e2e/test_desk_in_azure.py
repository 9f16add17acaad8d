"""The whole desk on Service Bus and Cosmos DB, over the wire to their stand-ins, through Microsoft's SDKs.

What comes out must be what the embedded desk makes of the same: whatever hosts die, connections break and messages come
twice on the way.
"""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.agents.registry import TRADE
from shared.bus.topology import topology
from shared.events.change import ChangeMade
from tests.e2e.cloud import SETTINGS, TRADES, Cloud, ask, decided, empty_cloud, hold, log_of, quiet, running
from tests.e2e.process import DeskProcess
from tests.e2e.test_telemetry import CALLER, check_one_trace
from tests.standins.collector import Collector
from tests.standins.service_bus.faults import BUSY, Delayed, Doubled, Fault, LostAck, Reset, Through

FAULTS: tuple[Fault, ...] = (Doubled(), Through(), LostAck(), Delayed(0.3), Reset(), BUSY, Doubled())
OF_THE_CLOCK = ("time", "deadline", "decided_at")
SUBSCRIPTIONS = [f"{topic.name}/{each.name}" for topic in topology().topics for each in topic.subscriptions]

type Events = dict[str, dict[str, Any]]


@pytest.fixture
async def cloud() -> AsyncIterator[Cloud]:
    async with empty_cloud() as cloud:
        yield cloud


async def events_of(api: httpx.AsyncClient) -> Events:
    """Give all events by id, without what only tells when the machine did the work, or that it was asked to."""
    log = await log_of(api)
    return {name: _timeless(event) for name, event in log.items() if event["type"] != ChangeMade.name()}


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
            return await events_of(api)

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
        made = await events_of(api)
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
        made = await events_of(api)
    assert kinds(made)["consensus.reached"] == len(TRADES)
    assert differences(made, embedded) == []


async def test_costs_in_azure_when_trades_were_decided_are_billed_with_the_ledgers_own(
    cloud: Cloud, tmp_path: Path
) -> None:
    async with running(cloud.host(tmp_path)) as api:
        await quiet(api)
        await hold(api)
        (trade,) = await ask(api, range(1, 2))
        await decided(api, [trade])
        await quiet(api)
        price = (await api.get("/api/costs", params={"trade": trade})).raise_for_status().json()
        latency = (await api.get(f"/api/trades/{trade}/latency")).raise_for_status().json()
        desk = (await api.get("/api/costs", params={"limit": 1_000})).raise_for_status().json()
    assert price["billed"]
    used = {group["key"]: group["use"] for group in price["groups"]}
    assert all(used[agent]["request_units"] > 0 for agent in ("market_analyst", "consensus", "POST /api/trades"))
    assert price["total"]["price"]["cosmos"] == pytest.approx(price["total"]["use"]["request_units"] * 0.25 / 1e6)
    votes = len(TRADE.judges)
    # The request, its deadline, and the consensus, which only the narrator wants.
    assert (price["total"]["use"]["messages_sent"], used["consensus"]["messages_received"]) == (votes + 3, votes + 1)
    assert [hop["agent"] for hop in latency["hops"] if hop["critical"]][-1] == "consensus"
    assert latency["elapsed_ms"] > 0
    # What is written once for all is nobody's in particular.
    assert {group["key"]: group["use"] for group in desk["groups"]}["desk"]["request_units"] > 0


async def test_trade_in_azure_when_telemetry_is_on_is_one_trace(cloud: Cloud, tmp_path: Path) -> None:
    with Collector() as collector:
        desk = cloud.host(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
        async with running(desk) as api:
            await quiet(api)
            await hold(api)
            api.headers["traceparent"] = CALLER
            (trade,) = await ask(api, [0])
            del api.headers["traceparent"]
            await decided(api, [trade])
            events = (await api.get("/api/events", params={"correlation": trade})).json()["events"]
        check_one_trace(collector.spans, events)

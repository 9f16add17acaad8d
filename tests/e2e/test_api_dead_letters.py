"""Dead letters over HTTP, on a desk that finds some in its file."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.bus.port import message_for
from shared.bus.topology import topology
from shared.events.trade import TradeRequested
from shared.settings import Settings
from shared.wiring import build
from tests.builders import a_trade_request
from tests.e2e.process import DeskProcess
from tests.e2e.refusal import refused

SETTINGS = {"FINAGENT_START": "2008-09-11", "FINAGENT_SPEED": "86400"}
RISK = "events/risk-manager"
REQUEST = a_trade_request()


async def give_up(folder: Path, request: TradeRequested) -> None:
    """Leave a desk's file with a request that the risk manager was given too often."""
    desk = build(Settings.from_env({"FINAGENT_DATA": str(folder), **SETTINGS}))
    await desk.bus.publish([message_for(request)])
    for _ in range(topology().max_delivery_count):
        await desk.bus.abandon(await desk.bus.receive(RISK), "RuntimeError: boom")
    await desk.close()


@pytest.fixture
def api(tmp_path: Path) -> Iterator[httpx.Client]:
    asyncio.run(give_up(tmp_path, REQUEST))
    with DeskProcess(tmp_path, **SETTINGS) as running, running.client() as client:
        yield client


def wait_for(api: httpx.Client, kind: str, source: str) -> list[dict[str, object]]:
    """Give the events of a type from a source, once there are any."""
    cursor = ""
    while True:
        page = api.get("/api/events", params={"types": kind, "after": cursor, "wait": 20}).raise_for_status().json()
        if found := [event for event in page["events"] if event["source"] == source]:
            return found
        assert page["events"], f"no {kind} came"
        cursor = page["cursor"]


def test_dead_letter_when_listed_and_redriven_is_handled_and_gone(api: httpx.Client) -> None:
    (letter,) = api.get("/api/dead-letters").raise_for_status().json()["dead_letters"]
    assert letter == {
        "id": letter["id"],
        "agent": "risk_manager",
        "message_id": f"{REQUEST.id}:0",
        "event": REQUEST.id,
        "type": "trade.requested",
        "correlation": REQUEST.correlationid,
        "delivery_count": topology().max_delivery_count,
        "reason": "RuntimeError: boom",
    }
    assert api.get("/api/health").json()["dead_letters"] == 1
    (failed,) = wait_for(api, "step.failed", "risk_manager")
    assert (failed["causationid"], failed["correlationid"]) == (REQUEST.id, REQUEST.correlationid)

    redriven = api.post(f"/api/dead-letters/{letter['id']}/redrive")
    assert (redriven.status_code, redriven.json()) == (202, {"id": letter["id"], "message_id": f"{REQUEST.id}:1"})
    (opinion,) = wait_for(api, "opinion.formed", "risk_manager")
    assert (opinion["causationid"], opinion["correlationid"]) == (REQUEST.id, REQUEST.correlationid)
    assert api.get("/api/dead-letters").json() == {"dead_letters": []}
    refused(api.post(f"/api/dead-letters/{letter['id']}/redrive"), 404)


@pytest.mark.parametrize("name", ["events:risk-manager:999999", "events:nobody:1"])
def test_dead_letter_when_there_is_none_is_not_found(api: httpx.Client, name: str) -> None:
    refused(api.post(f"/api/dead-letters/{name}/redrive"), 404)


@pytest.mark.parametrize("name", ["42", "events:risk-manager:-1", "events%2Frisk-manager:1"])
def test_dead_letter_when_its_name_is_malformed_is_refused(api: httpx.Client, name: str) -> None:
    assert api.post(f"/api/dead-letters/{name}/redrive").status_code in (404, 422)

"""Recovery on whole desks: one restored from its log on this machine, and one on Service Bus and Cosmos DB."""

import asyncio
import json
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.bus.topology import agent_of
from shared.events.catalogue import decode
from shared.events.change import ChangeMade
from shared.events.envelope import Event
from shared.replay.recover import Recovery
from shared.runtime import Received
from shared.settings import Settings
from shared.store.port import ALL
from shared.wiring import Desk, build
from tests.builders import CLOSE, DAY, a_bar, a_portfolio, a_trade_request, market_data
from tests.e2e.cloud import SETTINGS, Cloud, empty_cloud
from tests.e2e.process import DeskProcess, finagent, read_log
from tests.standins.cosmos.server import KEY
from tests.standins.desk import received
from tests.standins.openai.faults import Refuse
from tests.standins.openai.model import explains
from tests.standins.openai.server import KEY as MODEL_KEY
from tests.standins.openai.server import OpenAIStandIn

PATIENCE_SECONDS = 300
BARS = 55


def a_backup(bars: int = BARS) -> list[Event]:
    """Give a log that ends with a trade that nobody had time to answer."""
    closes = [
        market_data(a_bar("AAPL", close=100.0 + day + day % 3, closed_at=CLOSE + day * DAY)) for day in range(bars)
    ]
    return [a_portfolio(), *closes, a_trade_request("AAPL", portfolio="main", time=closes[-1].time)]


def test_backup_when_imported_and_recovered_gets_its_open_trade_decided(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_bytes(b"".join(event.json_bytes + b"\n" for event in a_backup()))
    assert finagent(tmp_path, "import", str(file)).returncode == 0
    command = ("replay", "recover", "--json", "--since")
    ran = finagent(tmp_path, *command, "2008-01-01")
    assert ran.returncode == 0, ran.stderr
    done = json.loads(ran.stdout)
    assert (done["events"], done["sent"]["market_analyst"]) == (len(a_backup()), BARS + 1)
    # The round closed when all had voted; its trigger and deadline wait for their time.
    assert done["left"] == {"consensus": 1}
    log = _stored(tmp_path)
    (decided,) = [event for event in map(json.loads, log) if event["type"] == "consensus.reached"]
    assert decided["data"]["closed_by"] == "quorum"
    again = json.loads(finagent(tmp_path, *command, "2008-01-01").stdout)
    assert again["sent"].keys() <= {"consensus"}
    assert _stored(tmp_path) == log


def _stored(folder: Path) -> list[bytes]:
    return [row[0] for row in read_log(folder / "recorded.sqlite", "SELECT body FROM events ORDER BY position")]


def test_desk_when_its_host_runs_is_asked_and_doubles_nothing(tmp_path: Path) -> None:
    with DeskProcess(tmp_path, **SETTINGS) as host, host.client() as client:
        asked = client.post("/api/trades", json={"symbol": "IBM", "side": "buy", "quantity": 1}).json()["id"]
        command = ("replay", "recover", "--port", host.about["url"].rpartition(":")[2], "--json", "--since")
        _until_decided(client, asked)
        log = _ids(client)
        with closing(sqlite3.connect(tmp_path / "recorded.sqlite", timeout=PATIENCE_SECONDS)) as file, file:
            lost = file.execute("DELETE FROM receipts WHERE agent = 'risk_manager' AND event_id = ?", (asked,)).rowcount
        assert lost == 1
        done = json.loads(finagent(tmp_path, *command, "2008-09-11").stdout)
        assert done["sent"] == {"risk_manager": 1}
        _until_handled(client)
        assert _ids(client) == log
        complaints = {"2020-01-01T00:00:00Z": "has not come", "0001-01-01T00:00:00Z": "years", "yesterday": "a date"}
        for wrong, complaint in complaints.items():
            refused = client.post("/api/recoveries", params={"since": wrong})
            assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "since")
            assert complaint in refused.text
        assert host.stop() == 0


def test_desk_when_recovered_amid_trades_decides_each_once_and_asks_its_model_once(tmp_path: Path) -> None:
    gate = threading.Event()

    def waits(request: dict[str, Any]) -> str | dict[str, Any] | Refuse:
        """Explain a consensus, and not before recoveries have come."""
        assert gate.wait(PATIENCE_SECONDS)
        return explains(request)

    with OpenAIStandIn(waits) as openai:
        model = {"OPENAI_API_KEY": MODEL_KEY, "OPENAI_BASE_URL": openai.url}
        with DeskProcess(tmp_path, **SETTINGS, **model) as host, host.client() as client:
            trades = [_asked(client, quantity) for quantity in range(1, 6) if _recovered(client) is not None]
            for trade in trades:
                _until_decided(client, trade)
            assert _recovered(client) == {"narrator": len(trades)}
            gate.set()
            _until_handled(client)
            log = _ids(client)
            assert _recovered(client) == {}
            assert client.get("/api/dead-letters").json()["dead_letters"] == []
            assert _ids(client) == log
            assert host.stop() == 0
        questions = [json.dumps(request["messages"]) for request in openai.seen]
    assert len(questions) == len(set(questions)) == len(trades)
    kinds = Counter(json.loads(body)["type"] for body in _stored(tmp_path))
    wanted = {"consensus.reached": 1, "explanation.written": 1, "opinion.formed": 4, "step.failed": 0}
    assert {kind: kinds[kind] for kind in wanted} == {kind: each * len(trades) for kind, each in wanted.items()}


def _asked(client: httpx.Client, quantity: int) -> str:
    asked = client.post("/api/trades", json={"symbol": "IBM", "side": "buy", "quantity": quantity})
    return str(asked.raise_for_status().json()["id"])


def _recovered(client: httpx.Client) -> dict[str, int]:
    done = client.post("/api/recoveries", params={"since": "2008-09-11T00:00:00Z"}).raise_for_status().json()
    found: dict[str, int] = done["sent"]
    return found


def _until_decided(client: httpx.Client, trade: str) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while client.get(f"/api/trades/{trade}").json()["state"] != "decided":
        assert time.monotonic() < ends
        time.sleep(0.1)


def _until_handled(client: httpx.Client) -> None:
    ends = time.monotonic() + PATIENCE_SECONDS
    while _recovered(client):
        assert time.monotonic() < ends
        time.sleep(0.1)


def _ids(client: httpx.Client) -> list[str]:
    found, cursor = list[str](), ""
    while (page := client.get("/api/events", params={"after": cursor, "limit": 500}).json())["events"]:
        # That somebody asked for a recovery is told, too, but nothing that comes of it.
        ids = [event["id"] for event in page["events"] if event["type"] != ChangeMade.name()]
        found, cursor = found + ids, page["cursor"]
    return found


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Give a desk on a namespace and an account, without the functions."""
    async with empty_cloud() as cloud:
        desk = build(_settings(cloud, tmp_path))
        yield desk
        await desk.close()


def _settings(cloud: Cloud, folder: Path) -> Settings:
    services = {
        "SERVICEBUS": cloud.bus.connection_string,
        "SERVICEBUS_ADMINISTRATION_URL": cloud.bus.administration_url,
        "COSMOS_ENDPOINT": cloud.cosmos.url,
        "COSMOS_KEY": KEY,
        "FINAGENT_DATA": str(folder),
    }
    return Settings.from_env(SETTINGS | services | {"FINAGENT_DEADLINE_SECONDS": "0.01"})


async def _work(desk: Desk) -> None:
    """Handle messages as the functions would, until the trade is decided."""
    names = [f"{topic.name}/{each.name}" for topic in desk.queries.topology.topics for each in topic.subscriptions]
    working = [asyncio.create_task(_pump(desk, name)) for name in names]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while "consensus.reached" not in {event.type for event in await _log(desk)}:  # noqa: ASYNC110 - over the wire
            await asyncio.sleep(0.2)
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)


async def _pump(desk: Desk, subscription: str) -> None:
    while True:
        delivery = await desk.bus.receive(subscription)
        message: Received = received(delivery.message, delivery.delivery_count)
        if (agent := agent_of(subscription)) == "projector":
            await desk.runtime.fold(message, agent, desk.projector.project)
        else:
            await desk.runtime.handle(message, agent)
        await desk.bus.complete(delivery)


async def _log(desk: Desk) -> list[Event]:
    return [decode(body) for body in (await desk.store.page(ALL, "", 500)).events]


async def test_desk_in_azure_when_recovered_decides_what_was_lost_and_doubles_nothing(desk: Desk) -> None:
    await desk.store.append(a_backup(bars=3))
    recovery = Recovery(desk.sweep, desk.projector)
    first = await recovery.recover(CLOSE - timedelta(days=1))
    await recovery.recover(CLOSE)  # before anybody handled a thing
    assert first.sent == {"consensus": 1, "market_analyst": 4, "oracle": 4, "risk_manager": 2, "sentiment_tracker": 1}
    await _work(desk)
    ids = [event.id for event in await _log(desk)]
    assert len(set(ids)) == len(ids)
    opinions = [event.source for event in await _log(desk) if event.type == "opinion.formed"]
    assert len(opinions) == len(set(opinions))


def test_desk_when_there_is_none_is_missed_and_not_made(tmp_path: Path) -> None:
    ran = finagent(tmp_path, "replay", "recover", "--since", "2008-01-01")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"finagent: there is no desk in {tmp_path}: FINAGENT_DATA names its folder\n"
    assert list(tmp_path.iterdir()) == []

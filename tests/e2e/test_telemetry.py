"""One trade is one trace over HTTP, through a real host, to a collector."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.process import ROOT, DeskProcess, environment
from tests.standins.collector import Collector, Seen

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE, CALLERS_SPAN = CALLER.split("-")[1:3]
SETTINGS = {"FINAGENT_START": "2008-09-12", "FINAGENT_SPEED": "3600", "FINAGENT_LOOKBACK_DAYS": "5"}
TRADE = {"symbol": "AAPL", "side": "buy", "quantity": 10}
PATIENCE_SECONDS = 300
SERVER = 2


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as listening:
        yield listening


def decided(client: httpx.Client, headers: dict[str, str]) -> list[dict[str, Any]]:
    """Ask for a trade, wait for its consensus, and give its events."""
    trade = client.post("/api/trades?", json=TRADE, headers=headers).raise_for_status().json()["id"]
    ends = time.monotonic() + PATIENCE_SECONDS
    while client.get(f"/api/trades/{trade}").json()["state"] != "decided":
        assert time.monotonic() < ends
        time.sleep(0.1)
    events: list[dict[str, Any]] = client.get("/api/events", params={"correlation": trade}).json()["events"]
    return events


def check_one_trace(spans: list[Seen], events: list[dict[str, Any]]) -> None:
    """See that the spans of a trade hang together, and its events by them."""
    ours = {span.id: span for span in spans if span.trace == TRACE}
    (request,) = (span for span in ours.values() if span.kind == SERVER)
    assert (request.name, request.parent) == ("POST /api/trades", CALLERS_SPAN)
    assert request.attributes["http.response.status_code"] == 202
    assert {span.parent for span in ours.values()} <= ours.keys() | {CALLERS_SPAN}
    agents = ("consensus", "market_analyst", "risk_manager", "sentiment_tracker")
    assert {span.name for span in ours.values()} >= {f"process events/{agent}" for agent in agents}
    assert {"trade.requested", "opinion.formed", "consensus.reached"} <= {event["type"] for event in events}
    for event in events:
        _, trace, maker, _ = event["traceparent"].split("-")
        assert trace == TRACE
        assert maker in ours
    of_other_trades = {
        s.trace for s in spans if s.attributes.get("messaging.message.conversation_id") == events[0]["id"]
    }
    assert of_other_trades == {TRACE}


def test_trade_when_a_caller_has_a_trace_is_part_of_it(collector: Collector, tmp_path: Path) -> None:
    settings = SETTINGS | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    with DeskProcess(tmp_path, **settings) as desk, desk.client() as client:
        events = decided(client, {"traceparent": CALLER})
        client.get("/api/events?limit=1&types=news.received")
        client.get("/api/nothing/like-this")
        assert desk.stop() == 0
    check_one_trace(collector.spans, events)
    names = {span.name for span in collector.spans}
    assert {"ingest market", "sweep", "GET /api/events", "GET unmatched", "GET /api/trades/{trade_id}"} <= names
    assert not any("like-this" in str(span) or "news.received" in span.name for span in collector.spans)
    assert collector.metrics >= {"http.server.request.duration", "finagent.backlog.age", "finagent.data.age"}


def test_trade_when_no_trace_is_known_begins_one(collector: Collector, tmp_path: Path) -> None:
    settings = SETTINGS | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    with DeskProcess(tmp_path, **settings) as desk, desk.client() as client:
        events = decided(client, {"traceparent": "nonsense"})
        assert desk.stop() == 0
    assert len({event["traceparent"].split("-")[1] for event in events}) == 1


def test_desk_when_the_collector_stalls_decides_and_stops_all_the_same(collector: Collector, tmp_path: Path) -> None:
    collector.open.clear()
    settings = SETTINGS | {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "20"}
    with DeskProcess(tmp_path, **settings) as desk, desk.client() as client:
        decided(client, {})
        assert collector.asked.wait(PATIENCE_SECONDS)
        decided(client, {})
        assert desk.stop() == 0
    assert collector.received == []


def test_desk_when_it_logs_json_says_what_each_line_is_about(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local.cli", "run", "--port", "0", "--json"]
    settings = SETTINGS | {"FINAGENT_LOG": "json", "OTEL_TRACES_EXPORTER": "console"}
    with subprocess.Popen(
        command,
        env=environment(tmp_path, **settings),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        about = json.loads(process.stdout.readline())
        with httpx.Client(base_url=about["url"], timeout=30, trust_env=False) as client:
            decided(client, {"traceparent": CALLER})
        process.terminate()
        _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    lines = [json.loads(line) for line in errors.splitlines()]
    assert any(line.get("message") == "draining" for line in lines)
    printed = [line for line in lines if "context" in line]
    assert any(line["context"]["trace_id"] == f"0x{TRACE}" for line in printed)

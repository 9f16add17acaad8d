"""The way out: over HTTP to a collector; off without an import; and nobody waits for who does not listen."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.bus.topology import topology
from shared.errors import InvalidError
from shared.settings import Settings
from shared.telemetry import open_telemetry as adapter
from shared.wiring import build
from tests.builders import a_trade_request
from tests.e2e.process import ROOT, environment
from tests.standins.collector import Collector
from tests.standins.desk import an_agent_desk

LONGEST_RETRY_SECONDS = 60
TO_MICROSOFT = (
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
)

ON = """
import asyncio
from shared.bus.port import message_for
from shared.settings import Settings
from shared.wiring import build
from tests.builders import a_trade_request
from tests.standins.desk import received
async def run():
    desk = build(Settings.from_env())
    await desk.runtime.emit([a_trade_request()])
    await desk.runtime.handle(received(message_for(a_trade_request())), "risk_manager")
    await desk.close()
asyncio.run(run())
"""

OFF = """
import asyncio, json, sys
from shared.settings import Settings
from shared.wiring import build
from tests.builders import a_trade_request
async def run():
    desk = build(Settings.from_env())
    await desk.runtime.emit([a_trade_request()])
    body = await desk.store.get(a_trade_request().id)
    await desk.close()
    return body.decode()
body = asyncio.run(run())
print(json.dumps([sorted(name for name in sys.modules if name.startswith("opentelemetry")), body]))
"""


@pytest.fixture(autouse=True)
def _standard_variables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hurry, and leave no thread to the next test: one that tries again draws from its random numbers."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "20")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(LONGEST_RETRY_SECONDS)
        assert not thread.is_alive(), thread.name


async def a_trade_under(telemetry: adapter.OpenTelemetry) -> set[str]:
    """Give the types of what a trade led to."""
    desk = an_agent_desk(topology(), telemetry=telemetry)
    await desk.runtime.emit([a_trade_request()])
    await desk.run()
    return {event.type for event in await desk.log()}


def test_telemetry_when_it_is_off_is_not_even_imported(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OFF], env=environment(tmp_path), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    imported, body = json.loads(done.stdout)
    assert imported == []
    assert json.loads(body) == json.loads(a_trade_request().json_bytes)


async def test_spans_and_numbers_when_a_collector_listens_arrive_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        telemetry = adapter.open_telemetry("otlp", None)
        assert "consensus.reached" in await a_trade_under(telemetry)
        await telemetry.close()
        spans = collector.spans
        assert {"process events/risk_manager", "process events/consensus", "settle"} <= {span.name for span in spans}
        vote = next(span for span in spans if span.attributes.get("finagent.agent") == "risk_manager")
        assert vote.attributes["messaging.destination.name"] == "events"
        assert vote.attributes["finagent.outcome"] == "handled"
        assert collector.metrics >= {"finagent.handled", "finagent.opinions", "messaging.process.duration"}


def test_spans_and_numbers_when_there_is_application_insights_arrive_there(tmp_path: Path) -> None:
    with Collector() as insights:
        key = "InstrumentationKey=00000000-0000-0000-0000-000000000001"
        connection = f"{key};IngestionEndpoint={insights.url};LiveEndpoint={insights.url}"
        # Microsoft's exporter leaves threads behind, and asks and tells Microsoft things.
        settings = dict.fromkeys(TO_MICROSOFT, "true") | {"APPLICATIONINSIGHTS_CONNECTION_STRING": connection}
        done = subprocess.run(
            [sys.executable, "-c", ON],
            env=environment(tmp_path, **settings),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        data = [item["data"]["baseData"] for items in insights.received for item in items]
    assert {"process events/risk_manager", "settle"} <= {item.get("name") for item in data}
    told = {metric["name"] for item in data for metric in item.get("metrics", ())}
    assert {"finagent.handled", "finagent.opinions"} <= told


@pytest.mark.parametrize("trouble", ["stalled", "refused", "failing"])
async def test_handlers_when_the_collector_is_away_do_their_work(monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    monkeypatch.setattr(adapter, "CLOSING_SECONDS", 0.2)
    with Collector(status=503 if trouble == "failing" else 200) as collector:
        url = "http://127.0.0.1:9" if trouble == "refused" else collector.url
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        if trouble == "stalled":
            collector.open.clear()
        telemetry = adapter.open_telemetry("otlp", None)
        assert "consensus.reached" in await a_trade_under(telemetry)
        await telemetry.close()
        assert collector.received == []
        assert not collector.open.is_set() or trouble != "stalled"


def test_desk_when_the_exporter_is_not_installed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.metric_exporter", None)
    settings = Settings.from_env(
        {"FINAGENT_DATA": str(tmp_path), "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
    )
    with pytest.raises(InvalidError, match="telemetry to otlp needs a package that is not installed"):
        build(settings)

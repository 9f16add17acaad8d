"""The desk itself: bars as they were known, agents, topology, schemas, and a health that tells the truth."""

import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from shared.sqlite import to_microseconds
from tests.e2e.process import ROOT, DeskProcess
from tests.e2e.refusal import refused


def test_bars_when_they_are_read_as_of_then_have_nothing_later(api: httpx.Client) -> None:
    now = api.get("/api/bars/AAPL").json()["bars"]
    for moment in ("2008-06-02T19:59:59Z", "2008-06-02T20:00:00Z", "2008-09-01T00:00:00Z"):
        then = api.get(f"/api/bars/AAPL?as_of={moment}").json()
        assert then["as_of"] == moment
        assert then["bars"] == [bar for bar in now if bar["closed_at"] <= moment]
    assert now[-1]["closed_at"] > "2008-09-01"


def test_bars_when_a_range_is_given_leave_out_its_start_and_keep_its_end(api: httpx.Client) -> None:
    closes = [bar["closed_at"] for bar in api.get("/api/bars/IBM").json()["bars"]]
    start, *between, end = closes[10:20]
    found = api.get("/api/bars/IBM", params={"from": start, "to": end}).json()["bars"]
    assert [bar["closed_at"] for bar in found] == [*between, end]
    assert api.get("/api/bars/IBM", params={"from": end, "to": end}).json()["bars"] == []


def test_bars_when_a_zone_is_given_are_the_same(api: httpx.Client) -> None:
    utc = api.get("/api/bars/GOOG", params={"to": "2008-06-02T20:00:00Z"}).json()["bars"]
    assert utc == api.get("/api/bars/GOOG", params={"to": "2008-06-02T16:00:00-04:00"}).json()["bars"]
    assert utc[-1]["closed_at"] == "2008-06-02T20:00:00Z"


def test_bars_when_more_than_a_page_is_newer_are_still_those_of_the_range(tmp_path: Path) -> None:
    first = datetime(1990, 1, 2, tzinfo=UTC)
    moments = [first + hours * timedelta(hours=1) for hours in range(5_010)]
    with DeskProcess(tmp_path) as desk, desk.client() as client:
        _insert_bars(desk.file, "MSFT", moments)
        found = client.get("/api/bars/MSFT", params={"to": f"{moments[4]:%Y-%m-%dT%H:%M:%SZ}"}).json()["bars"]
    assert [bar["closed_at"] for bar in found] == [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in moments[:5]]


def test_agents_when_they_are_listed_say_what_they_do(api: httpx.Client) -> None:
    agents = {agent["name"]: agent for agent in api.get("/api/agents").json()["agents"]}
    assert agents["market_analyst"]["reacts_to"] == ["market.data.received", "trade.requested"]
    assert agents["risk_manager"]["votes_in"] == ["trade"]
    assert "AAPL" in agents["market_analyst"]["views_on"]
    assert agents["consensus"]["votes_in"] == []


def test_view_when_an_agent_has_one_is_the_event_as_of_then(api: httpx.Client) -> None:
    now = api.get("/api/agents/market_analyst/views/AAPL").json()
    then = api.get("/api/agents/market_analyst/views/AAPL?as_of=2008-06-01T00:00:00Z").json()
    assert now["type"] == then["type"] == "analysis.completed"
    assert then["time"] <= "2008-06-01T00:00:00Z" < now["time"]
    assert api.get(f"/api/events/{then['id']}").json() == then


def test_topology_when_it_is_read_is_the_file(api: httpx.Client) -> None:
    file = json.loads((ROOT / "infra" / "topology.json").read_text("utf-8"))
    for topic in file["topics"]:  # the narrator listens where there is a language model
        topic["subscriptions"] = [each for each in topic["subscriptions"] if each["name"] != "narrator"]
    assert api.get("/api/topology").json() == file


def test_schemas_when_they_are_read_are_one_per_type(api: httpx.Client) -> None:
    schemas = api.get("/api/schemas").json()["schemas"]
    kinds = {event["type"] for event in api.get("/api/events?limit=500").json()["events"]}
    assert kinds <= schemas.keys()
    for kind, schema in schemas.items():
        assert api.get(f"/api/schemas/{kind}").json() == schema
        assert schema["properties"]["type"]["const"] == kind


def test_health_when_all_answers_is_ready(api: httpx.Client) -> None:
    response = api.get("/api/health")
    health = response.json()
    assert response.status_code == 200
    assert (health["status"], health["problems"]) == ("ready", [])
    assert health["feed"] == "recorded"
    assert health["pace"] == 86_400
    assert health["desk_time"] > "2008-09-11"
    assert health["dead_letters"] == 0
    assert {"market", "news", "positions", "sweep"} == health["ticks"].keys()
    assert "events/consensus" in health["backlog"]


def test_health_when_the_store_is_broken_is_unavailable_until_it_is_mended(tmp_path: Path) -> None:
    with DeskProcess(tmp_path) as desk, desk.client() as client:
        assert client.get("/api/health").status_code == 200
        _rename(desk.file, "events", "broken")
        response = _health_once_it_is(client, 503)
        assert response.json()["status"] == "unavailable"
        assert [problem.split(":")[0] for problem in response.json()["problems"]] == ["store"]
        trade = client.post("/api/trades", json={"symbol": "AAPL", "side": "buy", "quantity": 1})
        refused(trade, 503)
        assert int(trade.headers["retry-after"]) > 0
        _rename(desk.file, "broken", "events")
        assert client.get("/api/health").status_code == 200
        again = client.post("/api/trades", json={"symbol": "AAPL", "side": "buy", "quantity": 1})
        assert again.status_code == 202


def test_health_when_many_ask_is_looked_into_once_a_second(tmp_path: Path) -> None:
    with DeskProcess(tmp_path) as desk, desk.client() as client:
        before, asked = _checks(desk.file), time.monotonic()
        for _ in range(200):
            assert client.get("/api/health").json()["status"] == "ready"
        assert 0 < _checks(desk.file) - before <= 1 + time.monotonic() - asked


def _checks(file: Path) -> int:
    with closing(sqlite3.connect(file, timeout=10)) as other:
        return int(other.execute("SELECT checks FROM log").fetchone()[0])


def _health_once_it_is(client: httpx.Client, status: int) -> httpx.Response:
    ends = time.monotonic() + 10
    while (response := client.get("/api/health")).status_code != status and time.monotonic() < ends:
        time.sleep(0.05)
    assert response.status_code == status
    return response


def _insert_bars(file: Path, symbol: str, moments: list[datetime]) -> None:
    rows = [(symbol, to_microseconds(moment), to_microseconds(moment)) for moment in moments]
    with closing(sqlite3.connect(file, timeout=10)) as other, other:
        other.executemany("INSERT INTO projections VALUES ('bar:1Day', ?, ?, ?, CAST('[1,1,1,1,1]' AS BLOB))", rows)


def _rename(file: Path, table: str, name: str) -> None:
    # Its writers hold the file now and then.
    with closing(sqlite3.connect(file, timeout=10, isolation_level=None)) as other:
        other.execute(f"ALTER TABLE {table} RENAME TO {name}")
    time.sleep(0.05)

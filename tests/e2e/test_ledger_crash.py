"""A killed host loses what its ledger had not written yet, some seconds of it, and no event."""

import time
from pathlib import Path

import httpx

from shared.agents import step
from shared.agents.registry import TRADE
from tests.e2e.process import DeskProcess, read_log

SETTINGS = {"FINAGENT_START": "2008-09-12", "FINAGENT_SPEED": "1", "FINAGENT_LOOKBACK_DAYS": "30"}
PATIENCE_SECONDS = 300
CONSENSUS = "SELECT count(*) FROM events WHERE correlation = ? AND type = 'consensus.reached'"
EXECUTIONS = "SELECT sum(executions) FROM ledger WHERE correlation = ?"


def decided(api: httpx.Client) -> str:
    """Ask for a trade, and give its id once it is decided."""
    trade = str(api.post("/api/trades", json={"symbol": "IBM", "side": "buy", "quantity": 1}).json()["id"])
    ends = time.monotonic() + PATIENCE_SECONDS
    while api.get(f"/api/trades/{trade}").json()["state"] != "decided":
        assert time.monotonic() < ends
        time.sleep(0.05)
    return trade


def test_ledger_when_the_host_is_killed_has_all_that_was_written_and_the_log_all(tmp_path: Path) -> None:
    desk = DeskProcess(tmp_path, **SETTINGS)
    with desk, desk.client() as api:
        first = decided(api)
        costs = api.get("/api/costs", params={"trade": first}).json()
        executions = costs["total"]["use"]["executions"]
        second = decided(api)
        desk.kill()
    assert executions > 0
    assert read_log(desk.file, EXECUTIONS, (first,))[0][0] >= executions
    assert [read_log(desk.file, CONSENSUS, (trade,)) for trade in (first, second)] == [[(1,)], [(1,)]]


def test_ledger_when_the_host_stops_in_good_order_has_everything(tmp_path: Path) -> None:
    with DeskProcess(tmp_path, **SETTINGS) as desk, desk.client() as api:
        trade = decided(api)
        assert desk.stop() == 0
    handled = "SELECT DISTINCT agent FROM ledger WHERE correlation = ? AND received > 0"
    busy = {agent for (agent,) in read_log(desk.file, handled, (trade,))}
    assert busy - {"projector"} == {step.CONSENSUS, *TRADE.judges}  # which may be told of the consensus later
    ticks = "SELECT count(*) FROM ledger WHERE correlation = '' AND agent = 'ingest_market'"
    assert read_log(desk.file, ticks)[0][0] > 0

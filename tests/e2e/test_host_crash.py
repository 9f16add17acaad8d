"""A host that is killed loses nothing and doubles nothing."""

from pathlib import Path
from random import Random

import httpx

from shared.agents.registry import TRADE
from tests.e2e.process import DeskProcess, read_log

TRADES = 60
KILLS = 4


def test_trades_in_flight_when_the_host_is_killed_each_reach_exactly_one_consensus(tmp_path: Path) -> None:
    seed = 20081015
    random = Random(seed)
    kill_after = sorted(random.sample(range(5, TRADES), KILLS))
    with DeskProcess(tmp_path, FINAGENT_SPEED="20000", FINAGENT_START="2008-10-15") as desk:
        accepted = {}
        for number in range(TRADES):
            if number in kill_after:
                desk.kill()
                desk.start()
            accepted[number] = _ask(desk, number)
        for number in kill_after:
            assert _ask(desk, number) == accepted[number], "a repeated request is the same trade"
        decided = {_decision(desk, trade) for trade in accepted.values()}
        assert decided <= {"approved", "rejected", "no_quorum"}, f"seed {seed}"
        assert desk.stop() == 0
    _check_log(desk.file, set(accepted.values()))


def test_market_data_when_the_host_is_killed_has_every_day_once(tmp_path: Path) -> None:
    desk = DeskProcess(tmp_path, FINAGENT_SPEED="1000000", FINAGENT_START="2008-09-02", FINAGENT_LOOKBACK_DAYS="40")
    for _ in range(3):
        with desk:
            _wait_for(desk, lambda bodies: len(bodies) >= 45, "market.data.received")
            desk.kill()
    with desk:
        _wait_for(desk, lambda bodies: bodies[-1]["time"] > "2008-12-01", "market.data.received")
        desk.stop()
    days = [day for (day,) in read_log(desk.file, _DAYS)]
    # New York's sessions between the first and the last day: weekdays less Labor Day and Thanksgiving.
    assert len(days) == len(set(days))
    assert [day for day in days if "2008-09-01" <= day <= "2008-09-12"] == [
        f"2008-09-{day:02}" for day in (2, 3, 4, 5, 8, 9, 10, 11, 12)
    ]
    assert "2008-11-26" in days
    assert "2008-11-27" not in days
    assert "2008-11-28" in days


_DAYS = (
    "SELECT substr(json_extract(body, '$.data.bars[0].closed_at'), 1, 10) FROM events"
    " WHERE type = 'market.data.received' ORDER BY 1"
)


def _ask(desk: DeskProcess, number: int) -> str:
    body = {"symbol": ("AAPL", "IBM", "MSFT")[number % 3], "side": "buy", "quantity": number + 1}
    with desk.client() as client:
        answer = client.post("/api/trades", json=body, headers={"Idempotency-Key": f"trade-{number}"})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def _decision(desk: DeskProcess, trade: str) -> str:
    with desk.client() as client:
        cursor = ""
        while (view := client.get(f"/api/trades/{trade}").json())["state"] == "open":
            page = client.get("/api/events", params={"after": cursor, "correlation": trade, "wait": 20}).json()
            cursor = page["cursor"]
        return str(view["consensus"]["decision"])


def _wait_for(desk: DeskProcess, done: "object", kind: str) -> None:
    bodies: list[dict[str, object]] = []
    cursor = ""
    assert callable(done)
    with desk.client() as client:
        while not (bodies and done(bodies)):
            page = client.get("/api/events", params={"after": cursor, "types": kind, "wait": 10}).json()
            bodies, cursor = bodies + page["events"], page["cursor"]


def _check_log(file: Path, trades: set[str]) -> None:
    consensus = read_log(file, "SELECT stream, count(*) FROM events WHERE type = 'consensus.reached' GROUP BY 1")
    assert dict(consensus) == {f"trade-{trade}": 1 for trade in trades}
    votes = read_log(file, "SELECT stream, count(*) FROM events WHERE type = 'opinion.formed' GROUP BY 1")
    assert {count for _, count in votes} == {len(TRADE.judges)}
    assert read_log(file, "SELECT count(*) FROM deliveries WHERE dead_reason IS NOT NULL") == [(0,)]
    assert read_log(file, "SELECT count(*) FROM events WHERE type = 'step.failed'") == [(0,)]


def test_http_client_when_the_host_dies_sees_a_broken_connection_and_nothing_else(tmp_path: Path) -> None:
    with DeskProcess(tmp_path) as desk, desk.client() as client:
        assert client.get("/api/health").status_code == 200
        desk.kill()
        try:
            client.get("/api/health")
        except httpx.TransportError:
            return
        raise AssertionError("a killed host answered")

"""A host that is killed loses nothing and doubles nothing."""

import asyncio
from pathlib import Path
from random import Random

import httpx

from tests.chance import seeded
from tests.e2e.audit import audit, handed_out
from tests.e2e.crowd import Crowd, while_asking
from tests.e2e.process import DeskProcess, free_port, read_log

TRADES = 500
KILLS = 20
STOPS = 4
TRADES_BETWEEN_STOPS = 40


async def test_trades_in_flight_when_the_host_is_killed_again_and_again_each_reach_one_consensus(
    tmp_path: Path,
) -> None:
    chance = seeded()
    desk, crowd = a_busy_desk(tmp_path, chance)

    async def kill() -> None:
        for accepted in sorted(chance.sample(range(1, crowd.size), KILLS // 2)):
            await crowd.reached(accepted)
            # Once in the middle of the work, and once while it comes back and takes up what was left.
            for shortest_seconds, longest_seconds in ((0.0, 0.05), (0.3, 1.5)):
                await asyncio.sleep(chance.uniform(shortest_seconds, longest_seconds))
                desk.kill()
                desk.begin()
        await asyncio.to_thread(desk.wait_until_ready)

    with desk:
        await while_asking(crowd, kill)
        await finish(desk, crowd)
    audit(desk.file, crowd.trades)


async def test_trades_in_flight_when_the_host_is_told_to_stop_are_finished_and_do_not_come_again(
    tmp_path: Path,
) -> None:
    chance = seeded()
    log = tmp_path / "log.txt"
    desk, crowd = a_busy_desk(tmp_path, chance, (STOPS + 1) * TRADES_BETWEEN_STOPS, str(log))

    async def stop() -> None:
        for accepted in sorted(chance.sample(range(1, crowd.size), STOPS)):
            await crowd.reached(accepted)
            await asyncio.sleep(chance.uniform(0, 0.05))
            assert await asyncio.to_thread(desk.stop) == 0
            # Only a machine that is too slow for the time of draining leaves something, and the host says so.
            assert handed_out(desk.file) == [] or "with invocations under way" in log.read_text()
            await asyncio.to_thread(desk.start)

    with desk:
        await while_asking(crowd, stop)
        await finish(desk, crowd)
    audit(desk.file, crowd.trades)


def a_busy_desk(folder: Path, chance: Random, trades: int = TRADES, log: str = "") -> tuple[DeskProcess, Crowd]:
    """Give a desk that has prices and news to take in meanwhile, and a crowd for it."""
    port = free_port(chance)
    settings = {"FINAGENT_SPEED": "20000", "FINAGENT_START": "2008-10-15", "FINAGENT_DEADLINE_SECONDS": "3"}
    desk = DeskProcess(folder, port=port, log=log, **settings)
    return desk, Crowd(f"http://127.0.0.1:{port}", trades)


async def finish(desk: DeskProcess, crowd: Crowd) -> None:
    """Wait until every trade is decided and its deadline has come, and stop the desk."""
    for kind in ("consensus.reached", "trade.deadline.reached"):
        await crowd.see(kind)
    assert await asyncio.to_thread(desk.stop) == 0


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


def _wait_for(desk: DeskProcess, done: "object", kind: str) -> None:
    bodies: list[dict[str, object]] = []
    cursor = ""
    assert callable(done)
    with desk.client() as client:
        while not (bodies and done(bodies)):
            page = client.get("/api/events", params={"after": cursor, "types": kind, "wait": 10}).json()
            bodies, cursor = bodies + page["events"], page["cursor"]


def test_http_client_when_the_host_dies_sees_a_broken_connection_and_nothing_else(tmp_path: Path) -> None:
    with DeskProcess(tmp_path) as desk, desk.client() as client:
        assert client.get("/api/health").status_code == 200
        desk.kill()
        try:
            client.get("/api/health")
        except httpx.TransportError:
            return
        raise AssertionError("a killed host answered")

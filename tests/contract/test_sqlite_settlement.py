"""Settlement in one SQLite transaction keeps the contract, and all of a decision happens or nothing."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.bus import sqlite as sqlite_bus
from shared.bus.port import Message, message_for
from shared.bus.queue import Entry
from shared.bus.sqlite import SqliteEventBus
from shared.clock import ManualClock
from shared.errors import TransientError
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.settlement.sqlite import SqliteSettlement
from shared.sqlite import Database
from shared.store import sqlite as sqlite_store
from shared.store.port import Commit
from shared.store.sqlite import SqliteEventStore
from tests.builders import CLOSE, a_trade_request, an_opinion
from tests.contract.event_bus_bench import take
from tests.contract.event_bus_concurrency import cancel
from tests.contract.settlement import (
    COMMIT,
    EVERYTHING,
    NOTHING,
    OPINION,
    OTHER_OPINION,
    OUTPUTS,
    TOPOLOGY,
    VOTES,
    Parts,
    SettlementContract,
    empty,
    outcome,
    redo,
)
from tests.held import held

SCHEMAS = (sqlite_store.SCHEMA, sqlite_bus.SCHEMA)
POINTS = ("after commit", "after append", "after publish")


class CrashError(Exception):
    """Something breaks here."""


class FragileStore(SqliteEventStore):
    """A store that breaks right after it has written something."""

    breaks = ""

    def commit_in(self, connection: sqlite3.Connection, commit: Commit) -> None:
        super().commit_in(connection, commit)
        _break_if(self.breaks == "after commit")

    def append_in(self, connection: sqlite3.Connection, events: Sequence[Event]) -> list[Event]:
        fresh = super().append_in(connection, events)
        _break_if(self.breaks == "after append")
        return fresh


class FragileBus(SqliteEventBus):
    """A bus that breaks right after it has written its messages."""

    breaks = ""

    def publish_in(self, connection: sqlite3.Connection, messages: Sequence[Message]) -> list[tuple[str, Entry]]:
        routed = super().publish_in(connection, messages)
        _break_if(self.breaks == "after publish")
        return routed


@asynccontextmanager
async def opened(folder: Path, breaks: str = "") -> AsyncIterator[tuple[Parts, Database]]:
    """Open a desk in a folder whose store or bus breaks where it is told to."""
    database = Database(folder / "desk.db", SCHEMAS)
    clock = ManualClock(CLOSE)
    store, bus = FragileStore(database), FragileBus(database, TOPOLOGY, clock)
    store.breaks = bus.breaks = breaks
    try:
        yield Parts(store, bus, SqliteSettlement(database, store, bus), clock), database
    finally:
        database.close()


class TestSqliteSettlement(SettlementContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Parts]:
        async with opened(self.folder) as (parts, _):
            yield parts


@pytest.mark.parametrize("point", POINTS)
async def test_decision_when_anything_breaks_has_left_nothing(tmp_path: Path, point: str) -> None:
    async with opened(tmp_path, point) as (parts, _):
        with pytest.raises(CrashError):
            await redo(parts)
        assert await outcome(parts) == NOTHING
    async with opened(tmp_path) as (parts, _):
        assert await redo(parts) == [OPINION, OTHER_OPINION]
        assert await outcome(parts) == EVERYTHING


async def test_decision_when_reopened_is_still_settled(tmp_path: Path) -> None:
    async with opened(tmp_path) as (parts, _):
        await parts.settlement.settle(COMMIT, OUTPUTS)
    async with opened(tmp_path) as (parts, _):
        assert await redo(parts) == []
        assert await outcome(parts) == EVERYTHING


async def test_decision_when_the_disk_is_full_has_left_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    big = [Emit(an_opinion(a_trade_request(id=f"t{number}"))) for number in range(200)]
    async with opened(tmp_path) as (parts, database):
        await database.write(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchall())
        with pytest.raises(TransientError, match="full"):
            await parts.settlement.settle(COMMIT, [*OUTPUTS, *big])
        await database.write(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchall())
        assert await parts.store.receipt(COMMIT.agent, COMMIT.stream, COMMIT.event_id) is None
        assert await redo(parts) == [OPINION, OTHER_OPINION]
        assert await outcome(parts) == EVERYTHING


async def test_decision_when_its_caller_gives_up_waiting_still_reaches_readers_and_receivers(tmp_path: Path) -> None:
    async with opened(tmp_path) as (parts, database):
        cursor = await parts.store.end()
        async with held(database):
            settling = asyncio.create_task(parts.settlement.settle(COMMIT, OUTPUTS))
            waiting = asyncio.create_task(parts.store.wait(cursor, 60))
            await asyncio.sleep(0)
            await cancel(settling)
        async with asyncio.timeout(5):
            await waiting
        assert (await take(parts.bus, VOTES)).message == message_for(OPINION)


async def test_decisions_when_the_process_is_killed_are_each_settled_or_not_begun(tmp_path: Path) -> None:
    acknowledged = _settle_until_killed(tmp_path)
    async with opened(tmp_path) as (parts, database):
        receipts = {event_id for (event_id,) in database.read("SELECT event_id FROM receipts")}
        logged = {str(correlation) for (correlation,) in database.read("SELECT correlation FROM events")}
        sent = {message.correlation_id for message in await empty(parts.bus, VOTES)}
    assert receipts == logged == sent
    assert receipts >= acknowledged
    assert len(acknowledged) == 20


def _settle_until_killed(folder: Path) -> set[str]:
    """Settle decisions in another process, kill it, and give those that it had said were settled."""
    with subprocess.Popen(
        [sys.executable, "-c", _ENDLESS, str(folder)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as process:
        assert process.stdout is not None
        settled = {process.stdout.readline().decode().strip() for _ in range(20)}
        process.kill()
    return settled


_ENDLESS = """
import asyncio, itertools, sys
from pathlib import Path
from shared.events.emit import Emit
from shared.store.port import Commit
from tests.builders import a_trade_request, an_opinion
from tests.contract.test_sqlite_settlement import opened

async def settle(parts, number):
    request = a_trade_request(id=f"t{number}")
    outputs = (Emit(an_opinion(request)),)
    await parts.settlement.settle(Commit("consensus", request.stream, request.id, b"1", None, outputs), outputs)
    print(request.id, flush=True)

async def main():
    async with opened(Path(sys.argv[1])) as (parts, _):
        for start in itertools.count(0, 5):
            await asyncio.gather(*(settle(parts, number) for number in range(start, start + 5)))

asyncio.run(main())
"""


def _break_if(broken: bool) -> None:
    if broken:
        raise CrashError

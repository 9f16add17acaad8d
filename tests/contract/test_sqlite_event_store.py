"""The event store in SQLite keeps the contract, and what it was given survives the process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from shared.errors import MissingError, TransientError
from shared.sqlite import Database
from shared.store.port import EventStore
from shared.store.sqlite import SCHEMA, SqliteEventStore
from tests.builders import CLOSE, DAY, a_portfolio, a_trade_request
from tests.contract.event_store import EventStoreContract
from tests.contract.event_store_bench import ALL, bodies, read_all
from tests.contract.event_store_commit import OPINION, a_commit

EVENTS = [a_trade_request(id=f"t{number}") for number in range(3)]


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[SqliteEventStore, Database]]:
    """Open the store in a folder, and let go of it in good order."""
    database = Database(folder / "desk.db", (SCHEMA,))
    try:
        yield SqliteEventStore(database, wall_seconds=lambda: 123.0), database
    finally:
        database.close()


class TestSqliteEventStore(EventStoreContract):
    @pytest.fixture(autouse=True)
    def _folders(self, tmp_path: Path) -> None:
        self.folders = (tmp_path / str(number) for number in count())

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[EventStore]:
        async with opened(next(self.folders)) as (store, _):
            yield store


async def test_store_when_reopened_has_everything(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        await store.append(EVENTS)
        await store.commit(a_commit())
        snapshot, page = await store.snapshot("risk-manager", "stream-1"), await store.page(ALL, "", 2)
    async with opened(tmp_path) as (store, _):
        assert await read_all(store) == bodies(EVENTS)
        assert await read_all(store, after=page.cursor) == bodies(EVENTS[2:])
        assert await store.append(EVENTS) == []
        assert await store.snapshot("risk-manager", "stream-1") == snapshot
        assert await store.receipt("risk-manager", "stream-1", "event-1") == (OPINION,)


async def test_cursor_when_the_file_was_replaced_is_missed(tmp_path: Path) -> None:
    async with opened(tmp_path / "old") as (store, _):
        await store.append(EVENTS)
        cursor = await store.end()
    (tmp_path / "old" / "desk.db").unlink()
    async with opened(tmp_path / "old") as (store, _):
        await store.append(EVENTS)
        assert await store.end() != cursor
        with pytest.raises(MissingError, match="no longer here"):
            await store.page(ALL, cursor, 10)


async def test_check_when_nothing_can_be_written_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, database):
        await database.write(lambda connection: connection.execute("PRAGMA query_only = ON").fetchall())
        with pytest.raises(TransientError, match="readonly"):
            await store.check()


async def test_recording_time_when_events_are_appended_is_beside_them_and_not_in_them(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, database):
        await store.append(EVENTS)
        assert database.read("SELECT DISTINCT recorded_at FROM events") == [(123.0,)]
        assert await read_all(store) == bodies(EVENTS)


async def test_last_time_when_events_came_out_of_order_is_the_latest_to_have_happened(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, _):
        assert store.last_time() is None
        await store.append([a_portfolio(time=CLOSE + DAY), a_portfolio(time=CLOSE)])
        assert store.last_time() == CLOSE + DAY


async def test_append_when_the_disk_is_full_stores_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    events = [a_trade_request(id=f"t{number}") for number in range(200)]
    async with opened(tmp_path) as (store, database):
        await database.write(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchall())
        with pytest.raises(TransientError, match="full"):
            await store.append(events)
        assert await read_all(store) == []
        await database.write(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchall())
        assert await store.append(events) == events
        assert await read_all(store) == bodies(events)

"""What the event bus in SQLite writes, when, and what becomes of it where the file cannot take it."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from shared.bus.sqlite import SCHEMA, SqliteEventBus
from shared.errors import TransientError
from shared.sqlite import Database
from tests.builders import a_message
from tests.contract.event_bus_bench import ANALYST, RISK, TOPOLOGY, Times, take, take_id
from tests.contract.event_bus_concurrency import cancel
from tests.contract.sqlite_bus_bench import opened, rows_left
from tests.held import held


async def test_restored_message_when_its_count_cannot_be_written_is_handed_out_all_the_same(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish([a_message()])
    async with opened(tmp_path, times) as (bus, database):
        await database.write(lambda connection: connection.execute("PRAGMA query_only = ON").fetchall())
        assert (await take(bus, ANALYST)).delivery_count == 1


async def test_restored_messages_when_one_receiver_gives_up_reach_the_other(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish([a_message()])
    async with opened(tmp_path, times) as (bus, database):
        async with held(database):
            impatient = asyncio.create_task(bus.receive(ANALYST))
            await asyncio.sleep(0)
            other = asyncio.create_task(bus.receive(RISK))
            await asyncio.sleep(0)
            await cancel(impatient)
        async with asyncio.timeout(5):
            assert (await other).delivery_count == 1


async def test_completed_message_when_the_last_subscription_is_done_leaves_the_file(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, database):
        await bus.publish([a_message()])
        await bus.complete(await take(bus, ANALYST))
        await database.write(lambda _: None)
        assert rows_left(database) == {"messages": 1, "deliveries": 1}
        await bus.complete(await take(bus, RISK))
        await database.write(lambda _: None)
        assert rows_left(database) == {"messages": 0, "deliveries": 0}


async def test_message_when_nobody_wants_it_is_not_in_the_file(tmp_path: Path) -> None:
    async with opened(tmp_path, Times()) as (bus, database):
        await bus.publish([a_message(subject="news.received")])
        assert rows_left(database) == {"messages": 0, "deliveries": 0}


async def test_publish_when_its_caller_gives_up_waiting_still_reaches_receivers(tmp_path: Path) -> None:
    async with opened(tmp_path, Times()) as (bus, database):
        async with held(database):
            publishing = asyncio.create_task(bus.publish([a_message()]))
            await asyncio.sleep(0)
            await cancel(publishing)
        assert await take_id(bus, ANALYST) == "message-1"


async def test_publish_when_the_disk_is_full_sends_nothing_and_can_be_repeated(tmp_path: Path) -> None:
    async with opened(tmp_path, Times()) as (bus, database):
        await database.write(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchall())
        with pytest.raises(TransientError, match="full"):
            await bus.publish([a_message(body=b"x" * 100_000)])
        assert (await bus.backlog())[ANALYST] == 0
        await database.write(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchall())
        await bus.publish([a_message()])
        assert await take_id(bus, ANALYST) == "message-1"


async def test_completion_when_it_cannot_be_written_brings_the_message_again_after_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, database):
        await bus.publish([a_message()])
        held = await take(bus, ANALYST)
        await database.write(lambda connection: connection.execute("PRAGMA query_only = ON").fetchall())
        await bus.complete(held)
        with pytest.raises(TransientError):
            await bus.publish([a_message("another")])
        assert "was not written" in caplog.text
        assert (await bus.backlog())[ANALYST] == 0
    async with opened(tmp_path, times) as (bus, _):
        assert (await take(bus, ANALYST)).delivery_count == 2


async def test_completions_when_the_file_was_locked_are_written_once_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.sqlite.BUSY_SECONDS", 0.02)
    async with opened(tmp_path, Times()) as (bus, database):
        await bus.publish([a_message("first"), a_message("second")])
        first, second = await take(bus, ANALYST), await take(bus, ANALYST)
        with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await bus.complete(first)
            with pytest.raises(TransientError, match="locked"):
                await database.write(lambda _: None)
            other.execute("COMMIT")
        await bus.complete(second)
        await database.write(lambda _: None)
        assert database.read("SELECT 1 FROM deliveries WHERE subscription = ?", (ANALYST,)) == []


async def test_messages_when_handled_together_are_written_off_together(tmp_path: Path) -> None:
    async with opened(tmp_path, Times()) as (bus, database):
        await bus.publish([a_message(str(number)) for number in range(20)])
        async with held(database) as hold:
            for _ in range(20):
                await bus.complete(await take(bus, ANALYST))
        await database.write(lambda _: None)
        assert database.read("SELECT 1 FROM deliveries WHERE subscription = ?", (ANALYST,)) == []
        assert hold.statements.count("COMMIT") == 2


async def test_publish_when_messages_are_wanted_and_new_charges_each_once(tmp_path: Path) -> None:
    charged: list[int] = []
    database = Database(tmp_path / "desk.db", (SCHEMA,))
    bus = SqliteEventBus(database, TOPOLOGY, Times().desk, charge=charged.append)
    await bus.publish([a_message("a", body=b"four"), a_message("a", body=b"four"), a_message("b", subject="unwanted")])
    database.close()
    assert charged == [4]

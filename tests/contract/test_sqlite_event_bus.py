"""The event bus in SQLite keeps the contract, and what it was told survives the process."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from itertools import count
from pathlib import Path

import pytest

from shared.bus.in_memory import InMemoryEventBus
from shared.bus.port import DeadLetter
from shared.bus.sqlite import SCHEMA, SqliteEventBus
from shared.bus.topology import Topology
from shared.clock import Clock
from shared.errors import TransientError
from shared.sqlite import Database
from tests.builders import CLOSE, MINUTE, a_message, a_topic, a_topology
from tests.contract.event_bus import EventBusContract
from tests.contract.event_bus_bench import (
    ANALYST,
    BARS,
    CHARTS,
    LOCK_SECONDS,
    MOST_DELIVERIES,
    RISK,
    TOPOLOGY,
    WINDOW_SECONDS,
    Bus,
    Times,
    name_of,
    take,
    take_id,
)
from tests.contract.event_bus_concurrency import cancel
from tests.contract.event_bus_keeping import Keeping
from tests.contract.event_bus_sessions import in_session
from tests.held import held


@asynccontextmanager
async def opened(
    folder: Path, times: Times, topology: Topology = TOPOLOGY
) -> AsyncIterator[tuple[SqliteEventBus, Database]]:
    """Open the bus in a folder, and let go of it in good order."""
    database = Database(folder / "desk.db", (SCHEMA,))
    try:
        yield SqliteEventBus(database, topology, times.desk, times.seconds, times.seconds), database
    finally:
        database.close()


def copy_of(database: Database) -> Path:
    """Give a folder that holds what would be left if the process were killed now."""
    image = database.path.parent / "image"
    shutil.copytree(database.path.parent, image, ignore=shutil.ignore_patterns("*.lock", "image"))
    return image


async def crash_image(database: Database) -> Path:
    """Give a folder that holds what would be left if the process were killed once its queued work is on disk."""
    await database.write(lambda _: None)
    return copy_of(database)


def rows_left(database: Database) -> dict[str, int]:
    """Give how many rows the file holds."""
    return {table: database.read(f"SELECT count(*) FROM {table}")[0][0] for table in ("messages", "deliveries")}


class TestSqliteEventBus(EventBusContract, Keeping):
    @pytest.fixture(autouse=True)
    def _folders(self, tmp_path: Path) -> None:
        self.folders = (tmp_path / str(number) for number in count())

    @asynccontextmanager
    async def opened(self, topology: Topology, clock: Clock, seconds: Callable[[], float]) -> AsyncIterator[Bus]:
        database = Database(next(self.folders) / "desk.db", (SCHEMA,))
        try:
            yield SqliteEventBus(database, topology, clock, seconds, seconds)
        finally:
            database.close()


async def test_backlog_when_reopened_is_what_was_not_completed(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish([a_message("a"), a_message("b"), *in_session("s", "c")])
        await bus.complete(await take(bus, ANALYST))
    async with opened(tmp_path, times) as (bus, _):
        assert await bus.backlog() == {ANALYST: 1, RISK: 2, BARS: 1, CHARTS: 1}
        assert [await take_id(bus, name) for name in (ANALYST, RISK, RISK, BARS)] == ["b", "a", "b", "c"]


async def test_message_when_reopened_is_as_it_was_published(tmp_path: Path) -> None:
    times = Times()
    sent = a_message(attempt=3, body=bytes(range(256)), session="s", correlation="story", deliver_at=CLOSE + MINUTE)
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish([sent])
    times.pass_desk_time(MINUTE)
    async with opened(tmp_path, times) as (bus, _):
        delivery = await take(bus, ANALYST)
        due = times.seconds() + MINUTE.total_seconds()
        assert (delivery.message, delivery.enqueued_at.timestamp()) == (sent, due)


async def test_sequence_when_reopened_goes_on_after_the_last(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish([a_message("a", subject="portfolio.changed")])
        first = await take(bus, RISK)
        await bus.complete(first)
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish([a_message("b", subject="portfolio.changed")])
        assert (await take(bus, RISK)).sequence > first.sequence


async def test_session_when_reopened_keeps_its_order(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish(in_session("s", "a", "b", "c"))
        await bus.complete(await take(bus, BARS))
        await bus.abandon(await take(bus, BARS), "busy")
    async with opened(tmp_path, times) as (bus, _):
        again = await take(bus, BARS)
        assert (name_of(again), again.delivery_count) == ("b", 2)
        await bus.complete(again)
        assert await take_id(bus, BARS) == "c"


async def test_scheduled_message_when_reopened_still_waits_for_its_time(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish([a_message("later", deliver_at=CLOSE + MINUTE), a_message("now")])
    async with opened(tmp_path, times) as (bus, _):
        assert await take_id(bus, ANALYST) == "now"
        times.pass_desk_time(MINUTE)
        assert await take_id(bus, ANALYST) == "later"


async def test_held_message_when_the_process_dies_comes_again_with_its_count(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, database):
        await bus.publish([a_message()])
        await bus.abandon(await take(bus, ANALYST), "busy")
        await take(bus, ANALYST)
        image = await crash_image(database)
    async with opened(image, times) as (bus, _):
        assert (await take(bus, ANALYST)).delivery_count == 3


async def test_message_when_taken_beside_another_and_the_process_dies_comes_again_with_its_count(
    tmp_path: Path,
) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, database):
        await bus.publish([a_message("a"), a_message("b")])
        await bus.receive_beside(await take(bus, ANALYST))
        image = await crash_image(database)
    async with opened(image, times) as (bus, _):
        assert [(await take(bus, ANALYST)).delivery_count for _ in range(2)] == [2, 2]


async def test_message_when_it_kills_every_process_at_once_is_given_up(tmp_path: Path) -> None:
    times, folder = Times(), tmp_path
    async with opened(folder, times) as (bus, _):
        await bus.publish([a_message("deadly"), a_message("good")])
    for _ in range(MOST_DELIVERIES):
        async with opened(folder, times) as (bus, database):
            assert await take_id(bus, ANALYST) == "deadly"
            folder = copy_of(database)
    async with opened(folder, times) as (bus, _):
        assert await take_id(bus, ANALYST) == "good"
        assert [letter.delivery_count for letter in await bus.dead_letters()] == [MOST_DELIVERIES]


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


@pytest.mark.parametrize("lapse_seconds", [0.0, LOCK_SECONDS + 1], ids=["abandoned", "lapsed"])
async def test_dead_letters_when_reopened_are_the_same(tmp_path: Path, lapse_seconds: float) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish([a_message("bad", deliver_at=CLOSE), a_message("good")])
        await _give_up(bus, times, lapse_seconds)
        assert await take_id(bus, ANALYST) == "good"
        letters = await bus.dead_letters()
        assert [letter.message for letter in letters] == [a_message("bad")]
    async with opened(tmp_path, times) as (bus, _):
        assert await bus.dead_letters() == letters
        assert (await bus.backlog())[ANALYST] == 1


async def test_dead_letter_when_redriven_and_completed_leaves_the_file(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, database):
        await bus.publish([a_message()])
        await _give_up(bus, times)
        await bus.complete(await take(bus, RISK))
        await bus.redrive((await bus.dead_letters())[0])
        for subscription in (ANALYST, RISK):
            await bus.complete(await take(bus, subscription))
        await database.write(lambda _: None)
        assert rows_left(database) == {"messages": 0, "deliveries": 0}
        image = await crash_image(database)
    async with opened(image, times) as (bus, _):
        assert await bus.dead_letters() == []


async def test_dead_letter_when_the_other_subscriptions_complete_is_kept(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish([a_message()])
        await _give_up(bus, times)
        await bus.complete(await take(bus, RISK))
        letters = await bus.dead_letters()
    async with opened(tmp_path, times) as (bus, database):
        assert await bus.dead_letters() == letters != []
        assert rows_left(database) == {"messages": 1, "deliveries": 1}


async def test_dead_letter_when_the_others_complete_after_a_restart_is_kept(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish([a_message()])
        await _give_up(bus, times)
    async with opened(tmp_path, times) as (bus, _):
        await bus.complete(await take(bus, RISK))
    async with opened(tmp_path, times) as (bus, _):
        assert len(await bus.dead_letters()) == 1


async def test_duplicate_when_reopened_within_the_window_is_dropped(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish([a_message()])
        await bus.complete(await take(bus, ANALYST))
    times.pass_seconds(WINDOW_SECONDS - 1)
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish([a_message()])
        assert (await bus.backlog())[ANALYST] == 0
        times.pass_seconds(2)
        await bus.publish([a_message()])
        assert (await bus.backlog())[ANALYST] == 1


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


async def test_message_when_its_subscription_was_removed_is_a_dead_letter(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish([a_message()])
    smaller = a_topology(a_topic("events", risk=["trade.requested"]))
    async with opened(tmp_path, times, smaller) as (bus, _):
        (letter,) = await bus.dead_letters()
        assert letter == DeadLetter(a_message(), ANALYST, letter.sequence, 0, "the subscription no longer exists")
        assert await bus.backlog() == {RISK: 1}
        await bus.complete(await take(bus, RISK))
    async with opened(tmp_path, times, smaller) as (bus, _):
        assert await bus.dead_letters() == [letter]


async def test_message_when_the_maximum_of_deliveries_was_lowered_below_its_count_is_given_up(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish([a_message("bad"), a_message("good")])
        await bus.abandon(await take(bus, ANALYST), "busy")
        await bus.abandon(await take(bus, ANALYST), "busy")
    stricter = a_topology(*TOPOLOGY.topics, max_delivery_count=1)
    async with opened(tmp_path, times, stricter) as (bus, _):
        assert await take_id(bus, ANALYST) == "good"
        letters = await bus.dead_letters()
        assert [letter.delivery_count for letter in letters] == [2]
    async with opened(tmp_path, times, stricter) as (bus, _):
        assert await bus.dead_letters() == letters


async def test_publish_when_it_has_returned_survives_a_kill(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, database):
        await bus.publish([a_message("a"), a_message("b", deliver_at=CLOSE + MINUTE)])
        image = copy_of(database)
    times.pass_desk_time(MINUTE)
    async with opened(image, times) as (bus, _):
        assert [await take_id(bus, ANALYST) for _ in range(2)] == ["a", "b"]


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


async def _give_up(bus: InMemoryEventBus, times: Times, lapse_seconds: float = 0.0) -> None:
    """Let the analyst's first message fail until it is given up."""
    for _ in range(MOST_DELIVERIES):
        delivery = await take(bus, ANALYST)
        if lapse_seconds:
            times.pass_seconds(lapse_seconds)
        else:
            await bus.abandon(delivery, "boom")


async def test_publish_when_messages_are_wanted_and_new_charges_each_once(tmp_path: Path) -> None:
    charged: list[int] = []
    database = Database(tmp_path / "desk.db", (SCHEMA,))
    bus = SqliteEventBus(database, TOPOLOGY, Times().desk, charge=charged.append)
    await bus.publish([a_message("a", body=b"four"), a_message("a", body=b"four"), a_message("b", subject="unwanted")])
    database.close()
    assert charged == [4]

"""The event bus in SQLite keeps the contract, and what it was told survives the process."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from shared.bus.sqlite import SCHEMA, SqliteEventBus
from shared.bus.topology import Topology
from shared.clock import Clock
from shared.sqlite import Database
from tests.builders import CLOSE, MINUTE, a_message
from tests.contract.event_bus import EventBusContract
from tests.contract.event_bus_bench import (
    ANALYST,
    BARS,
    CHARTS,
    RISK,
    WINDOW_SECONDS,
    Bus,
    Times,
    name_of,
    take,
    take_id,
)
from tests.contract.event_bus_keeping import Keeping
from tests.contract.event_bus_sessions import in_session
from tests.contract.sqlite_bus_bench import copy_of, crash_image, opened
from tests.held import held


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


async def test_completion_when_it_is_written_with_work_that_fails_is_kept(tmp_path: Path) -> None:
    def fail(_: object) -> None:
        raise ValueError("no")

    times = Times()
    async with opened(tmp_path, times) as (bus, database):
        await bus.publish([a_message("a"), a_message("b")])
        async with held(database):
            await bus.complete(await take(bus, ANALYST))
            failing = database.submit(fail)
        with pytest.raises(ValueError, match="no"):
            await failing
    async with opened(tmp_path, times) as (bus, _):
        assert await take_id(bus, ANALYST) == "b"


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


async def test_publish_when_it_has_returned_survives_a_kill(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, database):
        await bus.publish([a_message("a"), a_message("b", deliver_at=CLOSE + MINUTE)])
        image = copy_of(database)
    times.pass_desk_time(MINUTE)
    async with opened(image, times) as (bus, _):
        assert [await take_id(bus, ANALYST) for _ in range(2)] == ["a", "b"]

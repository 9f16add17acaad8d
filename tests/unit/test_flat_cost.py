"""What a desk does costs the same whatever it holds already, counted in what SQLite does and in comparisons."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from shared.bus import sqlite as sqlite_bus
from shared.bus.sqlite import SqliteEventBus
from shared.clock import ManualClock
from shared.events.portfolio import PortfolioChanged
from shared.projections import sqlite as sqlite_projections
from shared.projections.in_memory import InMemoryProjectionStore
from shared.projections.port import Row
from shared.projections.sqlite import SqliteProjectionStore
from shared.sqlite import Database
from shared.store import sqlite as sqlite_store
from shared.store.in_memory import InMemoryEventStore
from shared.store.port import Commit, Filter
from shared.store.sqlite import SqliteEventStore
from tests.builders import CLOSE, SECOND, a_message, a_portfolio, a_topic, a_topology
from tests.steps import counted

FEW, MANY = 100, 1_000
NEW = 5 * MANY
LATE = CLOSE + 2 * NEW * SECOND
STREAM, KIND = "portfolio-main", PortfolioChanged.name()


def a_row(number: int) -> Row:
    """Give a row of one key, each a second after the one before."""
    moment = CLOSE + number * SECOND
    return Row("view", "key", moment, moment, b"{}")


def a_change(number: int) -> PortfolioChanged:
    """Give a change of one portfolio, each a second after the one before."""
    return a_portfolio(time=CLOSE + number * SECOND)


def a_commit(number: int) -> Commit:
    """Give a decision in a stream of its own."""
    return Commit("agent", f"stream-{number}", f"event-{number}", b"{}", None, ())


class Desk:
    """Store and projections on one file."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = SqliteEventStore(database)
        self.projections = SqliteProjectionStore(database)

    async def fill(self, rows: int) -> None:
        """Add so much of everything."""
        await self.store.append([a_change(number) for number in range(rows)])
        await self.projections.apply([a_row(number) for number in range(rows)])
        await asyncio.gather(*(self.store.commit(a_commit(number)) for number in range(rows)))

    async def steps(self, work: Callable[["Desk"], Awaitable[object]]) -> int:
        """Give how many steps SQLite needs for something."""
        with counted(self.database) as steps:
            await work(self)
        return steps.count


WORK: dict[str, Callable[[Desk], Awaitable[object]]] = {
    "append": lambda desk: desk.store.append([a_change(NEW)]),
    "get": lambda desk: desk.store.get("no such event"),
    "latest": lambda desk: desk.store.latest(STREAM, KIND, LATE),
    "latest as of the beginning": lambda desk: desk.store.latest(STREAM, KIND, CLOSE),
    "page": lambda desk: desk.store.page(Filter(), "", 10),
    "page of a type": lambda desk: desk.store.page(Filter((KIND,)), "", 10),
    "page of a stream": lambda desk: desk.store.page(Filter(stream=STREAM), "", 10),
    "page of a type in a stream": lambda desk: desk.store.page(Filter((KIND,), STREAM), "", 10),
    "newest": lambda desk: desk.store.newest(Filter(), 10),
    "newest of types": lambda desk: desk.store.newest(Filter((KIND, "news.received")), 10),
    "newest of types in a stream": lambda desk: desk.store.newest(Filter((KIND, "news.received"), STREAM), 10),
    "handled": lambda desk: desk.store.handled(("agent",), "stream-1", "event-1"),
    "commit": lambda desk: desk.store.commit(a_commit(NEW)),
    "snapshot": lambda desk: desk.store.snapshot("agent", "stream-1"),
    "receipt": lambda desk: desk.store.receipt("agent", "stream-1", "event-1"),
    "apply": lambda desk: desk.projections.apply([a_row(NEW)]),
    "keys": lambda desk: desk.projections.keys("view"),
    "newest row": lambda desk: desk.projections.read("view", "key", LATE),
    "newest rows": lambda desk: desk.projections.read("view", "key", LATE, limit=10),
    "row as of the beginning": lambda desk: desk.projections.read("view", "key", CLOSE),
}


async def test_work_when_the_file_is_ten_times_as_full_takes_sqlite_as_many_steps(tmp_path: Path) -> None:
    found = list[dict[str, int]]()
    for rows in (FEW, MANY):
        database = Database(tmp_path / f"{rows}.sqlite", (sqlite_store.SCHEMA, sqlite_projections.SCHEMA))
        desk = Desk(database)
        await desk.fill(rows)
        found.append({name: await desk.steps(work) for name, work in WORK.items()})
        database.close()
    assert found[0] == found[1]


async def test_commits_when_stored_take_little_more_room_than_what_they_hold(tmp_path: Path) -> None:
    # Else every page that leads to one holds a few of them instead of many, and there are ever more on the way.
    database, state = Database(tmp_path / "desk.sqlite", (sqlite_store.SCHEMA,)), 1_500 * b"x"
    store = SqliteEventStore(database)
    await asyncio.gather(*(store.commit(replace(a_commit(number), state=state)) for number in range(MANY)))
    ((room,),) = database.read("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
    assert room < 1.6 * MANY * len(state)
    database.close()


@pytest.mark.parametrize("pause_seconds", [0, 100 * MANY])
async def test_publishing_when_ten_times_as_much_was_seen_takes_sqlite_as_many_steps(
    tmp_path: Path, pause_seconds: int
) -> None:
    few, many = [await steps_of_publishing(tmp_path, seen, pause_seconds) for seen in (3 * FEW, 3 * MANY)]
    assert few == many


async def steps_of_publishing(folder: Path, seen: int, pause_seconds: int) -> int:
    """Give the steps that it takes to publish a message a second for a while, after so many more and a pause."""
    database, seconds = Database(folder / f"{seen}.sqlite", (sqlite_bus.SCHEMA,)), 0

    async def publish(name: str) -> None:
        nonlocal seconds
        seconds += 1
        await bus.publish([a_message(name)])

    topology = a_topology(a_topic(risk=["trade.requested"]), duplicate_detection_seconds=seen - FEW)
    bus = SqliteEventBus(database, topology, ManualClock(CLOSE), wall_seconds=lambda: seconds)
    for number in range(seen):
        await publish(f"first-{number}")
    seconds += pause_seconds
    with counted(database) as steps:
        for number in range(FEW):
            await publish(f"then-{number}")
    database.close()
    return steps.count


class Moment(datetime):
    """A moment that counts how often it is compared."""

    compared = 0

    def __lt__(self, other: Any) -> bool:
        Moment.compared += 1
        return super().__lt__(other)

    def __ge__(self, other: Any) -> bool:
        Moment.compared += 1
        return super().__ge__(other)

    def __gt__(self, other: Any) -> bool:
        Moment.compared += 1
        return super().__gt__(other)

    def __le__(self, other: Any) -> bool:
        Moment.compared += 1
        return super().__le__(other)


@pytest.mark.parametrize("as_of", [CLOSE, LATE])
async def test_reading_when_all_is_in_memory_compares_few_moments(as_of: datetime) -> None:
    store, projections = InMemoryEventStore(), InMemoryProjectionStore()
    await store.append([a_change(number) for number in range(MANY)])
    await projections.apply([a_row(number) for number in range(MANY)])
    moment = Moment.fromtimestamp(as_of.timestamp(), as_of.tzinfo)
    Moment.compared = 0
    assert await store.latest(STREAM, KIND, moment) is not None
    assert len(await projections.read("view", "key", moment)) == 1
    assert 0 < Moment.compared < 4 * MANY.bit_length()

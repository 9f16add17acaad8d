"""Where the event bus in SQLite is put to the test: opened again, and as a kill would leave it."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from shared.bus.in_memory import InMemoryEventBus
from shared.bus.sqlite import SCHEMA, SqliteEventBus
from shared.bus.topology import Topology
from shared.sqlite import Database
from tests.contract.event_bus_bench import ANALYST, MOST_DELIVERIES, TOPOLOGY, Times, take


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


async def give_up(bus: InMemoryEventBus, times: Times, lapse_seconds: float = 0.0) -> None:
    """Let the analyst's first message fail until it is given up."""
    for _ in range(MOST_DELIVERIES):
        delivery = await take(bus, ANALYST)
        if lapse_seconds:
            times.pass_seconds(lapse_seconds)
        else:
            await bus.abandon(delivery, "boom")

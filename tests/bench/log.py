"""A log of a million events, written once by the product's own store and kept between runs."""

import asyncio
import hashlib
from collections.abc import Iterator
from datetime import timedelta
from itertools import batched, count, islice
from pathlib import Path

from shared.bus import sqlite as sqlite_bus
from shared.events.envelope import Event
from shared.projections import sqlite as sqlite_projections
from shared.sqlite import Database
from shared.store import sqlite as sqlite_store
from shared.store.sqlite import SqliteEventStore
from tests.bench.panel import OPENED_AT
from tests.builders import a_headline, a_trade_request

EVENTS = 1_000_000
_BATCH = 5_000
_SCHEMA = (sqlite_store.SCHEMA, sqlite_bus.SCHEMA, sqlite_projections.SCHEMA)
_HEADLINE = "Quarter {} closes above what analysts had expected"


def folder_of_log(parent: Path) -> Path:
    """Give the folder of a desk that has the log; it is made if it is not there for this schema and this module."""
    made_by = "".join(_SCHEMA).encode() + Path(__file__).read_bytes()
    folder = parent / f"log-{hashlib.sha256(made_by).hexdigest()[:12]}"
    if not (folder / "complete").exists():
        print(f"Writing {EVENTS:,} events into {folder.name}; that takes minutes, once.", flush=True)
        asyncio.run(_write(folder / "recorded.sqlite"))
        (folder / "complete").touch()
    return folder


async def _write(file: Path) -> None:
    for left in file.parent.glob(f"{file.stem}.*"):
        left.unlink()
    database = Database(file, _SCHEMA)
    store = SqliteEventStore(database)
    for batch in batched(islice(_events(), EVENTS), _BATCH, strict=False):
        await store.append(batch)
    database.close()


def _events() -> Iterator[Event]:
    """Give requests and headlines in turn, four a desk second."""
    for number in count():
        time = OPENED_AT + timedelta(seconds=number // 4)
        if number % 2:
            yield a_headline(_HEADLINE.format(number), time=time)
        else:
            yield a_trade_request(quantity=1 + number, portfolio="main", time=time)

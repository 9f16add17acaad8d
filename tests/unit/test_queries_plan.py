"""How SQLite finds a page of events: by an index that leads to the first of them, never by reading the log."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.sqlite import Database
from shared.store import sqlite as sqlite_store
from shared.store.port import Filter
from shared.store.sqlite import SqliteEventStore
from tests.builders import a_portfolio

TYPE, TYPES = ("trade.requested",), ("trade.requested", "portfolio.changed")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Give an open file with the store's schema."""
    opened = Database(tmp_path / "desk.sqlite", (sqlite_store.SCHEMA,))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(), "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (Filter(TYPE), "events_by_type (type=? AND position>? AND position<?)"),
        (Filter(TYPES), "events_by_type (type=? AND position>? AND position<?)"),
        (Filter(stream="s"), "events_by_stream (stream=? AND position>? AND position<?)"),
        (Filter(TYPE, "s"), "events_by_stream_and_type (stream=? AND type=? AND position>? AND position<?)"),
        (Filter(TYPES, "s"), "events_by_stream_and_type (stream=? AND type=? AND position>? AND position<?)"),
        (Filter(correlation="c"), "events_by_correlation (correlation=? AND position>? AND position<?)"),
        (Filter(TYPE, correlation="c"), "events_by_correlation (correlation=? AND position>? AND position<?)"),
    ],
)
async def test_page_when_events_are_filtered_is_found_by_an_index(
    database: Database, wanted: Filter, found: str
) -> None:
    asked: list[str] = []
    store = SqliteEventStore(database)
    database._reader.set_trace_callback(asked.append)
    await store.page(wanted, "", 50)
    database._reader.set_trace_callback(None)
    (page,) = [statement for statement in asked if "LIMIT 50" in statement]
    plan = [row[3] for row in database.read(f"EXPLAIN QUERY PLAN {page}")]
    assert plan[0].endswith(found), plan


async def test_page_when_nothing_came_does_not_ask_for_the_end_again(database: Database) -> None:
    store, asked = SqliteEventStore(database), list[str]()
    await store.append([a_portfolio(str(number)) for number in range(20)])
    database._reader.set_trace_callback(asked.append)
    for limit in range(1, 11):
        await store.page(Filter(), "", limit)
    assert len([statement for statement in asked if "max(position)" in statement]) == 1
    assert len([statement for statement in asked if "LIMIT" in statement]) == 10
    database._reader.set_trace_callback(None)

"""How SQLite finds a page of events: by an index that leads to the first of them, never by reading the log."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.sqlite import Database
from shared.store import sqlite as sqlite_store
from shared.store.port import Filter
from shared.store.sqlite import SqliteEventStore
from tests.builders import a_portfolio, altered

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


@pytest.mark.parametrize(
    ("wanted", "public", "own"),
    [
        (Filter(), "audience (audience=? AND", "audience (audience=? AND"),
        (Filter(TYPE), "type (type=? AND", "audience (audience=? AND"),
        (Filter(TYPES), "type (type=? AND", "audience (audience=? AND"),
        (Filter(stream="s"), "stream (stream=? AND", "stream (stream=? AND"),
        (Filter(TYPES, "s"), "stream_and_type (stream=? AND type=? AND", "stream_and_type (stream=? AND type=? AND"),
        (Filter(correlation="c"), "correlation (correlation=? AND", "correlation (correlation=? AND"),
    ],
)
async def test_page_when_it_is_for_a_caller_is_found_by_indexes(
    database: Database, wanted: Filter, public: str, own: str
) -> None:
    asked: list[str] = []
    store = SqliteEventStore(database, several_callers=True)
    database._reader.set_trace_callback(asked.append)
    await store.page(replace(wanted, audiences=("", "alice")), "", 50)
    database._reader.set_trace_callback(None)
    pages = [statement for statement in asked if "LIMIT 50" in statement]
    plans = [[row[3] for row in database.read(f"EXPLAIN QUERY PLAN {page}")] for page in pages]
    assert [f"events_by_{index}" in plan[0] for plan, index in zip(plans, (public, own), strict=True)] == [
        True,
        True,
    ], plans


async def test_page_when_others_have_much_reads_none_of_it(database: Database) -> None:
    store = SqliteEventStore(database, several_callers=True)
    others = [altered(a_portfolio(str(number)), id=f"b{number}", owner="bob") for number in range(2_000)]
    hers = [altered(a_portfolio(str(number)), id=f"a{number}", owner="alice") for number in range(20)]
    await store.append([*others, *hers])
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    database._reader.set_progress_handler(count, 10)
    page = await store.page(Filter(audiences=("", "alice")), "", 50)
    database._reader.set_progress_handler(None, 0)
    assert len(page.events) == 20
    assert steps < 100


def test_file_when_it_is_from_before_there_were_callers_shows_them_what_is_public(database: Database) -> None:
    database.set_up("ALTER TABLE events DROP COLUMN audience")
    for position, kind in enumerate(("news.received", "trade.requested", "market.data.received", "risk.assessed")):
        values = (kind, kind, "s", "c", "", position, 1.0, b"{}")
        database.set_up(f"INSERT INTO events VALUES (NULL, {', '.join('?' * 8)})", values)
    for _ in range(2):
        SqliteEventStore(database, several_callers=True)
        found = database.read("SELECT type, audience FROM events ORDER BY position")
        assert found == [
            ("news.received", ""),
            ("trade.requested", "-"),
            ("market.data.received", ""),
            ("risk.assessed", "-"),
        ]


async def test_page_when_nothing_came_does_not_ask_for_the_end_again(database: Database) -> None:
    store, asked = SqliteEventStore(database), list[str]()
    await store.append([a_portfolio(str(number)) for number in range(20)])
    database._reader.set_trace_callback(asked.append)
    for limit in range(1, 11):
        await store.page(Filter(), "", limit)
    assert len([statement for statement in asked if "max(position)" in statement]) == 1
    assert len([statement for statement in asked if "LIMIT" in statement]) == 10
    database._reader.set_trace_callback(None)

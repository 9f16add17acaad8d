"""The ledger in SQLite keeps the contract, survives the process, and forgets what is old."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from shared.ledger import sqlite
from shared.ledger.port import LIFE, Batch, Ledger, Span, summed
from shared.ledger.sqlite import SCHEMA, SqliteLedger
from shared.sqlite import Database
from tests.contract.ledger import ALWAYS, DAY, GROUPINGS, NOON, SECOND, LedgerContract, an_entry, many

LIFE_US = int(LIFE.total_seconds()) * SECOND


@asynccontextmanager
async def opened(folder: Path, now: int = NOON) -> AsyncIterator[tuple[SqliteLedger, Database]]:
    """Open the ledger in a folder, and let go of it in good order."""
    database = Database(folder / "desk.db", (SCHEMA,))
    try:
        yield SqliteLedger(database, lambda: now / SECOND), database
    finally:
        database.close()


class TestSqliteLedger(LedgerContract):
    @pytest.fixture(autouse=True)
    def _folders(self, tmp_path: Path) -> None:
        self.folders = (tmp_path / str(number) for number in count())

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Ledger]:
        async with opened(next(self.folders)) as (ledger, _):
            yield ledger


async def test_entries_when_reopened_are_still_there(tmp_path: Path) -> None:
    async with opened(tmp_path) as (ledger, _):
        await ledger.add(Batch("batch", tuple(many(3))))
    async with opened(tmp_path) as (ledger, _):
        assert await ledger.sums("agent", ALWAYS) == summed(many(3), "agent")


async def test_sums_when_read_in_parts_are_those_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_AT_ONCE", 7)
    entries = [*many(5), *(an_entry(NOON, f"at once {number}") for number in range(20))]
    async with opened(tmp_path) as (ledger, _):
        await ledger.add(Batch("batch", tuple(entries)))
        for by in GROUPINGS:
            assert await ledger.sums(by, ALWAYS) == summed(entries, by)


async def test_entries_when_older_than_their_life_are_dropped_with_the_next_batch(tmp_path: Path) -> None:
    old, young = an_entry(NOON - LIFE_US - 1, "old"), an_entry(NOON - LIFE_US + 1, "young")
    async with opened(tmp_path) as (ledger, _):
        await ledger.add(Batch("first", (old, young)))
        await ledger.add(Batch("second", (an_entry(),)))
        everything = Span(0, NOON + DAY)
        assert [part.key for part in await ledger.sums("agent", everything)] == ["consensus", "young"]


async def test_story_when_asked_for_is_found_by_its_index(tmp_path: Path) -> None:
    async with opened(tmp_path) as (_, database):
        for what in ("*", "sum(sent)"):
            plan = database.read(
                f"EXPLAIN QUERY PLAN SELECT {what} FROM ledger WHERE started >= ? AND started < ? AND correlation = ?"
                " AND correlation <> ''",
                (0, NOON, "trade-1"),
            )
            assert "ledger_by_correlation" in str(plan)

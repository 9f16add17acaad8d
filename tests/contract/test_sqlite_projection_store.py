"""The projection store in SQLite keeps the contract, and its rows survive the process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest

from shared.projections.port import ProjectionStore
from shared.projections.sqlite import SCHEMA, SqliteProjectionStore
from shared.sqlite import Database
from tests.builders import CLOSE, DAY
from tests.contract.projection_store import AGAIN, EARLY, HISTORY, NEXT, ProjectionStoreContract


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[ProjectionStore]:
    """Open the store in a folder, and let go of it in good order."""
    database = Database(folder / "desk.db", (SCHEMA,))
    try:
        yield SqliteProjectionStore(database)
    finally:
        database.close()


class TestSqliteProjectionStore(ProjectionStoreContract):
    @pytest.fixture(autouse=True)
    def _folders(self, tmp_path: Path) -> None:
        self.folders = (tmp_path / str(number) for number in count())

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[ProjectionStore]:
        async with opened(next(self.folders)) as store:
            yield store


async def test_rows_when_reopened_are_still_there(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.apply(HISTORY)
    async with opened(tmp_path) as store:
        assert await store.read("bar:1Day", "AAPL", CLOSE + 3 * DAY, limit=10) == [AGAIN, NEXT, EARLY]
        assert await store.keys("bar:1Day") == ["AAPL", "IBM"]


async def test_edition_when_reopened_knows_the_latest_moment_of_all_rows(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.apply(HISTORY)
        kept = store.edition("bar:1Day", "AAPL")
        assert kept is not None
        assert kept.newest == EARLY.valid_at
    async with opened(tmp_path) as store:
        await store.apply([NEXT])
        reopened = store.edition("bar:1Day", "AAPL")
        assert reopened is not None
        assert reopened.newest == EARLY.valid_at

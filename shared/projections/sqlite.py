"""Projection rows in SQLite: the embedded default."""

from collections.abc import Sequence
from datetime import datetime

from shared.projections.port import Row
from shared.sqlite import Database, from_microseconds, to_microseconds

SCHEMA = """
CREATE TABLE IF NOT EXISTS projections (
    view TEXT NOT NULL,
    key TEXT NOT NULL,
    valid_at INTEGER NOT NULL,
    known_at INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (view, key, valid_at, known_at)
) WITHOUT ROWID;
"""

_KEEP = """
INSERT INTO projections VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET body = excluded.body WHERE excluded.body > body
"""
_BEFORE_ALL = -(2**63)


class SqliteProjectionStore:
    """A `ProjectionStore` in one file, opened with this module's `SCHEMA`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def apply(self, rows: Sequence[Row]) -> None:
        """Keep the rows."""
        values = [
            (row.view, row.key, to_microseconds(row.valid_at), to_microseconds(row.known_at), row.body) for row in rows
        ]
        await self._database.write(lambda connection: connection.executemany(_KEEP, values).rowcount)

    async def read(
        self,
        view: str,
        key: str,
        as_of: datetime,
        *,
        after: datetime | None = None,
        until: datetime | None = None,
        limit: int = 1,
    ) -> list[Row]:
        """Give what was known at `as_of`, oldest first."""
        moment = to_microseconds(as_of)
        last = moment if until is None else min(moment, to_microseconds(until))
        first = _BEFORE_ALL if after is None else to_microseconds(after)
        rows = self._database.read(
            "SELECT valid_at, max(known_at), body FROM projections"
            " WHERE view = ? AND key = ? AND valid_at <= ? AND valid_at > ? AND known_at <= ?"
            " GROUP BY valid_at ORDER BY valid_at DESC LIMIT ?",
            (view, key, last, first, moment, limit),
        )
        return [
            Row(view, key, from_microseconds(valid_at), from_microseconds(known_at), body)
            for valid_at, known_at, body in reversed(rows)
        ]

    async def keys(self, view: str) -> list[str]:
        """Give the keys that a view has, sorted."""
        return [
            str(key)
            for (key,) in self._database.read(
                "SELECT DISTINCT key FROM projections WHERE view = ? ORDER BY key", (view,)
            )
        ]

    async def clear(self) -> None:
        """Forget everything."""
        await self._database.write(lambda connection: connection.execute("DELETE FROM projections").rowcount)

"""Projection rows in SQLite: the embedded default."""

from collections.abc import Sequence
from datetime import datetime
from itertools import count

from shared.projections.port import Edition, Row
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
_KEYS = """
WITH RECURSIVE found(key) AS (
    SELECT min(key) FROM projections WHERE view = ?1
    UNION ALL
    SELECT (SELECT min(key) FROM projections WHERE view = ?1 AND key > found.key) FROM found WHERE found.key NOTNULL
)
SELECT key FROM found WHERE key NOTNULL
"""
"""From key to key, because `DISTINCT` reads every row."""
_BEFORE_ALL = -(2**63)


class SqliteProjectionStore:
    """A `ProjectionStore` in one file, opened with this module's `SCHEMA`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._editions: dict[tuple[str, str], Edition] = {}
        self._numbers = count(1)

    async def apply(self, rows: Sequence[Row]) -> None:
        """Keep the rows."""
        values = [
            (row.view, row.key, to_microseconds(row.valid_at), to_microseconds(row.known_at), row.body) for row in rows
        ]
        await self._database.write(
            lambda connection: connection.executemany(_KEEP, values).rowcount, then=lambda _: self._note(rows)
        )

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

    def edition(self, view: str, key: str) -> Edition | None:
        """Give the edition of a key's rows."""
        if (view, key) not in self._editions:
            moments = "SELECT max(valid_at), max(known_at) FROM projections WHERE view = ? AND key = ?"
            valid_at, known_at = self._database.read(moments, (view, key))[0]
            if valid_at is None:
                return None
            newest = from_microseconds(max(valid_at, known_at))
            self._editions[view, key] = Edition(next(self._numbers), newest)
        return self._editions[view, key]

    async def keys(self, view: str) -> list[str]:
        """Give the keys that a view has, sorted."""
        return [str(key) for (key,) in self._database.read(_KEYS, (view,))]

    async def clear(self) -> None:
        """Forget everything."""
        await self._database.write(
            lambda connection: connection.execute("DELETE FROM projections").rowcount,
            then=lambda _: self._editions.clear(),
        )

    def _note(self, rows: Sequence[Row]) -> None:
        for row in rows:
            known = self._editions.get((row.view, row.key))
            if known is not None:
                self._editions[row.view, row.key] = known.after(row, next(self._numbers))

"""The ledger in SQLite: the embedded default. Rows go with whatever is written next; nothing waits for them."""

import asyncio
import sqlite3
from collections.abc import Callable

from shared.clock import wall_seconds
from shared.ledger.port import LIFE, Batch, Entry, Grouping, Span, Sum, Usage, total
from shared.sqlite import Database

_NAMES = ("started", "agent", "event", "type", "correlation", "owner", "model")
_COLUMNS = (*_NAMES, *Usage._fields)

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS ledger (
    sequence INTEGER PRIMARY KEY,
    started INTEGER NOT NULL,
    {", ".join(f"{name} TEXT NOT NULL" for name in _NAMES[1:])},
    {", ".join(f"{name} INTEGER NOT NULL" for name in Usage._fields)}
);
CREATE INDEX IF NOT EXISTS ledger_by_start ON ledger (started);
CREATE INDEX IF NOT EXISTS ledger_by_correlation ON ledger (correlation) WHERE correlation <> '';
"""

PATIENCE_SECONDS = 0.02
"""For what is written next; whoever asks for costs waits as long."""
_AT_ONCE = 20_000
_PURGE = "DELETE FROM ledger WHERE sequence IN (SELECT sequence FROM ledger WHERE started < ? ORDER BY started LIMIT ?)"
_INSERT = f"INSERT INTO ledger ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_SUMS = ", ".join(f"sum({name})" for name in Usage._fields)
_KEYS: dict[Grouping, str] = {
    "agent": "agent",
    "owner": "owner",
    "trade": "correlation",
    "day": "date(started / 1000000, 'unixepoch')",
}


class SqliteLedger:
    """A `Ledger` in one file, opened with this module's `SCHEMA`.

    Parameters
    ----------
    wall_seconds : callable
        Seconds since 1970, for the age at which entries are dropped.
    """

    def __init__(self, database: Database, wall_seconds: Callable[[], float] = wall_seconds) -> None:
        self._database = database
        self._wall_seconds = wall_seconds
        self._last = ""

    async def add(self, batch: Batch) -> None:
        """Keep a batch, and drop as many entries that are too old.

        A transaction that fails has kept nothing, so only the last batch can be one that is kept already.
        """
        if batch.id == self._last:
            return
        rows = [entry.row for entry in batch.entries]
        oldest = int((self._wall_seconds() - LIFE.total_seconds()) * 1e6)

        def write(connection: sqlite3.Connection) -> None:
            """Insert and purge as one transaction."""
            connection.executemany(_INSERT, rows)
            connection.execute(_PURGE, (oldest, 2 * len(rows)))

        await self._database.submit(write, patience=PATIENCE_SECONDS)
        self._last = batch.id

    async def sums(self, by: Grouping, span: Span) -> list[Sum]:
        """Give what was used by group and language model; some thousand entries at a time, so that nobody waits."""
        found: dict[tuple[str, str], list[Sum]] = {}
        condition, parameters = _where(span)
        since: int | None = span.since
        while since is not None:
            # A story is found by its own index, at once.
            until = self._boundary(since, span.until) if span.correlation is None else None
            rows = self._database.read(
                f"SELECT {_KEYS[by]}, model, {_SUMS} FROM ledger WHERE started >= ? AND started < ?{condition}"
                " GROUP BY 1, 2",
                (since, until or span.until, *parameters),
            )
            for key, model, *used in rows:
                found.setdefault((key, model), []).append(Sum("", model, Usage(*used)))
            since = until
            await asyncio.sleep(0)
        return [Sum(key, model, total(parts)[0].usage) for (key, model), parts in sorted(found.items())]

    async def entries(self, span: Span) -> list[Entry]:
        """Give the entries of a story."""
        condition, parameters = _where(span)
        rows = self._database.read(
            f"SELECT {', '.join(_COLUMNS)} FROM ledger WHERE started >= ? AND started < ?{condition}"
            " ORDER BY started, sequence",
            (span.since, span.until, *parameters),
        )
        return [Entry.of(row) for row in rows]

    def _boundary(self, since: int, until: int) -> int | None:
        """Give the start of the entry that is so many behind, or None when there are fewer."""
        rows = self._database.read(
            "SELECT started FROM ledger WHERE started >= ? AND started < ? ORDER BY started LIMIT 1 OFFSET ?",
            (since, until, _AT_ONCE),
        )
        # Entries of one moment stay together; more than a part of them there cannot be.
        return rows[0][0] if rows and rows[0][0] > since else None


def _where(span: Span) -> tuple[str, list[object]]:
    condition, parameters = "", list[object]()
    if span.correlation is not None:
        # Spelled out for the partial index, which the planner prefers to that by start only if it may.
        condition += " AND correlation = ? AND correlation <> ''"
        parameters.append(span.correlation)
    if span.owner is not None:
        condition += " AND owner = ?"
        parameters.append(span.owner)
    return condition, parameters

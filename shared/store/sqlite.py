"""The event store in SQLite: the embedded default.

Events are kept as the JSON that was published and are handed out as such, never parsed and printed again. When the
desk recorded an event is kept beside it, not in it.
"""

import asyncio
import secrets
import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Literal

from shared.clock import wall_seconds
from shared.errors import ConflictError
from shared.events.catalogue import EVENTS
from shared.events.emit import Emit
from shared.events.envelope import EVERYBODY, OPERATORS, Event
from shared.sqlite import Database, from_microseconds, to_microseconds
from shared.store.cursor import read_cursor, write_cursor
from shared.store.port import ALL, Commit, Filter, Page, Snapshot
from shared.store.receipt import decode_outputs, encode_outputs

SCHEMA = """
CREATE TABLE IF NOT EXISTS log (name TEXT NOT NULL, checks INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS events (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    stream TEXT NOT NULL,
    correlation TEXT NOT NULL,
    run TEXT NOT NULL,
    audience TEXT NOT NULL DEFAULT '-',
    time INTEGER NOT NULL,
    recorded_at REAL NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS events_by_time ON events (time);
CREATE INDEX IF NOT EXISTS events_by_type ON events (type, position);
CREATE INDEX IF NOT EXISTS events_by_stream ON events (stream, position);
CREATE INDEX IF NOT EXISTS events_by_stream_and_type ON events (stream, type, position);
CREATE INDEX IF NOT EXISTS events_by_stream_type_and_time ON events (stream, type, time);
CREATE INDEX IF NOT EXISTS events_by_correlation ON events (correlation, position);
CREATE TABLE IF NOT EXISTS snapshots (
    stream TEXT NOT NULL,
    agent TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (stream, agent)
);
CREATE TABLE IF NOT EXISTS receipts (
    stream TEXT NOT NULL,
    event_id TEXT NOT NULL,
    agent TEXT NOT NULL,
    outputs BLOB NOT NULL,
    PRIMARY KEY (stream, event_id, agent)
);
"""

AUDIENCE_INDEX = "CREATE INDEX IF NOT EXISTS events_by_audience ON events (audience, position)"
"""What keeps pages fast where callers see different events; where there is one caller it would cost each event."""


class SqliteEventStore:
    """An `EventStore` in one file.

    Parameters
    ----------
    database : Database
        Opened with this module's `SCHEMA`.
    wall_seconds : callable
        Seconds since the epoch, for the recording time, which no decision depends on.
    several_callers : bool
        Whether pages are read for callers who see different events.
    """

    def __init__(
        self,
        database: Database,
        wall_seconds: Callable[[], float] = wall_seconds,
        *,
        several_callers: bool = False,
    ) -> None:
        _add_audience(database)
        if several_callers:
            database.set_up(AUDIENCE_INDEX)
        self._database = database
        self._wall_seconds = wall_seconds
        self._log = _name_log(database)
        self._last: int | None = None
        self._waiting: dict[Filter, set[asyncio.Future[None]]] = {}
        self._latest_page: tuple[tuple[Filter, str, int], Page] | None = None

    async def check(self) -> None:
        """Return when the log could be read and a row of the file written."""
        self._read_end()
        # It must change something: what is the same already, SQLite does not write.
        await self._database.write(lambda connection: connection.execute("UPDATE log SET checks = checks + 1").rowcount)

    async def append(self, events: Sequence[Event]) -> list[Event]:
        """Add what is new to the log and give it."""
        return await self._database.write(lambda connection: self.append_in(connection, events), then=self.announce)

    def append_in(self, connection: sqlite3.Connection, events: Sequence[Event]) -> list[Event]:
        """Add what is new in a transaction of the caller's; `announce` it after the commit."""
        now = self._wall_seconds()
        return [event for event in events if _insert(connection, event, now)]

    def announce(self, fresh: Sequence[Event]) -> None:
        """Wake whoever waits for one of these events, which were committed; readers of the same filter together."""
        if not fresh:
            return
        self._last = self._latest_page = None
        for wanted in [wanted for wanted in self._waiting if any(map(wanted.matches, fresh))]:
            for waiting in self._waiting.pop(wanted):
                if not waiting.done():
                    waiting.set_result(None)

    async def get(self, event_id: str, stream: str | None = None) -> bytes | None:
        """Give an event's stored JSON."""
        rows = self._database.read("SELECT body, stream FROM events WHERE id = ?", (event_id,))
        return rows[0][0] if rows and stream in (None, rows[0][1]) else None

    async def page(self, wanted: Filter, after: str, limit: int) -> Page:
        """Give up to `limit` events after the cursor; the last page is kept for who was woken by the same event."""
        asked = (wanted, after, limit)
        if self._latest_page is None or self._latest_page[0] != asked:
            self._latest_page = asked, self._read_page(wanted, after, limit)
        return self._latest_page[1]

    def _read_page(self, wanted: Filter, after: str, limit: int) -> Page:
        start, end = read_cursor(self._log, after), self._end()
        # Each audience by itself comes in the order of an index; together they would be sorted, all of them, first.
        parts = [replace(wanted, audiences=(each,)) for each in wanted.audiences] or [wanted]
        found = [self._rows(part, start, end, limit) for part in parts]
        rows = found[0] if len(found) == 1 else sorted(chain.from_iterable(found))[:limit]
        position = rows[-1][0] if len(rows) == limit else max(start, end)
        return Page([body for _, body in rows], write_cursor(self._log, position))

    def _rows(
        self, wanted: Filter, start: int, end: int, limit: int, order: Literal["ASC", "DESC"] = "ASC"
    ) -> list[tuple[int, bytes]]:
        condition, parameters = _where(wanted)
        return self._database.read(
            f"SELECT position, body FROM {_source(wanted)} WHERE position > ? AND position <= ? AND {condition}"
            f" ORDER BY position {order} LIMIT ?",
            (start, end, *parameters, limit),
        )

    async def newest(self, wanted: Filter, limit: int) -> Page:
        """Give the last `limit` events that are wanted."""
        end = self._end()
        # As in a page, and each type by itself, too: an index has the last ones of both at its end.
        parts = [
            replace(wanted, types=kinds, audiences=audiences)
            for kinds in _alone(wanted.types)
            for audiences in _alone(wanted.audiences)
        ]
        rows = sorted(chain.from_iterable(self._rows(part, 0, end, limit, "DESC") for part in parts))
        return Page([body for _, body in rows[-limit:]], write_cursor(self._log, end))

    async def end(self) -> str:
        """Give the cursor behind the last event."""
        return write_cursor(self._log, self._end())

    async def wait(self, after: str, seconds: float, wanted: Filter = ALL) -> None:
        """Return when there is an event after the cursor, when one that is wanted comes, or when the time is up."""
        if read_cursor(self._log, after) < self._end():
            return
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(wanted, set()).add(waiting)
        try:
            async with asyncio.timeout(seconds):
                await waiting
        except TimeoutError:
            return
        finally:
            self._forget(wanted, waiting)

    async def latest(self, stream: str, kind: str, as_of: datetime) -> bytes | None:
        """Give the newest event of a type in a stream as of a moment."""
        return _first(
            self._database.read(
                "SELECT body FROM events WHERE stream = ? AND type = ? AND time <= ?"
                " ORDER BY time DESC, position DESC LIMIT 1",
                (stream, kind, to_microseconds(as_of)),
            )
        )

    def last_time(self) -> datetime | None:
        """Give the desk time of the latest event in the log, where a resumed recorded feed goes on."""
        moment = _first(self._database.read("SELECT max(time) FROM events"))
        return None if moment is None else from_microseconds(moment)

    async def snapshot(self, agent: str, stream: str) -> Snapshot | None:
        """Give an agent's state in a stream."""
        rows = self._database.read(
            "SELECT body, version FROM snapshots WHERE stream = ? AND agent = ?", (stream, agent)
        )
        return Snapshot(rows[0][0], str(rows[0][1])) if rows else None

    async def receipt(self, agent: str, stream: str, event_id: str) -> tuple[Emit, ...] | None:
        """Give what the agent emitted on the event, or None."""
        body = _first(
            self._database.read(
                "SELECT outputs FROM receipts WHERE stream = ? AND event_id = ? AND agent = ?",
                (stream, event_id, agent),
            )
        )
        return None if body is None else decode_outputs(body)

    async def handled(self, agents: Collection[str], stream: str, event_id: str) -> set[str]:
        """Give which of these agents have a receipt."""
        rows = self._database.read("SELECT agent FROM receipts WHERE stream = ? AND event_id = ?", (stream, event_id))
        return {agent for (agent,) in rows}.intersection(agents)

    async def commit(self, commit: Commit) -> None:
        """Store snapshot and receipt together, or nothing."""
        await self._database.write(lambda connection: self.commit_in(connection, commit))

    def commit_in(self, connection: sqlite3.Connection, commit: Commit) -> None:
        """Store snapshot and receipt in a transaction of the caller's."""
        written = connection.execute(
            "INSERT OR IGNORE INTO receipts VALUES (?, ?, ?, ?)",
            (commit.stream, commit.event_id, commit.agent, encode_outputs(commit.outputs)),
        )
        if not written.rowcount:
            raise ConflictError(f"{commit.agent} has handled {commit.event_id} already")
        if commit.state is not None and not _replace_snapshot(connection, commit):
            raise ConflictError(f"the snapshot of {commit.agent} in {commit.stream} has changed")

    def _forget(self, wanted: Filter, waiting: "asyncio.Future[None]") -> None:
        others = self._waiting.get(wanted, set())
        others.discard(waiting)
        if not others:
            self._waiting.pop(wanted, None)

    def _end(self) -> int:
        """Give the position of the last event that was announced; the file is asked once for each announcement."""
        if self._last is None:
            self._last = self._read_end()
        return self._last

    def _read_end(self) -> int:
        return _first(self._database.read("SELECT max(position) FROM events")) or 0


def _insert(connection: sqlite3.Connection, event: Event, now: float) -> bool:
    written = connection.execute(
        "INSERT OR IGNORE INTO events (id, type, stream, correlation, run, audience, time, recorded_at, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            event.id,
            event.type,
            event.stream,
            event.correlationid,
            event.run,
            event.audience,
            to_microseconds(event.time),
            now,
            event.json_bytes,
        ),
    )
    return written.rowcount == 1


def _replace_snapshot(connection: sqlite3.Connection, commit: Commit) -> bool:
    if commit.etag is None:
        written = connection.execute(
            "INSERT OR IGNORE INTO snapshots VALUES (?, ?, 1, ?)", (commit.stream, commit.agent, commit.state)
        )
    else:
        written = connection.execute(
            "UPDATE snapshots SET body = ?, version = version + 1 WHERE stream = ? AND agent = ? AND version = ?",
            (commit.state, commit.stream, commit.agent, int(commit.etag)),
        )
    return written.rowcount == 1


def _alone(values: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [(value,) for value in values] or [()]


def _source(wanted: Filter) -> str:
    # Left to itself SQLite reads all of a stream for several types of it, to be spared the sorting of one page.
    choose = wanted.stream and wanted.types and not wanted.correlation
    return "events INDEXED BY events_by_stream_and_type" if choose else "events"


def _where(wanted: Filter) -> tuple[str, list[object]]:
    conditions, parameters = ["run = ?"], list[object]([wanted.run])
    is_story = bool(wanted.stream or wanted.correlation)
    if wanted.types:
        # Of a type most events may be others'; of one owner's events all types are few.
        column = "+type" if wanted.audiences not in ((), (EVERYBODY,)) and not is_story else "type"
        conditions.append(f"{column} IN ({', '.join('?' * len(wanted.types))})")
        parameters.extend(wanted.types)
    if wanted.stream:
        conditions.append("stream = ?")
        parameters.append(wanted.stream)
    if wanted.correlation:
        conditions.append("correlation = ?")
        parameters.append(wanted.correlation)
    if wanted.audiences:
        is_narrow = is_story or (wanted.types and wanted.audiences == (EVERYBODY,))
        conditions.append("+audience = ?" if is_narrow else "audience = ?")
        parameters.extend(wanted.audiences)
    return " AND ".join(conditions), parameters


def _name_log(database: Database) -> str:
    rows = database.read("SELECT name FROM log")
    if rows:
        return str(rows[0][0])
    name = secrets.token_hex(4)
    database.set_up("INSERT INTO log (name) VALUES (?)", (name,))
    return name


def _add_audience(database: Database) -> None:
    """Bring a file from before there were callers up to date: what everybody may read, they still may."""
    if any(column == "audience" for _, column, *_ in database.read("PRAGMA table_info(events)")):
        return
    public = [name for name, kind in EVENTS.items() if kind.public]
    database.set_up("BEGIN IMMEDIATE")
    database.set_up(f"ALTER TABLE events ADD COLUMN audience TEXT NOT NULL DEFAULT '{OPERATORS}'")
    database.set_up(f"UPDATE events SET audience = '' WHERE type IN ({', '.join('?' * len(public))})", public)
    database.set_up("COMMIT")


def _first[T](rows: list[tuple[T]]) -> T | None:
    return rows[0][0] if rows else None

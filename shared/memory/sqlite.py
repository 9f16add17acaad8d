"""Memories in a SQLite file of their own: several threads and processes may use it at once.

The desk's own file belongs to one process and its event loop; here statements run in whatever thread recalls, which
waits for the disk beside the loop all the same. A commit survives the process; after a loss of power the last ones may
be gone (`synchronous = NORMAL`), and `finagent rebuild` has them again.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

from shared.errors import FinAgentError, InvalidError, TransientError
from shared.memory.matrix import Matrices, Matrix
from shared.memory.memory import Memory, Revoked, Scope
from shared.memory.port import LIMITS, Entry, Limits, Vectors
from shared.memory.sqlite_row import (
    EVERYONE,
    NEVER,
    RECALLED,
    SCHEMA,
    SOURCE,
    body_of,
    delete,
    dump,
    is_revoked,
    linked,
    load,
    memories_of,
)
from shared.sqlite import to_microseconds

BUSY_SECONDS = 10.0
_SLACK = 20
"""A full scope is trimmed by one part in so many, so that not every memory forgets another."""
_DAY = timedelta(days=1) // timedelta(microseconds=1)


class SqliteVectorStore:
    """A `VectorStore` in a file; None keeps it in memory, as long as this object lives.

    Raises
    ------
    InvalidError
        The file cannot be opened, or is no such file.
    """

    is_quick = True

    def __init__(self, path: Path | None, limits: Limits = LIMITS) -> None:
        self._path, self._limits = path, limits
        self._writer = _open(path)
        # A reader of its own never waits for a writer.
        self._reader = self._writer if path is None else _open(path)
        self._writing = Lock()
        self._reading = self._writing if path is None else Lock()
        self._matrices = Matrices()
        self._known: set[str] = set()

    def keep(self, entries: Sequence[Entry]) -> None:
        """Keep memories, with what they rest on, all or none; trims their scopes."""
        with self._transaction() as connection:
            for entry in entries:
                if not is_revoked(connection, entry.memory):
                    self._keep(connection, entry)

    def complete(self, memories: Sequence[Memory], space: str) -> list[Memory]:
        """Give those that are kept their outcomes, all or none."""
        if not memories:
            return []
        with self._transaction() as connection:
            return [memory for memory in memories if not self._completed(connection, memory, space)]

    def nearest(
        self, scope: Scope, space: str, vector: Vectors, before: datetime, limit: int, *, graded_first: bool = False
    ) -> list[tuple[Memory, float]]:
        """Give the memories with the greatest cosines; of equal ones the newest first."""
        with self._read() as connection:
            matrix = self._matrix(connection, scope.key, space)
        found = matrix.nearest(vector, to_microseconds(before), limit, graded_first=graded_first)
        with self._read() as connection:
            bodies = [(body_of(connection, number), cosine) for number, cosine in found]
        return [(memory, cosine) for body, cosine in bodies if body and (memory := load(body, scope))]

    def latest(self, scope: Scope, before: datetime, limit: int) -> list[Memory]:
        """Give the newest memories."""
        query = "SELECT body FROM memories WHERE scope = ? AND known_at < ? ORDER BY known_at DESC, id LIMIT ?"
        with self._read() as connection:
            rows = connection.execute(query, (scope.key, to_microseconds(before), limit)).fetchall()
        return [memory for (body,) in rows if (memory := load(body, scope))]

    def get(self, scope: Scope, memory_id: str) -> Memory | None:
        """Give one memory of a scope."""
        query = "SELECT body FROM memories WHERE scope = ? AND id = ?"
        with self._read() as connection:
            row = connection.execute(query, (scope.key, memory_id)).fetchone()
        return load(row[0], scope) if row else None

    def delete(self, scope: Scope, memory_id: str) -> None:
        """Forget one memory of a scope."""
        with self._transaction() as connection:
            delete(connection, [(scope.key, memory_id)])

    def knows(self, scope: Scope, graded_before: datetime | None = None) -> bool:
        """Say whether anything is kept in a scope, or was graded; asks the file until something was kept."""
        if graded_before is not None:
            query = "SELECT 1 FROM memories WHERE scope = ? AND graded_at < ? LIMIT 1"
            return self._has(query, (scope.key, to_microseconds(graded_before)))
        if scope.key not in self._known and self._has("SELECT 1 FROM memories WHERE scope = ? LIMIT 1", (scope.key,)):
            self._known.add(scope.key)
        return scope.key in self._known

    def _has(self, query: str, parameters: Sequence[object]) -> bool:
        with self._reading, _translated():
            return self._reader.execute(query, parameters).fetchone() is not None

    def forget(self, owner: str, *, is_trial: bool = False) -> int:
        """Forget all of an owner's."""
        Scope("agent", owner)  # refuses what is no owner
        with self._transaction() as connection:
            rows = connection.execute("SELECT scope, id FROM memories").fetchall()
            theirs = [row for row in rows if Scope.of(row[0]).owner == owner]
            if not is_trial:
                delete(connection, theirs)
        if not is_trial:
            self._write_anew()
        return len(theirs)

    def resting_on(self, source: str, owner: str | None, *, everyone: bool) -> Revoked:
        """Give what rests on a source, and what had recalled that."""

        def is_asked(key: str) -> bool:
            """Say whether a scope is among those that are asked."""
            return everyone or Scope.of(key).owner == owner

        with self._read() as connection:
            found = [row for row in linked(connection, source, SOURCE) if is_asked(row[0])]
            seen, ahead = set(found), list(found)
            while ahead:
                fresh = set(linked(connection, ahead.pop()[1], RECALLED)) - seen
                seen |= fresh
                ahead += fresh
            memories = memories_of(connection, found)
            influenced = memories_of(connection, sorted(seen - set(found)))
        return Revoked(memories, influenced)

    def revoke(self, source: str, owner: str | None, *, everyone: bool) -> None:
        """Forget what rests on a source, and write down that nothing may."""
        with self._transaction() as connection:
            whose = EVERYONE if everyone else owner or ""
            connection.execute("INSERT OR IGNORE INTO revoked VALUES (?, ?)", (source, whose))
            rows = linked(connection, source, SOURCE)
            delete(connection, [row for row in rows if everyone or Scope.of(row[0]).owner == owner])

    def clear(self) -> None:
        """Forget everything."""
        with self._transaction() as connection:
            for table in ("memories", "links", "grades", "revoked"):
                connection.execute(f"DELETE FROM {table}")
            connection.execute("UPDATE scopes SET count = 0, size = 0, newest = 0, epoch = epoch + 1")
        self._known.clear()

    def close(self) -> None:
        """Let go of the file."""
        with self._reading:
            self._reader.close()
        if self._writer is not self._reader:
            self._writer.close()

    def _keep(self, connection: sqlite3.Connection, entry: Entry) -> None:
        memory = entry.memory
        key = (memory.scope.key, memory.id)
        row = connection.execute("SELECT body, space FROM memories WHERE scope = ? AND id = ?", key).fetchone()
        known = load(row[0], memory.scope) if row else None
        if row is not None and (known is None or row[1] != entry.space):
            # Damaged, or in the space of another embedder: made anew.
            delete(connection, [key])
        if known is not None and memory.outcome is None:
            memory = known
        if row is None or known is None or row[1] != entry.space:
            self._insert(connection, replace(entry, memory=memory))
        elif memory != known:
            self._complete(connection, memory)

    def _completed(self, connection: sqlite3.Connection, memory: Memory, space: str) -> bool:
        query = "SELECT body FROM memories WHERE scope = ? AND id = ? AND space = ?"
        row = connection.execute(query, (memory.scope.key, memory.id, space)).fetchone()
        known = load(row[0], memory.scope) if row else None
        if known is not None and known != memory:
            self._complete(connection, memory)
        return known is not None

    def _complete(self, connection: sqlite3.Connection, memory: Memory) -> None:
        change = "UPDATE memories SET body = ?, graded_at = ? WHERE scope = ? AND id = ? RETURNING number"
        scope, graded_at = memory.scope.key, _graded_at(memory)
        ((number,),) = connection.execute(change, (dump(memory), graded_at, scope, memory.id)).fetchall()
        # Whoever has the vectors side by side takes in this alone.
        note = "INSERT INTO grades (scope, number, graded_at) VALUES (?, ?, ?)"
        connection.execute(note, (scope, number, graded_at))

    def _insert(self, connection: sqlite3.Connection, entry: Entry) -> None:
        memory, body, vector = entry.memory, dump(entry.memory), entry.vector.tobytes()
        scope, known_at = memory.scope.key, to_microseconds(memory.known_at)
        connection.execute(
            "INSERT INTO memories (scope, id, known_at, graded_at, lives, space, vector, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (scope, memory.id, known_at, _graded_at(memory), known_at, entry.space, vector, body),
        )
        links = [(each, SOURCE, scope, memory.id) for each in memory.sources]
        links += [(each, RECALLED, scope, memory.id) for each in memory.recalled]
        connection.executemany("INSERT OR IGNORE INTO links VALUES (?, ?, ?, ?)", links)
        for used in (memory.id, *memory.recalled):
            self._lengthen(connection, scope, used)
        ((count, size, newest),) = connection.execute(
            "INSERT INTO scopes VALUES (?, 1, ?, ?, 0) ON CONFLICT DO UPDATE"
            " SET count = count + 1, size = size + excluded.size, newest = max(newest, excluded.newest)"
            " RETURNING count, size, newest",
            (scope, len(body) + len(vector), known_at),
        ).fetchall()
        self._trim(connection, scope, count, size, newest)

    def _lengthen(self, connection: sqlite3.Connection, scope: str, memory_id: str) -> None:
        # Counted anew, not added: who recalled it may have been remembered first, or twice.
        connection.execute(
            "UPDATE memories SET lives = known_at + ? * min(?, (SELECT count(*) FROM links"
            " WHERE link = ?3 AND kind = ?5 AND scope = ?4)) WHERE scope = ?4 AND id = ?3",
            (int(self._limits.days_per_use * _DAY), self._limits.uses, memory_id, scope, RECALLED),
        )

    def _trim(self, connection: sqlite3.Connection, scope: str, count: int, size: int, newest: int) -> None:
        limits = self._limits
        oldest = newest - int(limits.days * _DAY)
        aged = connection.execute("SELECT scope, id FROM memories WHERE scope = ? AND known_at < ?", (scope, oldest))
        delete(connection, aged.fetchall())
        if count <= limits.count and size <= limits.size:
            return
        spare = limits.count - limits.count // _SLACK, limits.size - limits.size // _SLACK
        query = "SELECT scope, id, length(body) + length(vector) FROM memories WHERE scope = ? ORDER BY lives, number"
        gone = []
        for _, memory_id, weight in connection.execute(query, (scope,)):
            if count <= spare[0] and size <= spare[1]:
                break
            gone.append((scope, memory_id))
            count, size = count - 1, size - weight
        delete(connection, gone)

    def _matrix(self, connection: sqlite3.Connection, scope: str, space: str) -> Matrix:
        row = connection.execute("SELECT epoch FROM scopes WHERE scope = ?", (scope,)).fetchone()
        matrix = self._matrices.get(scope, space, row[0] if row else 0)
        query = (
            "SELECT number, known_at, graded_at, vector FROM memories"
            " WHERE scope = ? AND space = ? AND number > ? ORDER BY number"
        )
        matrix.add(connection.execute(query, (scope, space, matrix.last)).fetchall())
        query = "SELECT sequence, number, graded_at FROM grades WHERE scope = ? AND sequence > ? ORDER BY sequence"
        matrix.grade(connection.execute(query, (scope, matrix.last_grade)).fetchall())
        return matrix.snapshot()

    def _write_anew(self) -> None:
        """Leave nothing of what was deleted in file or write-ahead log."""
        with self._writing, _translated():
            self._writer.execute("VACUUM")
            (busy, *_) = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise TransientError(f"{self._path} is being read; do it again when nobody does")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._writing, _translated():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._reading, _translated():
            # One state of the file for all that is read.
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                self._reader.execute("ROLLBACK")


def _open(path: Path | None) -> sqlite3.Connection:
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path or ":memory:", timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
    except (OSError, sqlite3.Error) as error:
        raise InvalidError(f"{path} cannot be used: {error}") from error
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(SCHEMA)
    except sqlite3.Error as error:
        connection.close()
        raise InvalidError(f"{path} cannot be used: {error}; delete it, then `finagent rebuild`") from error
    return connection


def _graded_at(memory: Memory) -> int:
    return NEVER if memory.outcome is None else to_microseconds(memory.outcome.at)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except FinAgentError:
        raise
    except sqlite3.Error as error:
        raise TransientError(f"memory cannot be read or written: {error}") from error

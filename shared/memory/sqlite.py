"""Memories in a SQLite file of their own: several threads and processes may use it at once.

The desk's own file belongs to one process and its event loop; here statements run in whatever thread recalls, which
waits for the disk beside the loop all the same. A commit survives the process; after a loss of power the last ones may
be gone (`synchronous = NORMAL`), and `finagent rebuild` has them again.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import batched
from pathlib import Path
from threading import Lock

from shared.errors import FinAgentError, InvalidError, TransientError
from shared.memory.matrix import Matrices, Matrix
from shared.memory.memory import Memory, Revoked, Scope
from shared.memory.port import LIMITS, Entry, Limits, Vectors
from shared.memory.sqlite_insert import graded_at, insert
from shared.memory.sqlite_row import (
    EVERYONE,
    RECALLED,
    SCHEMA,
    SOURCE,
    body_of,
    delete,
    dump,
    keys_of,
    linked,
    load,
    memories_of,
    unrevoked,
)
from shared.sqlite import to_microseconds

BUSY_SECONDS = 10.0
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_REMEDY = "delete it, then `finagent rebuild`"
_AT_ONCE = 25
"""Memories by one statement: it may have 32,766 places, and each of a memory's sources takes four."""


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
            for some in batched(entries, _AT_ONCE, strict=False):
                if allowed := unrevoked(connection, some):
                    self._keep_some(connection, allowed)

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
        with self._reading, self._translated():
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

    def _keep_some(self, connection: sqlite3.Connection, entries: Sequence[Entry]) -> None:
        known = keys_of(connection, [entry.memory for entry in entries])
        fresh, again = list[Entry](), list[Entry]()
        for entry in entries:
            key = (entry.memory.scope.key, entry.memory.id)
            (again if key in known else fresh).append(entry)
            known.add(key)
        insert(connection, fresh, self._limits)
        for entry in again:
            self._keep_again(connection, entry)

    def _keep_again(self, connection: sqlite3.Connection, entry: Entry) -> None:
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
            insert(connection, [replace(entry, memory=memory)], self._limits)
        elif memory != known:
            self._complete(connection, memory, len(row[0]))

    def _completed(self, connection: sqlite3.Connection, memory: Memory, space: str) -> bool:
        query = "SELECT body FROM memories WHERE scope = ? AND id = ? AND space = ?"
        row = connection.execute(query, (memory.scope.key, memory.id, space)).fetchone()
        known = load(row[0], memory.scope) if row else None
        if known is not None and known != memory:
            self._complete(connection, memory, len(row[0]))
        return known is not None

    def _complete(self, connection: sqlite3.Connection, memory: Memory, size: int) -> None:
        change = "UPDATE memories SET body = ?, graded_at = ? WHERE scope = ? AND id = ? RETURNING number"
        scope, graded, body = memory.scope.key, graded_at(memory), dump(memory)
        ((number,),) = connection.execute(change, (body, graded, scope, memory.id)).fetchall()
        connection.execute("UPDATE scopes SET size = size + ? WHERE scope = ?", (len(body) - size, scope))
        # Whoever has the vectors side by side takes in this alone.
        note = "INSERT INTO grades (scope, number, graded_at) VALUES (?, ?, ?)"
        connection.execute(note, (scope, number, graded))

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
        with self._writing, self._translated():
            self._writer.execute("VACUUM")
            (busy, *_) = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise TransientError(f"{self._path} is being read; do it again when nobody does")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._writing, self._translated():
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
        with self._reading, self._translated():
            # One state of the file for all that is read.
            self._reader.execute("BEGIN")
            try:
                yield self._reader
            finally:
                self._reader.execute("ROLLBACK")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except FinAgentError:
            raise
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED:
                raise InvalidError(f"{self._path} is damaged: {error}; {_REMEDY}") from error
            raise TransientError(f"memory cannot be read or written: {error}") from error


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
        connection.execute("PRAGMA temp_store = MEMORY")  # where a statement of many rows could be undone from
        connection.executescript(SCHEMA)
    except sqlite3.Error as error:
        connection.close()
        raise InvalidError(f"{path} cannot be used: {error}; {_REMEDY}") from error
    return connection

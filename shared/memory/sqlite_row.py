"""The tables of memories in SQLite, and their rows."""

import logging
import sqlite3
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from shared.memory.memory import Memory, Scope
from shared.memory.port import Entry

logger = logging.getLogger(__name__)

NEVER = 2**63 - 1
"""When what was not graded yet is graded."""
SOURCE, RECALLED = "source", "recalled"
EVERYONE = "*"
"""No owner is called so."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS memories (
    number INTEGER PRIMARY KEY,
    scope TEXT NOT NULL,
    id TEXT NOT NULL,
    known_at INTEGER NOT NULL,
    graded_at INTEGER NOT NULL,
    lives INTEGER NOT NULL,
    space TEXT NOT NULL,
    vector BLOB NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (scope, id)
);
CREATE INDEX IF NOT EXISTS memories_lives ON memories (scope, lives, number);
CREATE INDEX IF NOT EXISTS memories_known ON memories (scope, known_at);
CREATE INDEX IF NOT EXISTS memories_graded ON memories (scope, graded_at);
CREATE INDEX IF NOT EXISTS memories_space ON memories (scope, space, number);
CREATE TABLE IF NOT EXISTS links (
    link TEXT NOT NULL,
    kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (link, kind, scope, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS links_of ON links (scope, id);
CREATE TABLE IF NOT EXISTS grades (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL,
    number INTEGER NOT NULL,
    graded_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS grades_of ON grades (scope, sequence);
CREATE INDEX IF NOT EXISTS grades_number ON grades (number);
CREATE TABLE IF NOT EXISTS scopes (
    scope TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    size INTEGER NOT NULL,
    newest INTEGER NOT NULL,
    epoch INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS revoked (
    source TEXT NOT NULL,
    owner TEXT NOT NULL,
    PRIMARY KEY (source, owner)
) WITHOUT ROWID;
"""


def unrevoked(connection: sqlite3.Connection, entries: Sequence[Entry]) -> list[Entry]:
    """Leave out what rests on something that is revoked for its owner."""
    sources = sorted({source for entry in entries for source in entry.memory.sources})
    query = f"SELECT source, owner FROM revoked WHERE source IN {places(sources)}"
    gone = set(connection.execute(query, sources).fetchall())
    if not gone:
        return list(entries)
    return [entry for entry in entries if gone.isdisjoint(_revocations(entry.memory))]


def _revocations(memory: Memory) -> set[tuple[str, str]]:
    return {(source, owner) for source in memory.sources for owner in (EVERYONE, memory.owner or "")}


def keys_of(connection: sqlite3.Connection, memories: Sequence[Memory]) -> set[tuple[str, str]]:
    """Give scope and id of those of the memories that are there."""
    scopes, ids = sorted({memory.scope.key for memory in memories}), [memory.id for memory in memories]
    # Not pairs of both: for these SQLite would read the whole index.
    query = f"SELECT scope, id FROM memories WHERE scope IN {places(scopes)} AND id IN {places(ids)}"
    return set(connection.execute(query, (*scopes, *ids)).fetchall())


def linked(connection: sqlite3.Connection, link: str, kind: str) -> list[tuple[str, str]]:
    """Give scope and id of the memories that rest on a source, or recalled a memory."""
    query = "SELECT scope, id FROM links WHERE link = ? AND kind = ? ORDER BY scope, id"
    return connection.execute(query, (link, kind)).fetchall()


def memories_of(connection: sqlite3.Connection, rows: Sequence[tuple[str, str]]) -> tuple[Memory, ...]:
    """Give memories by scope and id, oldest first."""
    query = "SELECT body FROM memories WHERE scope = ? AND id = ?"
    bodies = [(row[0], connection.execute(query, row).fetchone()) for row in rows]
    found = [memory for key, body in bodies if body and (memory := load(body[0], Scope.of(key)))]
    return tuple(sorted(found, key=lambda memory: (memory.known_at, memory.id)))


def delete(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> int:
    """Delete memories by scope and id with all that belongs to them, and give the number."""
    gone = 0
    for scope, memory_id, *_ in rows:
        key = (scope, memory_id)
        query = "SELECT number, length(body) + length(vector) FROM memories WHERE scope = ? AND id = ?"
        if (found := connection.execute(query, key).fetchone()) is None:
            continue
        number, size = found
        connection.execute("DELETE FROM memories WHERE number = ?", (number,))
        connection.execute("DELETE FROM grades WHERE number = ?", (number,))
        connection.execute("DELETE FROM links WHERE scope = ? AND id = ?", key)
        change = "UPDATE scopes SET count = count - 1, size = size - ?, epoch = epoch + 1 WHERE scope = ?"
        connection.execute(change, (size, scope))
        gone += 1
    return gone


def body_of(connection: sqlite3.Connection, number: int) -> bytes | None:
    """Give the body of a row."""
    row = connection.execute("SELECT body FROM memories WHERE number = ?", (number,)).fetchone()
    return row[0] if row else None


def dump(memory: Memory) -> bytes:
    """Write a memory as a row has it."""
    return memory.model_dump_json(exclude_none=True).encode()


def load(body: bytes, scope: Scope) -> Memory | None:
    """Read a memory from its row; None, and a line in the log, where it is damaged or another scope's."""
    try:
        memory = Memory.model_validate_json(body)
    except ValidationError:
        logger.warning("a memory of %s cannot be read; `finagent rebuild` restores it", scope.agent)
        return None
    return memory if memory.scope == scope else None


def places(row: Sequence[object]) -> str:
    """Give the places of a row, or of what is looked for, in a statement."""
    return f"({', '.join('?' * len(row))})"

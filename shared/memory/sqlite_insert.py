"""How memories come into SQLite: many by few statements, as each hands the interpreter to another thread and back."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import chain

from shared.memory.memory import Memory
from shared.memory.port import Entry, Limits
from shared.memory.sqlite_row import NEVER, RECALLED, SOURCE, delete, dump, places
from shared.sqlite import to_microseconds

_SLACK = 20
"""A full scope is trimmed by one part in so many, so that not every memory forgets another."""
_COUNTED = """
    ON CONFLICT DO UPDATE SET count = count + 1, size = size + excluded.size, newest = max(newest, excluded.newest)
"""
_DAY = timedelta(days=1) // timedelta(microseconds=1)


def insert(connection: sqlite3.Connection, entries: Sequence[Entry], limits: Limits) -> None:
    """Insert memories, none of which is there, with what they rest on; trims their scopes."""
    if not entries:
        return
    rows = [_row(entry) for entry in entries]
    columns = "scope, id, known_at, graded_at, lives, space, vector, body"
    _insert(connection, f"INSERT INTO memories ({columns}) VALUES", rows)
    if links := [link for entry in entries for link in _links(entry.memory)]:
        _insert(connection, "INSERT OR IGNORE INTO links VALUES", links)
    _lengthen(connection, entries, limits)
    sizes = [(row[0], 1, len(row[-2]) + len(row[-1]), row[2], 0) for row in rows]
    _insert(connection, "INSERT INTO scopes VALUES", sizes, _COUNTED)
    _trim(connection, sorted({row[0] for row in rows}), limits)


def graded_at(memory: Memory) -> int:
    """Give when a memory's outcome was known, in microseconds since 1970; `NEVER` where it is not."""
    return NEVER if memory.outcome is None else to_microseconds(memory.outcome.at)


def _insert(connection: sqlite3.Connection, into: str, rows: Sequence[Sequence[object]], then: str = "") -> None:
    each = places(rows[0])
    connection.execute(f"{into} {', '.join([each] * len(rows))} {then}", [*chain.from_iterable(rows)])


def _row(entry: Entry) -> tuple[str, str, int, int, int, str, bytes, bytes]:
    memory = entry.memory
    known_at = to_microseconds(memory.known_at)
    key, vector, body = memory.scope.key, entry.vector.tobytes(), dump(memory)
    return key, memory.id, known_at, graded_at(memory), known_at, entry.space, vector, body


def _links(memory: Memory) -> list[tuple[str, str, str, str]]:
    key = memory.scope.key
    found = [(each, SOURCE, key, memory.id) for each in memory.sources]
    return found + [(each, RECALLED, key, memory.id) for each in memory.recalled]


def _lengthen(connection: sqlite3.Connection, entries: Iterable[Entry], limits: Limits) -> None:
    # Counted anew, not added: who recalled it may have been remembered first, or twice.
    used = sorted({each for entry in entries for each in (entry.memory.id, *entry.memory.recalled)})
    connection.execute(
        "UPDATE memories SET lives = known_at + ? * min(?, uses) FROM"
        " (SELECT link, scope AS whose, count(*) AS uses FROM links"
        f" WHERE link IN {places(used)} AND kind = ? GROUP BY link, scope) WHERE scope = whose AND id = link",
        (int(limits.days_per_use * _DAY), limits.uses, *used, RECALLED),
    )


def _trim(connection: sqlite3.Connection, scopes: Sequence[str], limits: Limits) -> None:
    aged = (
        "SELECT memories.scope, id FROM scopes JOIN memories ON memories.scope = scopes.scope"
        f" AND known_at < newest - ? WHERE scopes.scope IN {places(scopes)}"
    )
    delete(connection, connection.execute(aged, (int(limits.days * _DAY), *scopes)).fetchall())
    full = f"SELECT scope, count, size FROM scopes WHERE scope IN {places(scopes)} AND (count > ? OR size > ?)"
    for scope, count, size in connection.execute(full, (*scopes, limits.count, limits.size)).fetchall():
        _forget(connection, scope, count - _spared(limits.count), size - _spared(limits.size))


def _spared(limit: int) -> int:
    return limit - limit // _SLACK


def _forget(connection: sqlite3.Connection, scope: str, count: int, size: int) -> None:
    query = "SELECT scope, id, length(body) + length(vector) FROM memories WHERE scope = ? ORDER BY lives, number"
    gone = []
    for _, memory_id, weight in connection.execute(query, (scope,)):
        if count <= 0 and size <= 0:
            break
        gone.append((scope, memory_id))
        count, size = count - 1, size - weight
    delete(connection, gone)

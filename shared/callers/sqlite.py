"""Keys in a SQLite file of their own, beside the desk's: a running host holds that one, and these change meanwhile."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from shared.callers.caller import Role
from shared.callers.key import Key
from shared.errors import MissingError, TransientError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY,
    owner TEXT,
    roles TEXT NOT NULL,
    digest TEXT NOT NULL,
    created_at TEXT NOT NULL,
    revoked_at TEXT
) WITHOUT ROWID
"""
_BUSY_SECONDS = 2.0


class SqliteKeyRing:
    """A `KeyRing` in a file, which is made at the first use and which only its user can read.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def add(self, key: Key) -> None:
        """Keep a key."""
        roles = ",".join(sorted(key.roles))
        with self._open() as file:
            file.execute(
                "INSERT INTO keys (id, owner, roles, digest, created_at) VALUES (?, ?, ?, ?, ?)",
                (key.id, key.owner, roles, key.digest, key.created_at.isoformat()),
            )

    async def keys(self) -> list[Key]:
        """Give all keys, those that were revoked too, oldest first."""
        columns = "id, owner, roles, digest, created_at, revoked_at"
        with self._open() as file:
            return [_key(*row) for row in file.execute(f"SELECT {columns} FROM keys ORDER BY created_at, id")]

    async def revoke(self, key_id: str, now: datetime) -> None:
        """Let a key prove nothing any more."""
        change = "UPDATE keys SET digest = '', revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
        with self._open() as file:
            if not file.execute(change, (now.isoformat(), key_id)).rowcount:
                raise MissingError(f"there is no key {key_id}")

    async def forget(self, owner: str) -> None:
        """Delete all keys of an owner's."""
        with self._open() as file:
            file.execute("DELETE FROM keys WHERE owner = ?", (owner,))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        # Opened anew each time: it is read every few seconds at most, and may be replaced by a restored one.
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch(mode=0o600)
            with closing(sqlite3.connect(self._path, timeout=_BUSY_SECONDS)) as file, file:
                file.execute("PRAGMA secure_delete = ON")
                file.execute(_SCHEMA)
                _bring_up_to_date(file)
                yield file
        except (OSError, sqlite3.Error) as error:
            raise TransientError(f"the keys in {self._path} cannot be used: {error}") from error


def _bring_up_to_date(file: sqlite3.Connection) -> None:
    """Give a file from before revoked keys were kept the column for it."""
    if not any(column == "revoked_at" for _, column, *_ in file.execute("PRAGMA table_info(keys)")):
        file.execute("ALTER TABLE keys ADD COLUMN revoked_at TEXT")


def _key(key_id: str, owner: str | None, roles: str, digest: str, created_at: str, revoked_at: str | None) -> Key:
    return Key(
        id=key_id,
        owner=owner,
        roles=frozenset(map(Role, roles.split(","))),
        digest=digest,
        created_at=datetime.fromisoformat(created_at),
        revoked_at=datetime.fromisoformat(revoked_at) if revoked_at else None,
    )

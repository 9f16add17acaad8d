"""The key ring in a file keeps the contract, between processes, for its user alone, and without the keys."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from itertools import count
from pathlib import Path

import pytest

from shared.callers.key import new_key
from shared.callers.port import KeyRing
from shared.callers.sqlite import SqliteKeyRing
from shared.errors import TransientError
from tests.contract.key_ring import BOTH, NOW, KeyRingContract


class TestSqliteKeyRing(KeyRingContract):
    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path) -> None:
        self.files = (tmp_path / f"{number}/keys.sqlite" for number in count())

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[KeyRing]:
        yield SqliteKeyRing(next(self.files))


async def test_file_when_a_key_is_in_it_is_its_users_and_holds_no_key(tmp_path: Path) -> None:
    file = tmp_path / "desk" / "keys.sqlite"
    key, text = new_key("alice", BOTH, NOW)
    await SqliteKeyRing(file).add(key)
    assert file.stat().st_mode & 0o777 == 0o600
    held = b"".join(each.read_bytes() for each in file.parent.iterdir())
    assert key.digest.encode() in held
    assert text.rpartition(key.id)[2].encode() not in held
    assert await SqliteKeyRing(file).keys() == [key]


async def test_file_when_it_is_from_before_revoked_keys_were_kept_goes_on(tmp_path: Path) -> None:
    file, (key, _) = tmp_path / "keys.sqlite", new_key("alice", BOTH, NOW)
    with closing(sqlite3.connect(file)) as old, old:
        old.execute(
            "CREATE TABLE keys (id TEXT PRIMARY KEY, owner TEXT, roles TEXT NOT NULL, digest TEXT NOT NULL,"
            " created_at TEXT NOT NULL) WITHOUT ROWID"
        )
        roles = ",".join(sorted(key.roles))
        values = (key.id, key.owner, roles, key.digest, key.created_at.isoformat())
        old.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?)", values)
    ring = SqliteKeyRing(file)
    assert await ring.keys() == [key]
    await ring.revoke(key.id, NOW)
    assert await SqliteKeyRing(file).keys() == [key.revoked(NOW)]
    assert key.digest.encode() not in file.read_bytes()


async def test_file_when_an_owner_is_forgotten_holds_nothing_of_theirs_not_even_unused(tmp_path: Path) -> None:
    file, (key, _) = tmp_path / "keys.sqlite", new_key("alice", BOTH, NOW)
    ring = SqliteKeyRing(file)
    await ring.add(key)
    assert key.digest.encode() in file.read_bytes()
    await ring.forget("alice")
    assert key.digest.encode() not in file.read_bytes()
    assert b"alice" not in file.read_bytes()


async def test_file_when_it_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "keys.sqlite").write_bytes(b"no database, this" * 100)
    with pytest.raises(TransientError, match=r"keys in .* cannot be used"):
        await SqliteKeyRing(tmp_path / "keys.sqlite").keys()

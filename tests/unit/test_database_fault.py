"""The database where the file is none, another holds it, or the disk is full: told as such, and none is half done."""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from shared.errors import InvalidError, TransientError
from shared.sqlite import Database
from tests.held import held
from tests.unit.database_bench import REPOSITORY, SCHEMA, insert, limit_pages, numbers


async def test_write_when_another_program_holds_the_file_waits_without_stopping_the_loop(database: Database) -> None:
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        write = asyncio.create_task(database.write(insert(1)))
        for _ in range(5):
            await asyncio.sleep(0.01)
        assert not write.done()
        other.execute("COMMIT")
        assert await write == 1


async def test_write_when_another_program_never_lets_go_is_transient(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.sqlite.BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TransientError, match="locked"):
            await database.write(insert(1))
        other.execute("COMMIT")
    assert await database.write(insert(2)) == 2


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be taken for one" * 100, b"\x00" * 4096])
def test_file_when_it_is_no_database_is_refused_in_one_line(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(InvalidError, match="cannot be used"):
        Database(path, (SCHEMA,))


def test_folder_when_it_is_a_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(InvalidError, match="cannot be used"):
        Database(tmp_path / "data" / "desk.db", (SCHEMA,))


async def test_write_when_the_disk_is_full_is_transient_and_works_again_after_space_returns(database: Database) -> None:
    await limit_pages(database, 1)
    with pytest.raises(TransientError, match="full"):
        await database.write(insert(1, "x" * 100_000))
    assert numbers(database) == []
    await limit_pages(database, 1_000_000)
    await database.write(insert(1, "x" * 100_000))
    assert numbers(database) == [1]


async def test_group_when_the_disk_is_full_is_told_to_try_again_as_a_whole(database: Database) -> None:
    seen: list[int] = []
    await limit_pages(database, 1)
    async with held(database):
        works = [insert(1), insert(2, "x" * 100_000), insert(3)]
        writes = [asyncio.create_task(database.write(work, then=seen.append)) for work in works]
        await asyncio.sleep(0)
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(result) for result in results] == [TransientError] * 3
    assert (numbers(database), seen) == ([], [])


async def test_group_when_one_unit_meets_a_failing_disk_is_undone_and_the_writer_goes_on(database: Database) -> None:
    def work(connection: sqlite3.Connection) -> None:
        insert(2)(connection)
        raise sqlite3.OperationalError("disk I/O error")

    async with held(database):
        writes = [asyncio.create_task(database.write(insert(1))), asyncio.create_task(database.write(work))]
        await asyncio.sleep(0)
    for write in writes:
        with pytest.raises(TransientError, match="disk I/O error"):
            await write
    assert numbers(database) == []
    await database.write(insert(3))
    assert numbers(database) == [3]


def test_write_when_the_file_cannot_grow_at_commit_is_transient_and_works_again(path: Path) -> None:
    # The limit holds for a whole process, hence one of its own; SQLite learns of it as of a full disk, at COMMIT.
    done = subprocess.run(
        [sys.executable, "-c", _STARVED, str(path)], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (done.stdout.splitlines(), done.stderr) == (["TransientError []", "[1]"], "")


_STARVED = """
import asyncio, resource, sys
from pathlib import Path
from shared.errors import TransientError
from shared.sqlite import Database
from tests.unit.database_bench import SCHEMA, insert, numbers

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

async def main():
    database = Database(Path(sys.argv[1]), (SCHEMA,))
    limit(20_000)
    try:
        await database.write(insert(1, "x" * 100_000))
    except TransientError as error:
        print(type(error).__name__, numbers(database))
    limit(resource.RLIM_INFINITY)
    await database.write(insert(1, "x" * 100_000))
    print(numbers(database))
    database.close()

asyncio.run(main())
"""

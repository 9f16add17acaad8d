"""The database: one writer that commits in groups, one owner, and no lost work."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidError, TransientError
from shared.sqlite import Database, Work, from_microseconds, to_microseconds
from tests.held import held

SCHEMA = "CREATE TABLE IF NOT EXISTS numbers (number INTEGER PRIMARY KEY, text TEXT NOT NULL DEFAULT '')"
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "desk.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database(path, (SCHEMA,))
    yield database
    database.close()


def insert(number: int, text: str = "") -> Work[int]:
    """Give a unit of work that adds a number, and gives it."""

    def work(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO numbers VALUES (?, ?)", (number, text))
        return number

    return work


def insert_and_fail(number: int) -> Work[int]:
    """Give a unit of work that breaks after it has added a number."""

    def work(connection: sqlite3.Connection) -> int:
        insert(number)(connection)
        raise ValueError(f"no {number}")

    return work


def numbers(database: Database) -> list[int]:
    """Give what is committed."""
    return [number for (number,) in database.read("SELECT number FROM numbers ORDER BY number")]


async def limit_pages(database: Database, most: int) -> None:
    """Let the file grow to so many pages; what is there already is kept."""
    await database.write(lambda connection: connection.execute(f"PRAGMA max_page_count = {most}").fetchall())


async def test_write_when_it_returns_gives_the_result_and_is_committed(database: Database) -> None:
    assert await database.write(insert(7)) == 7
    assert numbers(database) == [7]


async def test_writers_when_they_wait_together_share_one_commit(database: Database) -> None:
    async with held(database) as hold:
        writes = [asyncio.create_task(database.write(insert(number))) for number in range(20)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*writes) == list(range(20))
    inserts = [place for place, statement in enumerate(hold.statements) if statement.startswith("INSERT")]
    between = hold.statements[inserts[0] : inserts[-1]]
    assert len(inserts) == 20
    assert "COMMIT" not in between
    assert "BEGIN IMMEDIATE" not in between


async def test_writes_when_queued_are_done_in_order(database: Database) -> None:
    async with held(database):
        for number in range(10):
            database.submit(lambda c, n=number: c.execute("INSERT INTO numbers (text) VALUES (?)", (str(n),)).rowcount)  # type: ignore[misc]
    await database.write(lambda _: None)
    assert [text for (text,) in database.read("SELECT text FROM numbers ORDER BY number")] == [*"0123456789"]


async def test_patient_work_when_something_else_is_written_shares_its_commit(database: Database) -> None:
    async with held(database) as hold:
        patient = database.submit(insert(1), patience=60)
    assert not patient.done()
    await database.write(insert(2))
    assert await patient == 1
    assert hold.statements.count("BEGIN IMMEDIATE") == 1


async def test_patient_work_when_nothing_else_is_written_is_written_alone(database: Database) -> None:
    await asyncio.gather(*(database.submit(insert(number), patience=0.01) for number in (1, 2)))
    assert numbers(database) == [1, 2]
    assert await database.write(insert(3)) == 3


async def test_patient_work_when_its_time_comes_during_a_commit_is_written_after_it(database: Database) -> None:
    async with held(database):
        first, second = (database.submit(insert(number), patience=0.01 * number) for number in (1, 2))
        await asyncio.sleep(0.05)
        assert not first.done()
    await asyncio.gather(first, second)
    assert numbers(database) == [1, 2]


async def test_patient_work_when_its_time_comes_while_it_is_committed_leaves_the_writer_as_it_was(
    database: Database,
) -> None:
    async with held(database):
        patient = database.submit(insert(1), patience=0.05)
        urgent = database.submit(insert(2))
    async with held(database):
        await asyncio.gather(patient, urgent)
        await asyncio.sleep(0.06)
    assert await database.write(insert(3)) == 3


async def test_patient_work_when_the_database_closes_is_written_first(path: Path) -> None:
    database = Database(path, (SCHEMA,))
    database.submit(insert(1), patience=60)
    database.close()
    with closing(sqlite3.connect(path)) as reader:
        assert reader.execute("SELECT number FROM numbers").fetchall() == [(1,)]


async def test_unit_of_work_when_it_fails_is_rolled_back_alone(database: Database) -> None:
    async with held(database):
        writes = [
            asyncio.create_task(database.write(work)) for work in (insert(1), insert_and_fail(2), insert(1), insert(3))
        ]
        await asyncio.sleep(0)
    first, second, third, fourth = await asyncio.gather(*writes, return_exceptions=True)
    assert (first, fourth) == (1, 3)
    assert isinstance(second, ValueError)
    assert isinstance(third, sqlite3.IntegrityError)
    assert numbers(database) == [1, 3]


async def test_then_when_the_work_is_committed_runs_on_the_loop(database: Database) -> None:
    seen: list[tuple[int, list[int], int]] = []
    await database.write(insert(1), then=lambda number: seen.append((number, numbers(database), threading.get_ident())))
    assert seen == [(1, [1], threading.get_ident())]


async def test_then_when_the_work_fails_does_not_run(database: Database) -> None:
    seen: list[int] = []
    with pytest.raises(ValueError, match="no 1"):
        await database.write(insert_and_fail(1), then=seen.append)
    assert seen == []


async def test_then_when_the_waiter_was_cancelled_runs_all_the_same(database: Database) -> None:
    seen: list[int] = []
    async with held(database):
        write = asyncio.create_task(database.write(insert(1), then=seen.append))
        await asyncio.sleep(0)
        write.cancel()
        with pytest.raises(asyncio.CancelledError):
            await write
        assert seen == []
    await database.write(insert(2))
    assert seen == [1]
    assert numbers(database) == [1, 2]


async def test_then_when_it_breaks_fails_its_own_writer_and_no_other(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: int) -> None:
        raise ValueError("broken")

    async with held(database):
        writes = [
            asyncio.create_task(database.write(insert(number), then=broken if number == 1 else None))
            for number in range(3)
        ]
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        results = await asyncio.gather(*writes, return_exceptions=True)
    assert (results[0], results[2]) == (0, 2)
    assert isinstance(results[1], ValueError)
    assert "not followed up" in caplog.text


async def test_read_when_a_commit_is_under_way_sees_what_was_committed_before(database: Database) -> None:
    await database.write(insert(1))
    # More than SQLite keeps in memory, so that part of it is in the files before the commit.
    async with held(database, insert(2, "x" * 5_000_000)):
        assert numbers(database) == [1]
    assert numbers(database) == [1, 2]


async def test_read_when_it_would_write_is_refused(database: Database) -> None:
    with pytest.raises(TransientError, match="readonly"):
        database.read("INSERT INTO numbers VALUES (1, '')")


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
from tests.unit.test_database import SCHEMA, insert, numbers

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


async def test_close_when_work_is_queued_writes_it_first(path: Path) -> None:
    database = Database(path, (SCHEMA,))
    async with held(database) as hold:
        writes = [asyncio.create_task(database.write(insert(number))) for number in range(50)]
        await asyncio.sleep(0)
        threading.Timer(0.05, hold.release).start()
        database.close()
    async with asyncio.timeout(5):
        assert await asyncio.gather(*writes) == list(range(50))
    with opened(path) as reopened:
        assert numbers(reopened) == list(range(50))


async def test_write_when_the_database_is_closed_is_refused(path: Path) -> None:
    database = Database(path, (SCHEMA,))
    database.close()
    async with asyncio.timeout(5):
        with pytest.raises(TransientError, match="closed"):
            await database.write(insert(1))


def test_close_when_done_twice_is_harmless(path: Path) -> None:
    database = Database(path, (SCHEMA,))
    database.close()
    database.close()


@contextmanager
def opened(path: Path) -> Iterator[Database]:
    """Open a file again."""
    database = Database(path, (SCHEMA,))
    try:
        yield database
    finally:
        database.close()


def test_owner_when_there_is_one_already_is_named_to_the_second(database: Database) -> None:
    with pytest.raises(InvalidError, match=rf"process {os.getpid()}\b"):
        Database(database.path, (SCHEMA,))


def test_owner_when_it_has_closed_leaves_the_file_to_the_next(path: Path) -> None:
    with opened(path):
        pass
    with opened(path) as database:
        assert numbers(database) == []


def test_owner_when_refused_does_not_take_the_lock_from_the_first(database: Database) -> None:
    for _ in range(2):
        with pytest.raises(InvalidError, match=rf"process {os.getpid()}\b"):
            Database(database.path, (SCHEMA,))


def test_owner_when_it_is_another_process_is_named_and_its_death_frees_the_file(path: Path) -> None:
    code = "import sys, pathlib, shared.sqlite as s; kept = s.Database(pathlib.Path(sys.argv[1]), ()); print(); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(InvalidError, match=rf"process {process.pid}\b"):
            Database(path, (SCHEMA,))
        process.kill()
    with opened(path) as database:
        assert numbers(database) == []


def test_set_up_when_the_file_is_fresh_runs_at_once(database: Database) -> None:
    database.set_up("INSERT INTO numbers VALUES (?, ?)", (1, "text"))
    assert database.read("SELECT number, text FROM numbers WHERE number = ?", (1,)) == [(1, "text")]


@given(moment=st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.timezones()))
def test_microseconds_when_turned_back_are_the_same_instant(moment: datetime) -> None:
    # Compared in UTC: a local time that a clock change skips equals nothing, not even itself in another zone.
    assert from_microseconds(to_microseconds(moment)) == moment.astimezone(UTC)


@given(moments=st.lists(st.datetimes(timezones=st.just(UTC)), min_size=2, max_size=2))
def test_microseconds_when_compared_sort_as_the_moments(moments: list[datetime]) -> None:
    assert sorted(moments, key=to_microseconds) == sorted(moments)
    assert to_microseconds(moments[0]) - to_microseconds(moments[1]) == (moments[0] - moments[1]) // timedelta(
        microseconds=1
    )

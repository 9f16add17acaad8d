"""The database: one writer that commits in groups, and no lost work."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from shared.errors import TransientError
from shared.sqlite import Database
from tests.held import held
from tests.unit.database_bench import SCHEMA, insert, insert_and_fail, numbers


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
    assert set(between) == {statement for statement in between if statement.startswith("INSERT")}


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


async def test_unit_of_work_when_another_of_its_group_fails_counts_once(database: Database) -> None:
    ran = list[int]()

    def work(connection: sqlite3.Connection) -> int:
        ran.append(insert(len(ran))(connection))
        return ran[-1]

    async with held(database):
        done, failed = database.submit(work), database.submit(insert_and_fail(7))
    with pytest.raises(ValueError, match="no 7"):
        await failed
    assert (await done, ran, numbers(database)) == (1, [0, 1], [1])


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

"""The database's beginning and end: one owner, all queued work written at the close, and moments as they are kept."""

import asyncio
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidError, TransientError
from shared.sqlite import Database, from_microseconds, to_microseconds
from tests.held import held
from tests.unit.database_bench import REPOSITORY, SCHEMA, insert, numbers, opened


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

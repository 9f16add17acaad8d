"""One SQLite file that a whole embedded desk lives in: one writer with group commit, one owner at a time.

Everything that is waiting to be written is committed together, so that many small transactions share one fsync. A unit
of work is atomic: it either happens with the rest of its group or is rolled back alone.
"""

import asyncio
import fcntl
import logging
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from shared.errors import InvalidError, TransientError

logger = logging.getLogger(__name__)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

type Work[T] = Callable[[sqlite3.Connection], T]


def to_microseconds(moment: datetime) -> int:
    """Give an instant as whole microseconds since 1970, which sort and compare as integers."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def from_microseconds(count: int) -> datetime:
    """Give the UTC instant that `to_microseconds` turned into `count`."""
    # Exact: a float64 of seconds is good to a tenth of a microsecond for centuries to come, and this is read in bulk.
    return datetime.fromtimestamp(count / 1_000_000, UTC)


@dataclass(slots=True)
class _Job:
    work: Work[Any]
    future: Future[Any]
    then: Callable[[Any], None] | None
    loop: asyncio.AbstractEventLoop


class Database:
    """An open file.

    Parameters
    ----------
    path : Path
        The file; its folder is made.
    schema : sequence of str
        SQL scripts that create what is missing.

    Raises
    ------
    InvalidError
        Another process has the file open; its process id is named.
    """

    def __init__(self, path: Path, schema: Sequence[str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lock = _lock(path.with_suffix(".lock"))
        self._writer = _connect(path)
        for script in schema:
            self._writer.executescript(script)
        self._reader = _connect(path)
        self._reader.execute("PRAGMA query_only = ON")
        self._closed = False
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    async def write[T](self, work: Work[T], then: Callable[[T], None] | None = None) -> T:
        """Run `work` in a transaction and wait until it is on disk.

        Parameters
        ----------
        work : callable
            Takes the connection; runs in the writer's thread.
        then : callable, optional
            Runs on the event loop after the commit, even if nobody waits any more.

        Raises
        ------
        TransientError
            The disk is full or failing, the file is busy, or it was closed.
        """
        return await asyncio.wrap_future(self.submit(work, then))

    def submit[T](self, work: Work[T], then: Callable[[T], None] | None = None) -> Future[T]:
        """Queue `work` for the next group commit without waiting for it."""
        future: Future[T] = Future()
        if self._closed:
            future.set_exception(TransientError("the store is closed"))
        else:
            self._jobs.put(_Job(work, future, then, asyncio.get_running_loop()))
        return future

    def read(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Run a query on what is committed, and give its rows; for short queries, on the event loop's thread."""
        try:
            return self._reader.execute(sql, parameters).fetchall()
        except sqlite3.OperationalError as error:
            raise TransientError(f"the store cannot be read: {error}") from error

    def set_up(self, sql: str, parameters: Sequence[object] = ()) -> None:
        """Run one statement at once, while nothing else is using the file yet."""
        self._writer.execute(sql, parameters)

    def close(self) -> None:
        """Write what is queued, then let go of the file."""
        self._closed = True
        self._jobs.put(None)
        self._thread.join()
        self._reader.close()
        self._writer.close()
        self._lock.close()

    def _run(self) -> None:
        closing = False
        while not closing:
            jobs = [self._jobs.get()]
            while not self._jobs.empty():
                jobs.append(self._jobs.get())
            closing = None in jobs
            self._commit([job for job in jobs if job is not None])

    def _commit(self, jobs: list[_Job]) -> None:
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            outcomes = [self._attempt(job) for job in jobs]
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            outcomes = [(job, None, TransientError(f"the store cannot be written: {error}")) for job in jobs]
        for loop in {job.loop for job in jobs}:
            mine = [outcome for outcome in outcomes if outcome[0].loop is loop]
            if not loop.is_closed():
                loop.call_soon_threadsafe(_tell, mine)

    def _attempt(self, job: _Job) -> tuple[_Job, Any, Exception | None]:
        self._writer.execute("SAVEPOINT work")
        result, problem = None, None
        try:
            result = job.work(self._writer)
        except sqlite3.OperationalError:
            raise
        except Exception as error:  # noqa: BLE001 - whoever waits for this work gets it; its group must not suffer
            self._writer.execute("ROLLBACK TO work")
            problem = error
        self._writer.execute("RELEASE work")
        return job, result, problem

    def _roll_back(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")


def _tell(outcomes: list[tuple[_Job, Any, Exception | None]]) -> None:
    for job, result, failure in outcomes:
        problem = failure or _follow_up(job, result)
        if not job.future.set_running_or_notify_cancel():
            continue
        if problem is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(problem)


def _follow_up(job: _Job, result: Any) -> Exception | None:
    try:
        if job.then is not None:
            job.then(result)
    except Exception as error:  # whoever waits for this work gets it; its group must not suffer
        logger.exception("what was written was not followed up")
        return error
    return None


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _lock(path: Path) -> IO[str]:
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise InvalidError(f"{path.parent} is in use by another FinAgent host (process {owner})") from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file

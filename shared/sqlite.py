"""One SQLite file that a whole embedded desk lives in: one writer with group commit, one owner at a time.

Everything that is waiting to be written is committed together, so that many small transactions share one fsync. A unit
of work is atomic: it either happens with the rest of its group or is rolled back alone.
"""

import asyncio
import fcntl
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from shared.errors import InvalidError, TransientError

logger = logging.getLogger(__name__)

BUSY_SECONDS = 5.0
BUSY_PAUSE_SECONDS = 0.02
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class InUseError(InvalidError):
    """Another process has the file open."""


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
    then: Callable[[Any], None] | None
    future: "asyncio.Future[Any]"
    result: Any = None
    problem: Exception | None = None


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
        The file cannot be opened, or is no such file; or another process has it open, whose id is named.
    """

    def __init__(self, path: Path, schema: Sequence[str]) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(path.with_suffix(".lock"))
        except OSError as error:
            raise InvalidError(f"{path} cannot be used: {error}") from error
        try:
            self._writer, self._reader = _open(path, schema)
        except sqlite3.Error as error:
            self._lock.close()
            raise InvalidError(f"{path} cannot be used: {error}") from error
        self._waiting: list[_Job] = []
        self._group: list[_Job] = []
        self._urgent = False
        self._commit: Future[object] | None = None
        self._committer = ThreadPoolExecutor(1, "sqlite-commit")
        self._blocked_since: float | None = None
        self._closed = False

    async def write[T](self, work: Work[T], then: Callable[[T], None] | None = None) -> T:
        """Run `work` in a transaction and wait until it is on disk.

        Parameters
        ----------
        work : callable
            Takes the connection; runs on the event loop, so it must be short, and once more where other work of its
            group failed, so it must do the same again.
        then : callable, optional
            Runs on the event loop after the commit, even if nobody waits any more.

        Raises
        ------
        TransientError
            The disk is full or failing, the file is busy, or it was closed.
        """
        return await self.submit(work, then)

    def submit[T](
        self, work: Work[T], then: Callable[[T], None] | None = None, *, patience: float = 0.0
    ) -> "asyncio.Future[T]":
        """Queue `work` for the next group commit without waiting for it.

        Parameters
        ----------
        patience : float
            Seconds that it may wait for a group that is written for the sake of something else.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if self._closed:
            future.set_exception(TransientError("the store is closed"))
            return future
        self._waiting.append(_Job(work, then, future))
        if patience:
            loop.call_later(patience, self._hurry, future)
        elif not self._urgent:
            self._urgent = True
            loop.call_soon(self._begin)
        return future

    def read(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """Run a query on what is committed, and give its rows; for short queries, on the event loop's thread."""
        try:
            return self._reader.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise TransientError(f"the store cannot be read: {error}") from error

    async def scrub(self) -> None:
        """Write the file anew, so that nothing that was deleted can be read in it or in its write-ahead log.

        For a file that nobody works with meanwhile: it takes as long as the file is large, and as much room again.

        Raises
        ------
        TransientError
            The disk is full or failing, or somebody else reads the file; the file is as it was, or done.
        """
        try:
            self._writer.execute("VACUUM")
            (busy, *_) = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise TransientError(f"{self.path} cannot be written anew: {error}") from error
        if busy:
            raise TransientError(f"{self.path} is being read; do it again when nobody does")

    def set_up(self, sql: str, parameters: Sequence[object] = ()) -> None:
        """Run one statement at once, while nothing else is using the file yet."""
        self._writer.execute(sql, parameters)

    def close(self) -> None:
        """Write what is queued, then let go of the file."""
        self._closed = True
        while self._waiting or self._commit is not None:
            self._end()
            self._urgent = bool(self._waiting)
            self._begin()
        self._committer.shutdown()
        self._reader.close()
        self._writer.close()
        self._lock.close()

    # The statements run on the event loop, the commit, which waits for the disk, in a thread: handing each statement to
    # a thread costs more than running it, since both threads want the interpreter.

    def _hurry(self, future: "asyncio.Future[Any]") -> None:
        if self._waiting and not future.done():
            self._urgent = True
            self._begin()

    def _begin(self) -> None:
        if self._commit is not None or not self._urgent:
            return
        loop = self._waiting[0].future.get_loop()
        try:
            self._writer.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            if self._has_patience(error):
                loop.call_later(BUSY_PAUSE_SECONDS, self._begin)
                return
            self._take_all()
            self._tell(error)
            return
        self._blocked_since = None
        self._take_all()
        try:
            self._run_group()
        except sqlite3.Error as error:
            self._tell(error)
            return
        self._commit = self._committer.submit(self._writer.execute, "COMMIT")
        self._commit.add_done_callback(lambda _: loop.is_closed() or loop.call_soon_threadsafe(self._end_and_go_on))

    def _take_all(self) -> None:
        self._group, self._waiting, self._urgent = self._waiting, [], False

    def _has_patience(self, error: sqlite3.Error) -> bool:
        # Somebody looks into the file with another program; waiting inside SQLite would stop the event loop.
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or self._closed:
            return False
        now = time.monotonic()
        if self._blocked_since is None:
            self._blocked_since = now
        if now - self._blocked_since < BUSY_SECONDS:
            return True
        self._blocked_since = None
        return False

    def _run_group(self) -> None:
        # A savepoint around each would have SQLite write down every page that it changes once more, in case.
        try:
            for job in self._group:
                job.result = job.work(self._writer)
        except sqlite3.OperationalError:
            raise
        except Exception:  # noqa: BLE001 - it is met again, and told to whoever waits for this work
            self._writer.execute("ROLLBACK")
            self._writer.execute("BEGIN IMMEDIATE")
            for job in self._group:
                self._attempt(job)

    def _attempt(self, job: _Job) -> None:
        self._writer.execute("SAVEPOINT work")
        try:
            job.result = job.work(self._writer)
        except sqlite3.OperationalError:
            raise
        except Exception as error:  # noqa: BLE001 - whoever waits for this work gets it; its group must not suffer
            self._writer.execute("ROLLBACK TO work")
            job.problem = error
        self._writer.execute("RELEASE work")

    def _end_and_go_on(self) -> None:
        self._end()
        self._begin()

    def _end(self) -> None:
        commit, self._commit = self._commit, None
        if commit is not None:
            self._tell(commit.exception())

    def _tell(self, failure: BaseException | None) -> None:
        group, self._group = self._group, []
        if failure is not None and self._writer.in_transaction:
            self._writer.execute("ROLLBACK")
        for job in group:
            problem = TransientError(f"the store cannot be written: {failure}") if failure else job.problem
            _answer(job, problem or _follow_up(job))


def _answer(job: _Job, problem: Exception | None) -> None:
    if job.future.done() or job.future.get_loop().is_closed():
        return
    if problem is None:
        job.future.set_result(job.result)
    else:
        job.future.set_exception(problem)


def _follow_up(job: _Job) -> Exception | None:
    try:
        if job.then is not None:
            job.then(job.result)
    except Exception as error:  # whoever waits for this work gets it; its group must not suffer
        logger.exception("what was written was not followed up")
        return error
    return None


def _open(path: Path, schema: Sequence[str]) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    with closing(_connect(path)) as maker:
        for script in schema:
            maker.executescript(script)
    writer = _connect(path)
    # From now on whoever waits for a lock waits beside the event loop, not on it.
    writer.execute("PRAGMA busy_timeout = 0")
    # What is deleted is messages, whose events stay; whoever forgets an owner has the whole file written anew.
    writer.execute("PRAGMA secure_delete = OFF")
    reader = _connect(path)
    reader.execute("PRAGMA query_only = ON")
    return writer, reader


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _lock(path: Path) -> IO[str]:
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise InUseError(f"{path.parent} is in use by another FinAgent host (process {owner})") from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file

"""Holds a database in the middle of a commit, for tests of what happens meanwhile."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.sqlite import Database, Work


class Hold:
    """A commit that waits; `statements` are those that ran since."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self._begun, self._released = threading.Event(), threading.Event()

    def release(self) -> None:
        """Let the commit go on."""
        self._released.set()

    def trace(self, statement: str) -> None:
        """Note a statement, and wait in a commit."""
        self.statements.append(statement)
        if statement == "COMMIT":
            self._begun.set()
            self._released.wait(5)

    async def begun(self) -> None:
        """Wait until the commit has begun."""
        assert await asyncio.to_thread(self._begun.wait, 5)


@asynccontextmanager
async def held(database: Database, work: Work[object] = lambda _: None) -> AsyncIterator[Hold]:
    """Keep a commit waiting until the end, so that everything that is queued inside forms the next group.

    Parameters
    ----------
    work : callable
        What the waiting commit is about.
    """
    hold = Hold()

    def begin(connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(hold.trace)
        work(connection)

    first = database.submit(begin)
    await hold.begun()
    try:
        yield hold
    finally:
        hold.release()
        await first

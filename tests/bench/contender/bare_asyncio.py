"""The least there can be: asyncio queues, and each of a trade's five events committed to SQLite by itself.

No receipts, no redelivery, no deadline, no snapshots: after a crash nobody would know what is left to do.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from shared.events.trade import Trade
from tests.bench.contender.port import Ask
from tests.bench.panel import AGENTS, Panel, a_request

type Question = tuple[bytes, asyncio.Queue[bytes]]


@asynccontextmanager
async def in_sqlite(folder: Path) -> AsyncIterator[Ask]:
    """Give queues with an agent behind each."""
    with closing(sqlite3.connect(folder / "bare.sqlite", isolation_level=None)) as log:
        log.execute("PRAGMA journal_mode = WAL")
        log.execute("PRAGMA synchronous = FULL")
        log.execute("CREATE TABLE events (position INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        panel, queues = await Panel.open(), {agent: asyncio.Queue[Question]() for agent in AGENTS}
        async with asyncio.TaskGroup() as agents:
            working = [agents.create_task(_work(log, panel, agent, queue)) for agent, queue in queues.items()]
            yield _asking(log, panel, list(queues.values()))
            for task in working:
                task.cancel()


def _asking(log: sqlite3.Connection, panel: Panel, queues: list[asyncio.Queue[Question]]) -> Ask:
    async def ask(name: str, trade: Trade) -> bytes:
        request, votes = a_request(name, trade).json_bytes, asyncio.Queue[bytes]()
        _append(log, request)
        for queue in queues:
            queue.put_nowait((request, votes))
        consensus = panel.weigh(request, [await votes.get() for _ in queues])
        _append(log, consensus)
        return consensus

    return ask


async def _work(log: sqlite3.Connection, panel: Panel, agent: str, queue: asyncio.Queue[Question]) -> None:
    while True:
        request, votes = await queue.get()
        vote = await panel.vote(agent, request)
        _append(log, vote)
        votes.put_nowait(vote)


def _append(log: sqlite3.Connection, body: bytes) -> None:
    log.execute("INSERT INTO events (body) VALUES (?)", (body,))

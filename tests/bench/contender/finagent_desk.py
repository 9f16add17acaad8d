"""FinAgent: the embedded host in this process, with its store, bus, agents and timers, as `finagent run` starts it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic_core import from_json

from local.host import Host
from shared.events.trade import Trade
from shared.store.port import Filter
from shared.wiring import Desk
from tests.bench.contender.port import Ask
from tests.bench.panel import a_holding, a_request

_PAGE = 500
_WAIT_SECONDS = 10


@asynccontextmanager
async def opened(_folder: Path) -> AsyncIterator[Ask]:
    """Give a desk on the folder that the environment names; it answers when the consensus is in its log, on disk."""
    host, ready = Host(0), asyncio.Event()
    running = asyncio.create_task(host.run(ready.set))
    await asyncio.wait([running, asyncio.create_task(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
    desk, decided = host.desk, dict[str, asyncio.Future[bytes]]()
    await desk.runtime.emit([a_holding(desk.clock.now())])
    following = asyncio.create_task(_follow(desk, decided))

    async def ask(name: str, trade: Trade) -> bytes:
        decided[name] = asyncio.get_running_loop().create_future()
        await desk.runtime.emit([a_request(name, trade, desk.clock.now())])
        return await decided[name]

    yield ask
    following.cancel()
    os.kill(os.getpid(), signal.SIGTERM)
    await running


async def _follow(desk: Desk, decided: dict[str, asyncio.Future[bytes]]) -> None:
    """Read the log as a client does that polls for decisions."""
    wanted, cursor = Filter(types=("consensus.reached",)), await desk.store.end()
    while True:
        page = await desk.store.page(wanted, cursor, _PAGE)
        for body in page.events:
            decided.pop(from_json(body)["correlationid"]).set_result(body)
        cursor = page.cursor
        await desk.store.wait(cursor, _WAIT_SECONDS)

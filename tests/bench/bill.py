"""What is billed in Azure for a trade and for bars: request units, operations and executions, on the stand-ins.

Operations and executions are counted as they happen. Request units are the Cosmos stand-in's rough model: good for
comparing designs, not for an invoice.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from local.host import Host
from shared.bus.topology import topology
from shared.store.cosmos import CosmosEventStore
from shared.store.cosmos_container import create_containers
from shared.store.port import Filter
from shared.wiring import Desk
from tests.bench.measure import BenchError
from tests.bench.panel import SETTINGS, a_holding, a_request, a_trade
from tests.bench.table import Table
from tests.standins.cosmos.server import KEY, CosmosStandIn
from tests.standins.service_bus.server import ServiceBusStandIn

TRADES = 20
BARS_OF_AN_EVENT = 4
PATIENCE_SECONDS = 120
QUIET_SECONDS = 1.0


def run(folder: Path) -> list[Table]:
    """Count what a history and `TRADES` trades take on a desk in Azure."""
    return asyncio.run(_run(folder))


async def _run(folder: Path) -> list[Table]:
    async with CosmosStandIn() as cosmos, ServiceBusStandIn(topology()) as bus:
        await create_containers(cosmos.url, KEY)
        os.environ |= {
            **SETTINGS,
            "FINAGENT_DATA": str(folder),
            "SERVICEBUS": bus.connection_string,
            "SERVICEBUS_ADMINISTRATION_URL": bus.administration_url,
            "COSMOS_ENDPOINT": cosmos.url,
            "COSMOS_KEY": KEY,
        }
        host, ready = Host(0), asyncio.Event()
        bill = _billed(host.desk)
        running = asyncio.create_task(host.run(ready.set))
        await asyncio.wait([running, asyncio.create_task(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
        bars = await _bars(host.desk, bill)
        trades = await _trades(host.desk, bill)
        os.kill(os.getpid(), signal.SIGTERM)
        await running
    return [_table(bars, trades)]


def _billed(desk: Desk) -> Counter[str]:
    """Count from now on what this desk asks of the services."""
    bill = Counter[str]()
    assert isinstance(desk.store, CosmosEventStore)
    desk.store._account._charge = lambda _operation, units: bill.update({"RU": units})
    for name, counted in (("publish", "messages sent"), ("receive", "messages received"), ("complete", "settled")):
        setattr(desk.bus, name, _counting(getattr(desk.bus, name), bill, counted))
    return bill


def _counting(
    call: Callable[..., Coroutine[Any, Any, Any]], bill: Counter[str], name: str
) -> Callable[..., Coroutine[Any, Any, Any]]:
    async def counted(*arguments: Any, **options: Any) -> Any:
        given = await call(*arguments, **options)
        bill[name] += len(arguments[0]) if name == "messages sent" else 1
        return given

    return counted


async def _bars(desk: Desk, bill: Counter[str]) -> Counter[str]:
    """Give what an event of bars took: history is read when the desk opens, a little news with it."""
    await _quiet(bill)
    events = len((await desk.store.page(Filter(types=("market.data.received",)), "", 10_000)).events)
    if not events:
        raise BenchError("no bars were read")
    return _shared(bill, events)


async def _trades(desk: Desk, bill: Counter[str]) -> Counter[str]:
    await desk.runtime.emit([a_holding(desk.clock.now())])
    await _quiet(bill)
    bill.clear()
    for number in range(TRADES):
        await desk.runtime.emit([a_request(f"bill-{number}", a_trade(number), desk.clock.now())])
    await _quiet(bill)
    spent = _shared(bill, TRADES)
    decided = len((await desk.store.page(Filter(types=("consensus.reached",)), "", 1_000)).events)
    if decided != TRADES:
        raise BenchError(f"{decided} of {TRADES} trades were decided")
    return spent


def _shared(bill: Counter[str], parts: int) -> Counter[str]:
    return Counter({name: count / parts for name, count in bill.items()})


async def _quiet(bill: Counter[str]) -> None:
    """Wait until nothing is received any more."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        before = -1
        while before != bill["settled"]:
            before = bill["settled"]
            await asyncio.sleep(QUIET_SECONDS)


def _table(bars: Counter[str], trades: Counter[str]) -> Table:
    names = ("RU", "messages sent", "messages received", "settled")
    million = 1_000_000 / BARS_OF_AN_EVENT
    rows = [(name, float(trades[name]), float(bars[name]), million * bars[name]) for name in names]
    rows.append(("executions", *rows[2][1:]))
    return Table(
        "What is billed in Azure",
        ("unit", "a trade", f"an event of {BARS_OF_AN_EVENT} bars", f"a million bars, {BARS_OF_AN_EVENT} an event"),
        rows,
        f"{TRADES} trades; a history of bars with its news, whose reading once is in it. Deadlines, timers, polls and"
        " the wait of receivers for messages are not in it; each execution is one message.",
    )

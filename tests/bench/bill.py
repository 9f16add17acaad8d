"""What is billed in Azure for a trade and for bars, and its price: read from the desk's own ledger, on the stand-ins.

Operations, executions and instance time are counted as they happen. Request units are the Cosmos stand-in's rough
model: good for comparing designs, not for an invoice.
"""

import asyncio
import json
import os
import signal
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic_core import from_json

from local.host import Host
from shared.bus.topology import topology
from shared.calculator import MEASURED
from shared.clock import wall_seconds
from shared.costs import PriceTable
from shared.events.envelope import Event
from shared.ledger.port import NOTHING, Grouping, Span, Sum, Usage
from shared.store.cosmos_container import create_containers
from shared.store.port import Filter
from shared.wiring import Desk
from tests.bench.measure import BenchError
from tests.bench.panel import SETTINGS, a_holding, a_request, a_trade
from tests.bench.table import Table
from tests.builders import a_bar, market_data
from tests.standins.cosmos.charge import size_of
from tests.standins.cosmos.server import KEY, CosmosStandIn
from tests.standins.service_bus.server import ServiceBusStandIn

TRADES = 20
ALONE = 5
BARS_OF_AN_EVENT = 4
EVENT_SIZES = (4, 50)
WARMING = 40
"""Events before those that are measured, so that the analyst has a history to judge by."""
PATIENCE_SECONDS = 120
QUIET_SECONDS = 1.5
DAY_US = 86_400_000_000
COLUMNS = ("a trade alone", f"a trade of {TRADES} at once", f"an event of {BARS_OF_AN_EVENT} bars", "a million bars")

type Counted = tuple[Usage, float]
"""What was used, and by how many."""


def run(folder: Path) -> list[Table]:
    """Count what a history and some trades take on a desk in Azure."""
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
        running = asyncio.create_task(host.run(ready.set))
        await asyncio.wait([running, asyncio.create_task(ready.wait())], return_when=asyncio.FIRST_COMPLETED)
        tables = await _measured(host.desk, cosmos)
        os.kill(os.getpid(), signal.SIGTERM)
        await running
    return tables


async def _measured(desk: Desk, cosmos: CosmosStandIn) -> list[Table]:
    bars, count = await _bars(desk)
    await desk.runtime.emit([a_holding(desk.clock.now())])
    await _quiet(desk)
    alone, before = NOTHING, _stored(cosmos)
    for number in range(ALONE):
        alone = alone.plus(await _trades(desk, [f"alone-{number}"]))
    kinds = {"trade": _kind(alone, ALONE, _stored(cosmos) - before)}
    together = await _trades(desk, [f"together-{number}" for number in range(TRADES)])
    counted = [(alone, ALONE), (together, TRADES), (bars, count), (bars, count * BARS_OF_AN_EVENT / 1e6)]
    entries = ALONE + TRADES
    for size in EVENT_SIZES:
        kinds[f"event_of_{size}_bars"] = await _events(desk, cosmos, size)
    _renew(kinds)
    return [_uses(desk.prices, counted), _prices(desk.prices, counted, await _used(desk, "agent", {"desk"}), entries)]


async def _events(desk: Desk, cosmos: CosmosStandIn, size: int) -> dict[str, float]:
    """Give what a market event of so many bars takes that comes by itself, after some that make a history."""
    for day in range(WARMING):
        await desk.runtime.emit([_market(desk, size, day)])
    await _quiet(desk)
    used, before = NOTHING, _stored(cosmos)
    for day in range(WARMING, WARMING + ALONE):
        event = _market(desk, size, day)
        with desk.book.execution("ingest_market", "ingest_market"):
            await desk.runtime.emit([event])
        await _quiet(desk)
        used = used.plus(await _used(desk, "trade", {event.id}))
    return _kind(used, ALONE, _stored(cosmos) - before)


def _market(desk: Desk, size: int, day: int) -> Event:
    closed_at = desk.clock.now().replace(microsecond=0) - timedelta(days=WARMING + ALONE - day)
    bars = [a_bar(f"Z{size}.{number}", close=100 + day % 7, closed_at=closed_at) for number in range(size)]
    return market_data(*bars, stream=f"market-{size}")


def _stored(cosmos: CosmosStandIn) -> int:
    """Give the bytes of all items."""
    homes = (home for database in cosmos.service.databases.values() for home in database.containers.values())
    return sum(size_of(item.body) for home in homes for part in home.partitions for item in part.items.values())


def _kind(used: Usage, count: int, stored_bytes: int) -> dict[str, float]:
    """Give what one of a kind takes, in the units of `shared.calculator`."""
    taken = {
        "request_units": used.milli_units / 1_000,
        "operations": used.sent + used.received + used.settled,
        "executions": used.executions,
        "billed_seconds": used.billed_us / 1e6,
        "stored_kb": stored_bytes / 1_024,
    }
    return {name: round(value / count, 3) for name, value in taken.items()}


def _renew(kinds: dict[str, dict[str, float]]) -> None:
    """Write down what the calculator reckons with."""
    document = {
        "measured": datetime.fromtimestamp(wall_seconds(), UTC).date().isoformat(),
        "by": "make bench ARGS=bill",
        "note": (
            f"Means of {ALONE} that came one by one, on the stand-ins of Service Bus and Cosmos DB. Operations and"
            " executions are counted; request units are the stand-in's rough model, not Microsoft's; billed seconds are"
            " this machine's, without cold starts; stored bytes are those of the items' JSON, without indexes."
        ),
        "kinds": kinds,
    }
    MEASURED.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


async def _bars(desk: Desk) -> Counted:
    """Give what the events of the history took that is read when the desk opens, and how many they are."""
    await _quiet(desk)
    page = await desk.store.page(Filter(types=("market.data.received",)), "", 10_000)
    if not page.events:
        raise BenchError("no bars were read")
    # A tick's time is the timer's; what it read, appended and sent is the bars'.
    read = (await _used(desk, "agent", {"ingest_market"}))._replace(executions=0, billed_us=0)
    stories = {str(from_json(body)["id"]) for body in page.events}
    return (await _used(desk, "trade", stories)).plus(read), len(stories)


async def _trades(desk: Desk, names: Sequence[str]) -> Usage:
    """Ask for trades at once, and give what they took."""
    before = await _decided(desk)
    for number, name in enumerate(names):
        with desk.book.execution("api", "POST /api/trades"):
            await desk.runtime.emit([a_request(name, a_trade(number), desk.clock.now())])
    await _quiet(desk)
    if (decided := await _decided(desk) - before) != len(names):
        raise BenchError(f"{decided} of {len(names)} trades were decided")
    return await _used(desk, "trade", set(names))


async def _decided(desk: Desk) -> int:
    return len((await desk.store.page(Filter(types=("consensus.reached",)), "", 1_000)).events)


async def _used(desk: Desk, by: Grouping, keys: Collection[str]) -> Usage:
    await desk.book.flush()
    now, used = int(wall_seconds() * 1e6), NOTHING
    for part in await desk.book.ledger.sums(by, Span(now - DAY_US, now + DAY_US)):
        used = used.plus(part.usage) if part.key in keys else used
    return used


async def _quiet(desk: Desk) -> None:
    """Wait until nothing is received any more."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        before = -1
        while before != (now := sum(part.usage.settled for part in desk.book.total())):
            before = now
            await asyncio.sleep(QUIET_SECONDS)


def _uses(prices: PriceTable, counted: Sequence[Counted]) -> Table:
    def row(unit: str, *values: float) -> tuple[str, *tuple[float, ...]]:
        return unit, *(value / by for value, (_, by) in zip(values, counted, strict=True))

    uses = [used for used, _ in counted]
    rows = [
        row("RU", *(used.milli_units / 1_000 for used in uses)),
        row("messages sent", *(used.sent for used in uses)),
        row("messages received", *(used.received for used in uses)),
        row("settled", *(used.settled for used in uses)),
        row("executions", *(used.executions for used in uses)),
        row("GB-s", *(prices.gb_seconds(used) for used in uses)),
    ]
    return Table(
        "What is billed in Azure",
        ("unit", *COLUMNS),
        rows,
        f"{ALONE} trades one by one, {TRADES} at once, and the bars of a history in one go: GB-s are of a busy desk but"
        " for the trade alone. Deadlines, timers, polls and the wait of receivers for messages are not in it.",
    )


def _prices(prices: PriceTable, counted: Sequence[Counted], desk: Usage, trades: int) -> Table:
    scale = (1_000, 1_000, 1_000, 1)
    names = [f"1,000 times {name}" for name in COLUMNS[:3]] + [COLUMNS[3]]
    rows: list[tuple[str | float, ...]] = []
    for name, times, (used, by) in zip(names, scale, counted, strict=True):
        cost = prices.price([Sum("", "", used)])
        parts = (cost.cosmos or 0.0, cost.service_bus, cost.functions, cost.total)
        rows.append((name, *(part * times / by for part in parts)))
    return Table(
        f"What that costs, {prices.currency}",
        ("what", "Cosmos DB", "Service Bus", "Functions", "all"),
        rows,
        f"{prices.name}, seen {prices.oldest} or later; at the first paid step, without free grants and base charges."
        f" The ledger itself and what no execution caused took {desk.milli_units / 1_000:,.0f} RU in the whole run of"
        f" {trades} trades.",
    )

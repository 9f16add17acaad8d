"""What each kind of operation on Cosmos DB is charged: the stand-in's request units, a rough model of Microsoft's."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from shared.projections.cosmos import CosmosProjectionStore
from shared.projections.port import Row
from shared.store.cosmos import CosmosEventStore
from shared.store.cosmos_account import CosmosAccount
from shared.store.port import ALL, Commit, Filter
from tests.bench.azure_ours import BATCH, decision
from tests.bench.table import Cell, Table
from tests.builders import CLOSE, a_bar, a_trade_request, market_data

STREAM = "charged"
FOLLOWERS, FOLLOWED = (1, 50), 10
FIRST = a_trade_request(id="charged-1", stream=STREAM)
BARS = market_data(*(a_bar(f"S{number}") for number in range(50)))


async def charges(endpoint: str, key: str) -> list[Table]:
    """Give what operations are charged, and what it is to be followed."""
    return [await _operations_charged(endpoint, key), await _following_charged(endpoint, key)]


async def _operations_charged(endpoint: str, key: str) -> Table:
    """Do each kind of operation once, on one physical partition."""
    units = list[float]()
    async with CosmosAccount(endpoint, key, charge=lambda _operation, charged: units.append(charged)) as account:
        rows = list[tuple[Cell, ...]]()
        for name, work in _operations(CosmosEventStore(account), CosmosProjectionStore(account)):
            units.clear()
            await work()
            rows.append((name, sum(units), len(units)))
    return Table(
        "Request units of an operation",
        ("operation", "RU", "calls"),
        rows,
        "One physical partition: where a call asks all of them (a page, the end, an event without its stream), it is"
        " charged for each. Events of 0.5 KB where nothing else is said.",
    )


async def _following_charged(endpoint: str, key: str) -> Table:
    rows = [(followers, *await _followed(endpoint, key, followers)) for followers in FOLLOWERS]
    return Table(
        "Request units of long polls",
        ("followers", f"RU for {FOLLOWED} events", "calls"),
        rows,
        "All follow the whole log on one host, which appends the events one after another.",
    )


async def _followed(endpoint: str, key: str, followers: int) -> tuple[float, int]:
    read = list[float]()

    def charge(operation: str, units: float) -> None:
        if operation != "append":
            read.append(units)

    async with CosmosAccount(endpoint, key, charge=charge) as account:
        store = CosmosEventStore(account)
        start = await store.end()
        read.clear()
        following = [asyncio.create_task(_follow(store, start)) for _ in range(followers)]
        for number in range(FOLLOWED):
            await store.append([a_trade_request(id=f"followed-{followers}-{number}")])
        await asyncio.gather(*following)
    return sum(read), len(read)


async def _follow(store: CosmosEventStore, cursor: str) -> None:
    left = FOLLOWED
    while left:
        page = await store.page(ALL, cursor, 100)
        cursor, left = page.cursor, left - len(page.events)
        if not page.events:
            await store.wait(cursor, 25)


def _operations(
    store: CosmosEventStore, projections: CosmosProjectionStore
) -> list[tuple[str, Callable[[], Awaitable[object]]]]:
    many = [a_trade_request(id=f"charged-{number}", stream="charged-many") for number in range(BATCH)]
    row = Row("bars", "CHARGED", CLOSE, CLOSE, a_bar().model_dump_json().encode())
    agent, first = decision(STREAM).agent, decision(STREAM)

    async def commit_again() -> None:
        snapshot = await store.snapshot(agent, STREAM)
        assert snapshot is not None
        await store.commit(replace(first, event_id="next", etag=snapshot.etag))

    return [
        ("append an event", lambda: store.append([FIRST])),
        ("append an event that is there", lambda: store.append([FIRST])),
        (f"append {BATCH} events of a stream", lambda: store.append(many)),
        ("append an event of 50 bars", lambda: store.append([BARS])),
        ("commit: receipt and first snapshot", lambda: store.commit(first)),
        ("read a snapshot, commit on it", commit_again),
        ("commit: receipt alone", lambda: store.commit(_receipt_alone(first))),
        ("read a receipt", lambda: store.receipt(agent, STREAM, STREAM)),
        ("event by id and stream", lambda: store.get(FIRST.id, FIRST.stream)),
        ("event by id alone", lambda: store.get(FIRST.id)),
        ("latest event of a type in a stream", lambda: store.latest(STREAM, FIRST.type, CLOSE)),
        ("a stream of one event", lambda: store.page(Filter(stream=STREAM), "", 100)),
        (f"a page of {BATCH} events", lambda: store.page(ALL, "", BATCH)),
        ("the end of the log", store.end),
        ("keep a row of a projection", lambda: projections.apply([row])),
        ("read a row of a projection", lambda: projections.read("bars", "CHARGED", CLOSE)),
    ]


def _receipt_alone(commit: Commit) -> Commit:
    return replace(commit, event_id="without-state", state=None)

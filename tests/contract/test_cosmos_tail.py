"""Following the log in Cosmos: the newest events are read once for all who follow, and nobody misses or doubles any."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events.envelope import Event
from shared.store import cosmos_tail
from shared.store.cosmos import CosmosEventStore
from shared.store.cosmos_account import CosmosAccount
from shared.store.cosmos_container import EVENTS
from shared.store.port import Filter
from tests.builders import a_portfolio, a_trade_request
from tests.contract.cosmos_bench import Ledger, account, by_stream, on_the_stand_in, service
from tests.contract.event_store_bench import ALL, bodies, read_all
from tests.contract.orderings import ORDERINGS
from tests.standins.cosmos.container import Container
from tests.standins.cosmos.effective_key import effective_key
from tests.standins.cosmos.server import KEY, CosmosStandIn

pytestmark = on_the_stand_in

PARTITIONS = 4
NEVER = 3_600.0
"""A pause that no test outlasts: the end is looked for only after what the process itself appended."""
LIVE: list[Event] = [a_portfolio(f"p{number % 8}", cash=float(number), id=f"e{number}") for number in range(40)]
FILTERS = [ALL, Filter(stream="portfolio-p3"), Filter(types=("portfolio.changed",)), Filter(types=("news.received",))]


@pytest.fixture
async def cosmos() -> AsyncIterator[CosmosStandIn]:
    async with service(PARTITIONS) as standin:
        yield standin


@asynccontextmanager
async def hosts(
    cosmos: CosmosStandIn, ledger: Ledger, *pauses: float
) -> AsyncIterator[tuple[list[CosmosEventStore], Container]]:
    """Open one log from a host for each pause, the first charged to `ledger`, and its container from behind."""
    async with account(cosmos, ledger=ledger) as home, CosmosAccount(cosmos.url, KEY, home.database) as there:
        stores = [
            CosmosEventStore(where, pause_seconds=pause) for where, pause in zip((home, there), pauses, strict=False)
        ]
        yield stores, cosmos.service.container(home.database, EVENTS)


async def follow(store: CosmosEventStore, cursor: str, count: int, wanted: Filter = ALL) -> list[bytes]:
    """Give the next so many events after a cursor, as a frontend polls for them."""
    found = list[bytes]()
    async with asyncio.timeout(30):
        while len(found) < count:
            page = await store.page(wanted, cursor, 100)
            found, cursor = found + page.events, page.cursor
            if not page.events:
                await store.wait(cursor, 30, wanted)
    return found


async def test_followers_when_there_are_fifty_cost_what_one_would(cosmos: CosmosStandIn) -> None:
    ledger = Ledger()
    async with hosts(cosmos, ledger, NEVER) as ([store], _):
        start = await store.end()
        ledger.clear()
        following = [asyncio.create_task(follow(store, start, 10)) for _ in range(50)]
        for number in range(10):
            await store.append(LIVE[number : number + 1])
            await asyncio.sleep(0)
        for found in await asyncio.gather(*following):
            assert by_stream(found) == by_stream(bodies(LIVE[:10]))
        # A look at each partition for each event; alone, each of the fifty would read as much.
        assert len(ledger.of("read events", "read end")) <= 12 * PARTITIONS


async def test_follower_when_all_is_held_is_charged_nothing(cosmos: CosmosStandIn) -> None:
    ledger = Ledger()
    async with hosts(cosmos, ledger, NEVER) as ([store], _):
        start = await store.end()
        await store.append(LIVE)
        assert by_stream(await follow(store, start, len(LIVE))) == by_stream(bodies(LIVE))
        end = await store.end()
        ledger.clear()
        for wanted in FILTERS:
            expected = [event for event in LIVE if wanted.matches(event)]
            for limit in (1, 7, 100):
                assert by_stream(await read_all(store, wanted, start, limit)) == by_stream(bodies(expected))
        await store.wait(end, 0.05)
        assert ledger == []


async def test_follower_when_the_tail_holds_less_than_it_missed_reads_the_rest_from_cosmos(
    cosmos: CosmosStandIn,
) -> None:
    ledger = Ledger()
    async with hosts(cosmos, ledger, NEVER) as ([store], _):
        store._reader._tail._most_bytes = 8_000
        start = await store.end()
        for event in LIVE:
            await store.append([event])
            await store.end()
        ledger.clear()
        assert by_stream(await follow(store, start, len(LIVE))) == by_stream(bodies(LIVE))
        assert ledger.of("read events")
        assert store._reader._tail._bytes <= 8_000
        assert len(store._reader._tail._places) < len(LIVE)


async def test_follower_when_nobody_asked_for_long_does_not_have_all_of_it_read(
    cosmos: CosmosStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger()
    async with hosts(cosmos, ledger, NEVER) as ([store], _):
        start = await store.end()
        await store.append(LIVE)
        monkeypatch.setattr(cosmos_tail, "_FORGOTTEN_SECONDS", -1)
        ledger.clear()
        end = await store.end()
        assert ledger.of("read events") == []
        assert (await store.page(ALL, end, 10)).events == []
        assert by_stream(await follow(store, start, len(LIVE))) == by_stream(bodies(LIVE))


async def test_wait_when_another_host_gave_a_cursor_beyond_what_is_known_here_waits(cosmos: CosmosStandIn) -> None:
    async with hosts(cosmos, Ledger(), NEVER, NEVER) as ([here, there], _):
        await here.end()
        await there.append(LIVE[:5])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(here.wait(await there.end(), 60), 0.5)


async def test_follower_when_other_hosts_append_while_pages_are_full_goes_on_without_a_pause(
    cosmos: CosmosStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cosmos_tail, "_PAGE", 2)
    async with hosts(cosmos, Ledger(), 0.0, NEVER) as ([here, there], _):
        start = await here.end()
        await there.append(LIVE)
        page = await here.page(ALL, start, len(LIVE))
        assert by_stream(page.events) == by_stream(bodies(LIVE))
        assert page.cursor == await here.end()


async def test_page_when_it_ends_inside_a_batch_goes_on_right_behind(cosmos: CosmosStandIn) -> None:
    async with hosts(cosmos, Ledger(), NEVER) as ([store], container):
        start = await store.end()
        batch: list[Event] = [a_trade_request(id=f"t{number}", stream="trade-t") for number in range(9)]
        await store.append(batch)
        assert len({item.lsn for item in container.at(effective_key(("trade-t",))).changes(0, "", "FF")}) == 1
        assert await read_all(store, ALL, start, limit=2) == bodies(batch)


@settings(parent=ORDERINGS, max_examples=15)
@given(seed=st.integers(0, 10_000), limit=st.integers(1, 9), wanted=st.sampled_from(FILTERS[:3]))
async def test_follower_when_hosts_partitions_and_what_is_held_change_has_everything_once_and_in_order(
    seed: int, limit: int, wanted: Filter
) -> None:
    choice, left = random.Random(seed), list(LIVE)
    expected = bodies([event for event in LIVE if wanted.matches(event)])
    async with (
        service(choice.randint(1, PARTITIONS)) as cosmos,
        hosts(cosmos, Ledger(), 0.01, 0.05) as (stores, container),
        asyncio.timeout(30),
    ):
        for store in stores:
            store._reader._tail._most_bytes = choice.choice((3_000, 10_000, 1_000_000))
        found, cursor = list[bytes](), await stores[0].end()
        while len(found) < len(expected) or left:
            size = choice.randint(0, 6)
            await choice.choice(stores).append(left[:size])
            left = left[size:]
            if choice.random() < 0.15:
                container.split(choice.choice(container.partitions))
            store = choice.choice(stores)
            await store.wait(cursor, 0.02)
            page = await store.page(wanted, cursor, limit)
            found, cursor = found + page.events, page.cursor
        last = await stores[0].page(wanted, cursor, limit)
        assert by_stream(found + last.events) == by_stream(expected), f"seed {seed}"

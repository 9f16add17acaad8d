"""Reading the log in Cosmos: cursors across splits, ranges that share a page fairly, and waiting for other hosts."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.events.envelope import Event
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

STREAMS = 8
LIVE: list[Event] = [a_portfolio(f"p{number % STREAMS}", cash=float(number), id=f"e{number}") for number in range(40)]


@asynccontextmanager
async def opened(
    standin: CosmosStandIn, ledger: Ledger | None = None
) -> AsyncIterator[tuple[CosmosEventStore, Container]]:
    """Open an empty store, and its container of events from behind."""
    async with account(standin, ledger=ledger) as home:
        yield CosmosEventStore(home, pause_seconds=0.05), standin.service.container(home.database, EVENTS)


@pytest.fixture
async def cosmos() -> AsyncIterator[CosmosStandIn]:
    async with service() as standin:
        yield standin


def split_somewhere(container: Container, choice: random.Random) -> None:
    """Split one of the physical partitions."""
    container.split(choice.choice(container.partitions))


@settings(parent=ORDERINGS, max_examples=10)
@given(seed=st.integers(0, 10_000), limit=st.integers(1, 9), is_one_stream=st.booleans())
async def test_pages_when_partitions_split_in_between_have_everything_once_and_in_order(
    seed: int, limit: int, is_one_stream: bool
) -> None:
    choice, wanted = random.Random(seed), Filter(stream="portfolio-p3") if is_one_stream else ALL
    async with service() as cosmos, opened(cosmos) as (store, container):
        found, cursor, left = list[bytes](), "", list(LIVE)
        while True:
            size = choice.randint(1, 12)
            batch, left = left[:size], left[size:]
            await store.append(batch)
            if choice.random() < 0.3:
                split_somewhere(container, choice)
            page = await store.page(wanted, cursor, limit)
            if not left and not page.events:
                break
            found, cursor = found + page.events, page.cursor
        expected = [event for event in LIVE if not wanted.stream or event.stream == wanted.stream]
        assert by_stream(found) == by_stream(bodies(expected)), f"seed {seed}"


async def test_newest_when_an_event_comes_while_they_are_read_are_gone_on_from_with_it(
    cosmos: CosmosStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with account(cosmos) as home:
        store, read = CosmosEventStore(home), home.rows

        async def overtaken(operation: str, *arguments: Any, **options: Any) -> list[dict[str, Any]]:
            """Read, and have an event come before the answer is looked at."""
            found = await read(operation, *arguments, **options)
            if operation == "newest":
                await store.append(LIVE[3:4])
            return found

        monkeypatch.setattr(home, "rows", overtaken)
        await store.append(LIVE[:3])
        page = await store.newest(ALL, 10)
        found = page.events + (await store.page(ALL, page.cursor, 10)).events
    assert sorted(found) == sorted(bodies(LIVE[:4]))


async def test_cursor_when_every_partition_was_split_goes_on_where_it_was(cosmos: CosmosStandIn) -> None:
    async with opened(cosmos) as (store, container):
        await store.append(LIVE[:20])
        first = await store.page(ALL, "", 11)
        for _ in range(2):
            for partition in list(container.partitions):
                container.split(partition)
        await store.append(LIVE[20:])
        rest = await read_all(store, after=first.cursor)
        assert by_stream([*first.events, *rest]) == by_stream(bodies(LIVE))


async def test_cursor_when_a_stream_was_read_to_its_end_is_behind_all_that_was_there(cosmos: CosmosStandIn) -> None:
    cosmos.service.partitions = 4
    async with opened(cosmos) as (store, _):
        await store.append(LIVE)
        page = await store.page(Filter(stream="portfolio-p3"), "", 100)
        assert page.events == bodies([event for event in LIVE if event.stream == "portfolio-p3"])
        assert page.cursor == await store.end()
        new = a_portfolio("p4", cash=1_000.0)
        await store.append([new])
        assert (await store.page(ALL, page.cursor, 10)).events == [new.json_bytes]


async def test_stream_when_read_costs_what_it_holds_and_not_what_the_log_holds(cosmos: CosmosStandIn) -> None:
    ledger = Ledger()
    async with opened(cosmos, ledger) as (store, _):
        await store.append([a_trade_request(id="t", stream="trade-t")])
        await store.append([a_portfolio("big", cash=float(number)) for number in range(400)])
        ledger.clear()
        assert len((await store.page(Filter(stream="trade-t"), "", 1_000)).events) == 1
        assert sum(units for _, units in ledger) < 5


async def test_get_when_the_stream_is_named_is_a_point_read_however_many_partitions_there_are(
    cosmos: CosmosStandIn,
) -> None:
    cosmos.service.partitions = 4
    ledger = Ledger()
    async with opened(cosmos, ledger) as (store, _):
        await store.append(LIVE)
        ledger.clear()
        assert await store.get("e3", "portfolio-p3") == LIVE[3].json_bytes
        assert sum(ledger.of("get")) == 1
        assert await store.get("e3") == LIVE[3].json_bytes
        assert sum(ledger.of("get")) > 1 + 4 * 2


async def test_page_when_one_partition_has_much_more_starves_no_other(cosmos: CosmosStandIn) -> None:
    cosmos.service.partitions = 4
    async with opened(cosmos) as (store, container):
        await store.append([a_portfolio("loud", cash=float(number)) for number in range(100)])
        loud = container.at(effective_key(("portfolio-loud",)))
        requests = [a_trade_request(id=f"t{number}") for number in range(8)]
        await store.append(requests)
        quiet = [event for event in requests if container.at(effective_key((event.stream,))) is not loud]
        page = await store.page(ALL, "", 40)
        assert len(page.events) == 40
        assert set(bodies(quiet)) <= set(page.events)


async def test_cursor_when_there_are_many_partitions_fits_a_url(cosmos: CosmosStandIn) -> None:
    cosmos.service.partitions = 16
    async with opened(cosmos) as (store, _):
        await store.append(LIVE)
        cursor = (await store.page(ALL, "", 20)).cursor
        assert cursor.replace("-", "").replace("_", "").isalnum()
        assert len(cursor) < 1_000


async def test_wait_when_another_host_appends_returns(cosmos: CosmosStandIn) -> None:
    async with account(cosmos) as here, CosmosAccount(cosmos.url, KEY, here.database) as there:
        store, other = CosmosEventStore(here, pause_seconds=0.05), CosmosEventStore(there)
        cursor = await store.end()
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            waiting = group.create_task(store.wait(cursor, 60))
            await other.append(LIVE[:1])
            await waiting
        assert (await store.page(ALL, cursor, 10)).events == bodies(LIVE[:1])


async def test_wait_when_many_wait_out_of_step_shares_looks(cosmos: CosmosStandIn) -> None:
    ledger = Ledger()

    async def wait_later(store: CosmosEventStore, cursor: str, place: int) -> None:
        await asyncio.sleep(place * 0.005)
        await store.wait(cursor, 1)

    async with account(cosmos, ledger=ledger) as home:
        store = CosmosEventStore(home, pause_seconds=0.2)
        cursor = await store.end()
        ledger.clear()
        await asyncio.gather(*(wait_later(store, cursor, place) for place in range(30)))
        # One in each fifth of a second for all of them, not for each; a busy machine takes longer.
        assert 1 <= len(ledger) < 30


async def test_wait_when_a_stream_was_followed_to_its_end_does_not_return_at_once(cosmos: CosmosStandIn) -> None:
    cosmos.service.partitions = 4
    ledger = Ledger()
    async with opened(cosmos, ledger) as (store, _):
        await store.append(LIVE)
        page = await store.page(Filter(stream="portfolio-p3"), "", 100)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(store.wait(page.cursor, 60), 0.3)


async def test_pages_when_many_read_at_once_are_each_readers_own(cosmos: CosmosStandIn) -> None:
    cosmos.service.partitions = 4
    async with opened(cosmos) as (store, _):
        await store.append(LIVE)
        wanted = [Filter(stream=f"portfolio-p{number % STREAMS}") if number % 2 else ALL for number in range(24)]
        found = await asyncio.gather(*(read_all(store, part, limit=3 + place % 5) for place, part in enumerate(wanted)))
        for part, events in zip(wanted, found, strict=True):
            expected = [event for event in LIVE if part.stream in ("", event.stream)]
            assert by_stream(events) == by_stream(bodies(expected))


async def test_wait_when_this_host_appends_returns_without_the_next_look(cosmos: CosmosStandIn) -> None:
    async with account(cosmos) as home:
        store = CosmosEventStore(home, pause_seconds=3_600)
        cursor = await store.end()
        waiting = asyncio.create_task(store.wait(cursor, 3_600))
        await store.wait(cursor, 0.2)  # by then the other one has looked too
        await store.append(LIVE[:1])
        await asyncio.wait_for(waiting, 10)

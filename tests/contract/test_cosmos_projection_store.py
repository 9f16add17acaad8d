"""The projection store in Cosmos keeps the contract, and loses no row on the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.errors import InvalidError
from shared.projections.cosmos import CosmosProjectionStore
from shared.projections.port import ProjectionStore
from shared.store.cosmos_account import CosmosAccount
from tests.builders import CLOSE, DAY, HOUR
from tests.contract.cosmos_bench import ENDPOINT, Ledger, account, on_the_stand_in, service
from tests.contract.projection_store import (
    AGAIN,
    EARLY,
    ELSEWHERE,
    HISTORY,
    NEXT,
    ProjectionStoreContract,
    a_row,
)
from tests.standins.cosmos.fault import Drop, Refuse, Through
from tests.standins.cosmos.server import KEY, CosmosStandIn


class TestCosmosProjectionStore(ProjectionStoreContract):
    @pytest.fixture(autouse=True)
    async def _service(self) -> AsyncIterator[None]:
        self.standin: CosmosStandIn | None = None
        if ENDPOINT:
            yield
            return
        async with service(partitions=4) as self.standin:
            yield

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[ProjectionStore]:
        async with account(self.standin) as opened:
            yield CosmosProjectionStore(opened)


@pytest.fixture
async def cosmos() -> AsyncIterator[CosmosStandIn]:
    async with service(partitions=4) as standin:
        yield standin


@on_the_stand_in
@pytest.mark.parametrize("fault", [Drop(after_commit=True), Drop(after_commit=False)], ids=["answer", "request"])
async def test_apply_when_the_connection_drops_keeps_every_row(cosmos: CosmosStandIn, fault: Drop) -> None:
    async with account(cosmos) as opened:
        store = CosmosProjectionStore(opened)
        await store.apply([ELSEWHERE])
        cosmos.faults.fail("POST", "colls/projections/docs", fault, fault)
        await store.apply(HISTORY)
        assert cosmos.faults.waiting == 0
        assert await store.read("bar:1Day", "AAPL", CLOSE + 3 * DAY, limit=10) == [AGAIN, NEXT, EARLY]
        assert await store.keys("bar:1Day") == ["AAPL", "IBM"]


@on_the_stand_in
@pytest.mark.parametrize("refused", range(4))
async def test_apply_when_it_is_interrupted_and_done_again_is_whole(cosmos: CosmosStandIn, refused: int) -> None:
    async with account(cosmos) as opened:
        store = CosmosProjectionStore(opened)
        await store.keys("bar:1Day")
        passed = [Through()] * refused
        cosmos.faults.fail("POST", "colls/projections/docs", *passed, Refuse(403))
        with pytest.raises(InvalidError):
            await store.apply(HISTORY)
        await store.apply(HISTORY)
        assert await store.read("bar:1Day", "AAPL", CLOSE + 3 * DAY, limit=10) == [AGAIN, NEXT, EARLY]
        assert await store.keys("bar:1Day") == ["AAPL", "IBM"]


@on_the_stand_in
async def test_rows_when_two_hosts_write_the_same_one_leave_the_one_that_sorts_last(cosmos: CosmosStandIn) -> None:
    async with account(cosmos) as here, CosmosAccount(cosmos.url, KEY, here.database) as there:
        stores = [CosmosProjectionStore(here), CosmosProjectionStore(there)]
        bodies = [f"{number:02}" for number in range(10)]
        await asyncio.gather(*(stores[place % 2].apply([a_row(body)]) for place, body in enumerate(bodies)))
        assert await stores[0].read("bar:1Day", "AAPL", CLOSE) == [a_row("09")]


@on_the_stand_in
async def test_read_when_the_history_is_long_stops_where_it_has_enough(cosmos: CosmosStandIn) -> None:
    ledger = Ledger()
    async with account(cosmos, ledger=ledger) as opened:
        store = CosmosProjectionStore(opened)
        rows = [a_row(str(number), valid_at=CLOSE - number * HOUR) for number in range(1_500)]
        await store.apply(rows)
        ledger.clear()
        assert await store.read("bar:1Day", "AAPL", CLOSE, limit=3) == rows[2::-1]
        assert len(ledger) == 1
        assert await store.read("bar:1Day", "AAPL", CLOSE, limit=1_500) == rows[::-1]
        assert len(ledger) == 3


@on_the_stand_in
async def test_apply_when_an_event_has_fifty_bars_costs_a_create_for_each(cosmos: CosmosStandIn) -> None:
    ledger = Ledger()
    async with account(cosmos, ledger=ledger) as opened:
        store = CosmosProjectionStore(opened)
        for moment in (CLOSE, CLOSE + DAY):
            ledger.clear()
            await store.apply([a_row(key=f"S{number}", valid_at=moment) for number in range(50)])
        assert len(ledger) == 50
        assert 250 <= sum(ledger.of("apply")) <= 300


@on_the_stand_in
async def test_keys_when_all_was_forgotten_are_those_that_came_again(cosmos: CosmosStandIn) -> None:
    async with account(cosmos) as opened:
        store = CosmosProjectionStore(opened)
        await store.apply([a_row(str(number), valid_at=CLOSE + number * HOUR) for number in range(1_100)])
        await store.clear()
        assert await store.read("bar:1Day", "AAPL", CLOSE + 2_000 * HOUR, limit=10) == []
        await store.apply([ELSEWHERE])
        assert await store.keys("bar:1Day") == ["IBM"]

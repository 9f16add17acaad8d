"""The ledger in Cosmos keeps the contract, writes a batch once, and is cheap."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.ledger.cosmos import CosmosLedger
from shared.ledger.port import LIFE, Batch, Ledger, Sum, Usage
from shared.store.cosmos_container import LEDGER, containers
from tests.contract.cosmos_bench import ENDPOINT, account, on_the_stand_in, service
from tests.contract.cosmos_bench import Ledger as Charges
from tests.contract.ledger import ALWAYS, NOON, SECOND, LedgerContract, an_entry
from tests.standins.cosmos.fault import Drop
from tests.standins.cosmos.server import CosmosStandIn


class TestCosmosLedger(LedgerContract):
    @pytest.fixture(autouse=True)
    async def _service(self) -> AsyncIterator[None]:
        self.standin: CosmosStandIn | None = None
        if ENDPOINT:
            yield
            return
        async with service(partitions=4) as self.standin:
            yield

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Ledger]:
        async with account(self.standin) as opened:
            yield CosmosLedger(opened)


def test_container_when_made_keeps_items_for_the_life_of_an_entry() -> None:
    [ledger] = [each for each in containers() if each["id"] == LEDGER]
    assert ledger["default_ttl"] == LIFE.total_seconds()


@on_the_stand_in
@pytest.mark.parametrize("is_kept", [True, False], ids=["answer", "request"])
async def test_batch_when_the_connection_drops_is_kept_once(is_kept: bool) -> None:
    async with service() as cosmos, account(cosmos) as opened:
        ledger = CosmosLedger(opened)
        await ledger.sums("agent", ALWAYS)
        cosmos.faults.fail("POST", "colls/ledger/docs", Drop(after_commit=is_kept))
        await ledger.add(Batch("batch", (an_entry(),)))
        assert cosmos.faults.waiting == 0
        assert await ledger.sums("agent", ALWAYS) == [Sum("consensus", "", Usage(1, SECOND))]


@on_the_stand_in
async def test_batch_when_added_is_one_write_however_many_entries_are_in_it() -> None:
    charges = Charges()
    async with service() as cosmos, account(cosmos, ledger=charges) as opened:
        entries = (an_entry(NOON + number, story=f"trade-{number // 8}") for number in range(80))
        await CosmosLedger(opened).add(Batch("batch", tuple(entries)))
    assert len(charges.of("ledger")) == 1

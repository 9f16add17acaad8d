"""The key ring in Cosmos keeps the contract, among the snapshots of a desk."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.callers.cosmos import CosmosKeyRing
from shared.callers.key import Key, new_key
from shared.callers.port import KeyRing
from shared.errors import MissingError
from shared.store.cosmos import CosmosEventStore
from shared.store.cosmos_account import CosmosAccount
from tests.contract.cosmos_bench import ENDPOINT, Ledger, account, service
from tests.contract.event_store_commit import a_commit
from tests.contract.key_ring import BOTH, NOW, KeyRingContract
from tests.standins.cosmos.server import CosmosStandIn


@pytest.fixture
async def standin() -> AsyncIterator[CosmosStandIn | None]:
    """Run the stand-in, unless a real account is named."""
    if ENDPOINT:
        yield None
        return
    async with service() as running:
        yield running


class TestCosmosKeyRing(KeyRingContract):
    @pytest.fixture(autouse=True)
    def _service(self, standin: CosmosStandIn | None) -> None:
        self.standin = standin

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[KeyRing]:
        async with account(self.standin) as opened:
            await CosmosEventStore(opened).commit(a_commit())
            yield CosmosKeyRing(opened)


async def test_keys_when_they_are_read_cost_little(standin: CosmosStandIn | None) -> None:
    ledger = Ledger()
    async with account(standin, ledger=ledger) as opened:
        ring = CosmosKeyRing(opened)
        for _ in range(20):
            await ring.add(new_key("alice", BOTH, NOW)[0])
        assert len(await ring.keys()) == 20
    (units,) = ledger.of("read keys")
    assert units < 5


class Overtaken(CosmosKeyRing):
    """A ring whose keys are forgotten by another process as soon as it has read them."""

    def __init__(self, account: CosmosAccount) -> None:
        super().__init__(account)
        self._other = CosmosKeyRing(account)

    async def keys(self) -> list[Key]:
        found = await super().keys()
        await self._other.forget("alice")
        return found


async def test_key_when_it_is_forgotten_while_it_is_revoked_stays_forgotten(standin: CosmosStandIn | None) -> None:
    async with account(standin) as opened:
        ring = Overtaken(opened)
        key = new_key("alice", BOTH, NOW)[0]
        await ring.add(key)
        with pytest.raises(MissingError):
            await ring.revoke(key.id, NOW)
        assert await CosmosKeyRing(opened).keys() == []

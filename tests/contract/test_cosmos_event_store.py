"""The event store in Cosmos keeps the contract, on one physical partition and on several."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar

import pytest

from shared.store.cosmos import CosmosEventStore
from shared.store.port import EventStore
from tests.contract.cosmos_bench import ENDPOINT, account, by_stream, service
from tests.contract.event_store import EventStoreContract
from tests.standins.cosmos.server import CosmosStandIn


class TestCosmosEventStore(EventStoreContract):
    partitions: ClassVar[int] = 1

    @pytest.fixture(autouse=True)
    async def _service(self) -> AsyncIterator[None]:
        self.standin: CosmosStandIn | None = None
        if ENDPOINT:
            yield
            return
        async with service(self.partitions) as self.standin:
            yield

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[EventStore]:
        async with account(self.standin) as opened:
            yield CosmosEventStore(opened, pause_seconds=0.2)

    def in_order(self, found: Sequence[bytes]) -> list[bytes]:
        return by_stream(found)


@pytest.mark.skipif(bool(ENDPOINT), reason="a real account has as many partitions as it has")
class TestCosmosEventStoreOnFourPartitions(TestCosmosEventStore):
    partitions = 4

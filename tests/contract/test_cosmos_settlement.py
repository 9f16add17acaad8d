"""Settlement in steps keeps the contract over the event store in Cosmos, and lost answers leave nothing half done."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.bus.in_memory import InMemoryEventBus
from shared.clock import ManualClock
from shared.settlement.stepwise import StepwiseSettlement
from shared.store.cosmos import CosmosEventStore
from tests.builders import CLOSE
from tests.contract.cosmos_bench import ENDPOINT, account, service
from tests.contract.settlement import TOPOLOGY, Parts, SettlementContract
from tests.standins.cosmos.server import CosmosStandIn


class TestStepwiseSettlementOnCosmos(SettlementContract):
    @pytest.fixture(autouse=True)
    async def _service(self) -> AsyncIterator[None]:
        self.standin: CosmosStandIn | None = None
        if ENDPOINT:
            yield
            return
        async with service() as self.standin:
            yield

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Parts]:
        clock = ManualClock(CLOSE)
        async with account(self.standin) as opened:
            store, bus = CosmosEventStore(opened, pause_seconds=0.2), InMemoryEventBus(TOPOLOGY, clock)
            yield Parts(store, bus, StepwiseSettlement(store, bus), clock, counts_versions=False)

"""The event bus on Service Bus keeps the contract, through Microsoft's SDK against a stand-in of the service."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from shared.bus.service_bus_inbox import SESSION_TURN
from shared.bus.topology import Topology
from shared.clock import Clock
from tests.builders import SECOND, a_message
from tests.contract.event_bus import EventBusContract
from tests.contract.event_bus_bench import ANALYST, TOPOLOGY, Bus, Times, take_id
from tests.contract.service_bus_bench import Connected, connected, connection_to_keep
from tests.standins.service_bus.server import ServiceBusStandIn


@pytest_asyncio.fixture(scope="class", loop_scope="class")
async def connection() -> AsyncIterator[Connected]:
    async with connection_to_keep() as connection:
        yield connection


@pytest.mark.asyncio(loop_scope="class")
class TestServiceBusEventBus(EventBusContract):
    quiet_seconds = 0.5
    pace = 600.0
    longest_turn = SESSION_TURN

    @pytest.fixture(autouse=True)
    def _connect(self, connection: Connected) -> None:
        self.connection = connection

    @pytest_asyncio.fixture(loop_scope="class")
    async def bus(self, times: Times) -> AsyncIterator[Bus]:  # type: ignore[override] # pytest-asyncio's own kind
        async with self.opened(TOPOLOGY, times.desk, times.seconds) as bus:
            yield bus

    def new_times(self) -> Times:
        return self.connection.times

    async def test_scheduled_message_when_hidden_only_is_not_brought_by_wall_time(self, bus: Bus, times: Times) -> None:
        # The service knows no desk time: it was told the wall time at which the message is due.
        await bus.publish([a_message(deliver_at=times.desk.now() + SECOND)])
        times.pass_seconds(1)
        assert await take_id(bus, ANALYST) == "message-1"

    @asynccontextmanager
    async def opened(self, topology: Topology, clock: Clock, seconds: Callable[[], float]) -> AsyncIterator[Bus]:
        if clock is self.connection.times.desk:
            yield self.connection.emptied()
            return
        async with ServiceBusStandIn(topology) as service, connected(service, topology, clock) as bus:
            yield bus

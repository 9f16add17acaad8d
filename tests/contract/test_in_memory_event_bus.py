"""The event bus in memory keeps the contract."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from shared.bus.in_memory import InMemoryEventBus
from shared.bus.topology import Topology
from shared.clock import Clock
from tests.contract.event_bus import EventBusContract
from tests.contract.event_bus_bench import Bus
from tests.contract.event_bus_keeping import Keeping


class TestInMemoryEventBus(EventBusContract, Keeping):
    @asynccontextmanager
    async def opened(self, topology: Topology, clock: Clock, seconds: Callable[[], float]) -> AsyncIterator[Bus]:
        yield InMemoryEventBus(topology, clock, seconds, seconds)

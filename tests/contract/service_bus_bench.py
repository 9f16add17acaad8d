"""A Service Bus to test on: the stand-in, the bus connected to it as Microsoft's SDK connects, and their one time."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.bus.service_bus import ServiceBusEventBus
from shared.bus.topology import Topology
from shared.clock import Clock, ManualClock
from tests.builders import HOUR
from tests.contract.event_bus_bench import TOPOLOGY, Times
from tests.standins.service_bus.server import ServiceBusStandIn


class OneTime(Times):
    """The only time that a service has: wall time, which is desk time too."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = ManualClock(datetime.fromtimestamp(int(time.time()), UTC))

    def seconds(self) -> float:
        return self.desk.now().timestamp()

    def pass_seconds(self, seconds: float) -> None:
        self.desk.advance(timedelta(seconds=seconds))


@asynccontextmanager
async def connected(
    service: ServiceBusStandIn,
    topology: Topology,
    clock: Clock,
    *,
    connection: str | None = None,
    timeout_seconds: float = 10.0,
) -> AsyncIterator[ServiceBusEventBus]:
    """Connect a bus to a service, in whose time it lives."""
    bus = ServiceBusEventBus(
        connection or service.connection_string,
        topology,
        clock,
        timeout_seconds=timeout_seconds,
        administration_url=service.administration_url,
        wall_seconds=service.broker.clock,
    )
    try:
        yield bus
    finally:
        await bus.close()


@dataclass
class Connected:
    """A service, a bus that stays connected to it, and their time."""

    times: OneTime
    service: ServiceBusStandIn
    bus: ServiceBusEventBus

    def emptied(self) -> ServiceBusEventBus:
        """Give the bus as if it were new. An hour later, so that what it still holds has run out."""
        self.times.pass_desk_time(HOUR)
        self.service.clear()
        return self.bus


@asynccontextmanager
async def connection_to_keep() -> AsyncIterator[Connected]:
    """Connect once for many tests: the SDK takes half a second for each link, and one to close it."""
    times = OneTime()
    async with (
        ServiceBusStandIn(TOPOLOGY, times.seconds) as service,
        connected(service, TOPOLOGY, times.desk) as bus,
    ):
        yield Connected(times, service, bus)

"""A Service Bus to test on: the stand-in, the bus connected to it as Microsoft's SDK connects, and their one time."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest

from shared.bus.service_bus import ServiceBusEventBus
from shared.bus.topology import Topology
from shared.clock import Clock, ManualClock
from tests.builders import HOUR
from tests.contract.event_bus_bench import TOPOLOGY, Times
from tests.standins.service_bus.server import ServiceBusStandIn

_NAPPING = (
    "_pyamqp.aio._client_async",
    "_pyamqp.aio._connection_async",
    "_pyamqp.aio._session_async",
    "aio._base_handler_async",
    "aio._servicebus_receiver_async",
    "aio._servicebus_sender_async",
)
_HURRY = 10


class _Hurried:
    """The `asyncio` that the SDK sees; its naps are a tenth of what it asks for."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / _HURRY)


@contextmanager
def hurried_sdk() -> Iterator[None]:
    """Let the SDK look sooner for answers: it naps for half a second to open a link, and up to one to close it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in _NAPPING:
            patch.setattr(import_module(f"azure.servicebus.{name}"), "asyncio", _Hurried())
        yield


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
    """Connect once for many tests."""
    times = OneTime()
    async with (
        ServiceBusStandIn(TOPOLOGY, times.seconds) as service,
        connected(service, TOPOLOGY, times.desk) as bus,
    ):
        yield Connected(times, service, bus)

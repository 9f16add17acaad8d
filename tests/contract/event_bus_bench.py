"""Where every event bus is put to the test: clocks that tests move, a small topology, and ways to ask for a message."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Protocol

import pytest

from shared.bus.port import Delivery, EventBus, Receiver
from shared.bus.topology import Topology
from shared.clock import Clock, ManualClock
from tests.builders import CLOSE, a_topic, a_topology

LOCK_SECONDS = 60.0
WINDOW_SECONDS = 600.0
MOST_DELIVERIES = 3

ANALYST, RISK, BARS, CHARTS = "events/analyst", "events/risk", "market/bars", "market/charts"

TOPOLOGY = a_topology(
    a_topic("events", analyst=["trade.requested"], risk=["portfolio.changed", "trade.requested"]),
    a_topic("market", sessions=True, bars=["market.data.received"], charts=["market.data.received"]),
    lock_seconds=LOCK_SECONDS,
    max_delivery_count=MOST_DELIVERIES,
    duplicate_detection_seconds=WINDOW_SECONDS,
)


class Bus(EventBus, Receiver, Protocol):
    """Both sides of a bus."""


class Times:
    """The two times of a test, which move only when told.

    A bus that keeps its own time (one behind a stand-in of a service) overrides this and tells that one too.
    """

    def __init__(self) -> None:
        self.desk = ManualClock(CLOSE)
        self._seconds = 1_000_000.0

    def seconds(self) -> float:
        """Give the wall seconds that locks and the duplicate-detection window run on."""
        return self._seconds

    def pass_seconds(self, seconds: float) -> None:
        """Let locks and the window age."""
        self._seconds += seconds

    def pass_desk_time(self, delta: timedelta) -> None:
        """Let scheduled messages come nearer."""
        self.desk.advance(delta)


class EventBusBench(ABC):
    """What a subclass says about its adapter, and what the parts of the contract share."""

    quiet_seconds = 0.02
    """How long nothing may come before a subscription counts as silent."""

    def new_times(self) -> Times:
        """Give times that nothing has moved yet."""
        return Times()

    @abstractmethod
    def opened(
        self, topology: Topology, clock: Clock, seconds: Callable[[], float]
    ) -> AbstractAsyncContextManager[Bus]:
        """Open an empty bus on the desk clock `clock`, whose locks and window run on `seconds`."""

    @pytest.fixture
    def times(self) -> Times:
        """Give the times that the test moves."""
        return self.new_times()

    @pytest.fixture
    async def bus(self, times: Times) -> AsyncIterator[Bus]:
        """Give a bus with the topology above."""
        async with self.opened(TOPOLOGY, times.desk, times.seconds) as bus:
            yield bus

    async def take_if_any(self, bus: Bus, subscription: str) -> Delivery | None:
        """Receive a message, or give None when none comes."""
        try:
            async with asyncio.timeout(self.quiet_seconds):
                return await bus.receive(subscription)
        except TimeoutError:
            return None

    async def is_silent(self, bus: Bus, subscription: str) -> bool:
        """Whether a receiver waits in vain."""
        return await self.take_if_any(bus, subscription) is None


async def take(bus: Bus, subscription: str) -> Delivery:
    """Receive a message that must come at once."""
    async with asyncio.timeout(5):
        return await bus.receive(subscription)


async def take_id(bus: Bus, subscription: str) -> str:
    """Receive a message and give its id without the attempt."""
    return name_of(await take(bus, subscription))


def name_of(delivery: Delivery) -> str:
    """Give a message's id without the attempt."""
    return delivery.message.message_id.rpartition(":")[0]

"""Our adapters at work, one operation at a time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import batched, count, islice
from typing import Self

from shared.bus.port import Message
from shared.bus.service_bus import ServiceBusEventBus
from shared.clock import WallClock
from shared.events.emit import Emit
from shared.store.cosmos import CosmosEventStore
from shared.store.cosmos_account import CosmosAccount
from shared.store.port import Commit
from tests.bench.azure_services import OURS, topology
from tests.bench.measure import BenchError
from tests.builders import a_message, a_trade_request, an_opinion

BATCH = 100
READER = f"{OURS}/reader"
STATE = b'{"rounds":{}}'


class AdaptedBus:
    """`ServiceBusEventBus`."""

    def __init__(self, bus: ServiceBusEventBus) -> None:
        self._bus = bus
        self._numbers = count()

    @classmethod
    @asynccontextmanager
    async def opened(cls, about: dict[str, str]) -> AsyncIterator[Self]:
        """Connect."""
        bus = ServiceBusEventBus(about["bus"], topology(), WallClock(), administration_url=about["counts"])
        try:
            yield cls(bus)
        finally:
            await bus.close()

    async def publish(self, number: int) -> None:
        """Publish so many, each in a call."""
        for message in self._messages(number):
            await self._bus.publish([message])

    async def publish_batched(self, number: int) -> None:
        """Publish so many, `BATCH` in a call."""
        for batch in batched(self._messages(number), BATCH, strict=True):
            await self._bus.publish(batch)

    async def receive(self, number: int) -> None:
        """Receive and complete so many."""
        for _ in range(number):
            await self._bus.complete(await self._bus.receive(READER))

    def _messages(self, number: int) -> list[Message]:
        return [message(each) for each in islice(self._numbers, number)]


class AdaptedStore:
    """`CosmosEventStore`."""

    def __init__(self, store: CosmosEventStore) -> None:
        self._store = store
        self._numbers = count()

    @classmethod
    @asynccontextmanager
    async def opened(cls, about: dict[str, str]) -> AsyncIterator[Self]:
        """Connect."""
        async with CosmosAccount(about["cosmos"], about["key"]) as account:
            yield cls(CosmosEventStore(account))

    async def append(self, number: int) -> None:
        """Append so many events, each to a stream of its own."""
        for each in islice(self._numbers, number):
            if len(await self._store.append([a_trade_request(id=f"ours-{each}")])) != 1:
                raise BenchError(f"event {each} was there already")

    async def append_batched(self, number: int) -> None:
        """Append so many events, `BATCH` to a stream."""
        for batch in batched(islice(self._numbers, number), BATCH, strict=True):
            stream = f"ours-{batch[0]}"
            await self._store.append([a_trade_request(id=f"ours-{each}", stream=stream) for each in batch])

    async def commit(self, number: int) -> None:
        """Commit so many decisions, each the first in its stream."""
        for each in islice(self._numbers, number):
            await self._store.commit(decision(f"ours-{each}"))


def message(number: int, topic: str = OURS) -> Message:
    """Give a message of a trade request's size."""
    body = a_trade_request(id=f"{topic}-{number}").json_bytes
    return a_message(f"{topic}-{number}", topic=topic, body=body)


def decision(stream: str) -> Commit:
    """Give an agent's decision to vote, the first in a stream."""
    return Commit("market-analyst", stream, stream, STATE, None, (Emit(an_opinion()),))

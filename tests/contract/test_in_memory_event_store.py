"""The event store in memory keeps the contract."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.store.in_memory import InMemoryEventStore
from shared.store.port import EventStore
from tests.contract.event_store import EventStoreContract


class TestInMemoryEventStore(EventStoreContract):
    @asynccontextmanager
    async def opened(self) -> AsyncIterator[EventStore]:
        yield InMemoryEventStore()

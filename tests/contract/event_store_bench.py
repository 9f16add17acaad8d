"""Where every event store is put to the test: an empty one, and a way to read all of it."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager

import pytest

from shared.events.envelope import Event
from shared.store.port import EventStore, Filter, Page

ALL = Filter()


class EventStoreBench(ABC):
    """What a subclass says about its adapter."""

    @abstractmethod
    def opened(self) -> AbstractAsyncContextManager[EventStore]:
        """Open an empty store whose log nobody else has."""

    def in_order(self, found: Sequence[bytes]) -> list[bytes]:
        """Put events into the order in which this store's log must have them.

        A store that promises order only within a stream says so by putting both what is expected and what was found
        into one order of streams.
        """
        return list(found)

    @pytest.fixture
    async def store(self) -> AsyncIterator[EventStore]:
        """Give an empty store."""
        async with self.opened() as store:
            yield store


def bodies(events: Sequence[Event]) -> list[bytes]:
    """Give the JSON of events."""
    return [event.json_bytes for event in events]


async def read_all(store: EventStore, wanted: Filter = ALL, after: str = "", limit: int = 7) -> list[bytes]:
    """Page through the log until a page is empty and the cursor stands still."""
    found, cursor = list[bytes](), after
    while True:
        page: Page = await store.page(wanted, cursor, limit)
        assert len(page.events) <= limit
        if page.cursor == cursor or not page.events:
            return found
        found, cursor = found + page.events, page.cursor

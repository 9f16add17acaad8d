"""The key ring in memory keeps the contract."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.callers.in_memory import InMemoryKeyRing
from shared.callers.port import KeyRing
from tests.contract.key_ring import KeyRingContract


class TestInMemoryKeyRing(KeyRingContract):
    @asynccontextmanager
    async def opened(self) -> AsyncIterator[KeyRing]:
        yield InMemoryKeyRing()

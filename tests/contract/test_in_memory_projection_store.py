"""The projection store in memory keeps the contract."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.projections.in_memory import InMemoryProjectionStore
from shared.projections.port import ProjectionStore
from tests.contract.projection_store import ProjectionStoreContract


class TestInMemoryProjectionStore(ProjectionStoreContract):
    @asynccontextmanager
    async def opened(self) -> AsyncIterator[ProjectionStore]:
        yield InMemoryProjectionStore()

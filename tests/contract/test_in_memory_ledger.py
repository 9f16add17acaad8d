"""The ledger in memory keeps the contract."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.ledger.in_memory import InMemoryLedger
from shared.ledger.port import Ledger
from tests.contract.ledger import LedgerContract


class TestInMemoryLedger(LedgerContract):
    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Ledger]:
        yield InMemoryLedger()

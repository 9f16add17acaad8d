"""How a Cosmos account is opened for a test: a database of its own on the stand-in, or on a real account.

`COSMOS_ENDPOINT` and `COSMOS_KEY` in the environment name a real account or Microsoft's emulator. What needs the
stand-in's faults or its clock is skipped there.
"""

import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from azure.cosmos.aio import CosmosClient

from shared.store.cosmos_account import CosmosAccount
from shared.store.cosmos_container import create_containers
from tests.standins.cosmos.server import KEY, CosmosStandIn
from tests.standins.cosmos.service import CosmosService

ENDPOINT, ACCOUNT_KEY = os.environ.get("COSMOS_ENDPOINT", ""), os.environ.get("COSMOS_KEY", "")
on_the_stand_in = pytest.mark.skipif(bool(ENDPOINT), reason="needs the stand-in's faults")


class Ledger(list[tuple[str, float]]):
    """What was charged."""

    def __call__(self, operation: str, units: float) -> None:
        self.append((operation, units))

    def of(self, *operations: str) -> list[float]:
        """Give the charges of some operations."""
        return [units for operation, units in self if operation in operations]


@asynccontextmanager
async def service(partitions: int = 1) -> AsyncIterator[CosmosStandIn]:
    """Run the stand-in, with so many physical partitions in each container."""
    async with CosmosStandIn(CosmosService(partitions=partitions)) as standin:
        yield standin


@asynccontextmanager
async def account(
    standin: CosmosStandIn | None, *, ledger: Ledger | None = None, budget_seconds: float = 20
) -> AsyncIterator[CosmosAccount]:
    """Open a database of its own whose containers are empty."""
    endpoint, key = (ENDPOINT, ACCOUNT_KEY) if standin is None else (standin.url, KEY)
    database = f"test-{uuid4().hex[:12]}"
    await create_containers(endpoint, key, database)
    charge = Ledger() if ledger is None else ledger
    async with CosmosAccount(endpoint, key, database, charge=charge, budget_seconds=budget_seconds) as opened:
        yield opened
    if standin is None:
        async with CosmosClient(endpoint, key) as client:
            await client.delete_database(database)


def by_stream(found: Sequence[bytes]) -> list[bytes]:
    """Order events by stream, and leave those of one stream as they are."""
    return sorted(found, key=lambda body: str(json.loads(body)["stream"]))

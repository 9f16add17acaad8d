"""What several test modules of the contracts share.

The contract suites are no test modules themselves: without being registered here their assertions would say nothing but
"False".
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext

import pytest
import pytest_asyncio

pytest.register_assert_rewrite(
    *(
        f"tests.contract.{suite}"
        for suite in (
            "cosmos_bench",
            "event_bus_bench",
            "event_bus_publishing",
            "event_bus_locking",
            "event_bus_sessions",
            "event_bus_scheduling",
            "event_bus_concurrency",
            "event_store_bench",
            "event_store_log",
            "event_store_commit",
            "settlement",
            "projection_store",
            "key_ring",
            "vector_store",
        )
    )
)

# Only what is imported after the registration is rewritten.
from shared.bus.service_bus import ServiceBusEventBus  # noqa: E402
from tests.contract.service_bus_bench import Connected, connection_to_keep, hurried_sdk  # noqa: E402
from tests.standins.service_bus.server import ServiceBusStandIn  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def _hurried(request: pytest.FixtureRequest) -> Iterator[None]:
    with hurried_sdk() if "service_bus" in request.module.__name__ else nullcontext():
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kept() -> AsyncIterator[Connected]:
    """Connect to a Service Bus once for a module."""
    async with connection_to_keep() as connection:
        yield connection


@pytest.fixture
def service(kept: Connected) -> ServiceBusStandIn:
    """Give the service, emptied, with the bus connected."""
    kept.emptied()
    return kept.service


@pytest.fixture
def bus(kept: Connected) -> ServiceBusEventBus:
    return kept.bus

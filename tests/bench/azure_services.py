"""The stand-ins of Service Bus and Cosmos DB in a process of their own, so that their work is not counted as ours.

Writes a JSON line that says how to reach them, and serves until its standard input ends.
"""

import asyncio
import json
import sys

from shared.bus.topology import Topology
from shared.store.cosmos_container import create_containers
from tests.builders import a_topic, a_topology
from tests.standins.cosmos.server import KEY, CosmosStandIn
from tests.standins.service_bus.server import ServiceBusStandIn

OURS, BARE = "events", "bare"
"""A topic for each of the two that are compared."""


def topology() -> Topology:
    """Give two equal topics with one subscription each."""
    wants = ["trade.requested"]
    return a_topology(a_topic(OURS, reader=wants), a_topic(BARE, reader=wants))


async def serve() -> None:
    """Serve both."""
    async with CosmosStandIn() as cosmos, ServiceBusStandIn(topology()) as bus:
        await create_containers(cosmos.url, KEY)
        about = {"bus": bus.connection_string, "counts": bus.administration_url, "cosmos": cosmos.url, "key": KEY}
        print(json.dumps(about), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())

"""The containers that the desk has in Cosmos, and how moments are written in them.

`infra/containers.json` describes them as Cosmos does. In Azure, Bicep makes them from it: an identity with access to
data cannot. `create_containers` is for the emulator and tests.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient
from azure.cosmos.exceptions import CosmosResourceExistsError

FILE = Path(__file__).parents[2] / "infra" / "containers.json"
EVENTS, STATE, PROJECTIONS, LEDGER, MEMORIES = "events", "state", "projections", "ledger", "memories"


def containers() -> Iterator[dict[str, Any]]:
    """Give each container's name and policies as the SDK takes them."""
    for given in json.loads(FILE.read_text("utf-8")):
        yield {
            "id": given["id"],
            "partition_key": PartitionKey(given["partitionKey"]["paths"][0]),
            "indexing_policy": given["indexingPolicy"],
            "default_ttl": given.get("defaultTtl"),
            "vector_embedding_policy": given.get("vectorEmbeddingPolicy"),
        }


async def create_containers(endpoint: str, key: str, database: str = "finagent") -> None:
    """Make the database and its containers where they are not there yet."""
    async with CosmosClient(endpoint, key) as client:
        home = await client.create_database_if_not_exists(database)
        for container in containers():
            try:
                await home.create_container(**container)
            except CosmosResourceExistsError:
                continue


def instant(moment: datetime) -> str:
    """Write a moment as text that sorts by time: UTC, to the microsecond."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")

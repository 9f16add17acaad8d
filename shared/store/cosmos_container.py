"""The containers that the desk has in Cosmos, their policies, and how moments are written in them.

In Azure, Bicep makes them: an identity with access to data cannot. `create_containers` is for the emulator and tests.
"""

from datetime import UTC, datetime
from typing import Any

from azure.cosmos import PartitionKey
from azure.cosmos.aio import CosmosClient
from azure.cosmos.exceptions import CosmosResourceExistsError

EVENTS, STATE, PROJECTIONS = "events", "state", "projections"

NO_DEFAULT_TTL = -1
"""Items expire only if they say so themselves."""


def _only(*paths: str) -> dict[str, Any]:
    # Each indexed value costs request units at every write; ids and `_ts` are indexed in any case.
    return {
        "indexingMode": "consistent",
        "automatic": True,
        "includedPaths": [{"path": path} for path in paths],
        "excludedPaths": [{"path": "/*"}],
    }


CONTAINERS: dict[str, dict[str, Any]] = {
    EVENTS: {"partition_key": PartitionKey("/stream"), "indexing_policy": _only("/type/?", "/moment/?")},
    STATE: {"partition_key": PartitionKey("/stream"), "indexing_policy": _only(), "default_ttl": NO_DEFAULT_TTL},
    PROJECTIONS: {"partition_key": PartitionKey("/home"), "indexing_policy": _only("/valid/?", "/known/?")},
}
"""Partition key, indexing and expiry of each container, by name."""


async def create_containers(endpoint: str, key: str, database: str = "finagent") -> None:
    """Make the database and its containers where they are not there yet."""
    async with CosmosClient(endpoint, key) as client:
        home = await client.create_database_if_not_exists(database)
        for name, policies in CONTAINERS.items():
            try:
                await home.create_container(name, **policies)
            except CosmosResourceExistsError:
                continue


def instant(moment: datetime) -> str:
    """Write a moment as text that sorts by time: UTC, to the microsecond."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")

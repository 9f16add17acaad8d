"""The stand-in speaks as Cosmos does: Microsoft's SDK understands all that it says, and what is wrong is refused.

Microsoft's own tests of the SDK run against it by `make cosmos-conformance`.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosHttpResponseError

from tests.contract.cosmos_bench import service
from tests.standins.cosmos.effective_key import effective_key
from tests.standins.cosmos.server import KEY, CosmosStandIn

IF_SAME = MatchConditions.IfNotModified
VECTORS = {"vectorEmbeddings": [{"path": "/v", "dataType": "float32", "dimensions": 2, "distanceFunction": "cosine"}]}


@pytest.fixture
async def cosmos() -> AsyncIterator[CosmosStandIn]:
    async with service(partitions=4) as standin:
        yield standin


@pytest.fixture
async def container(cosmos: CosmosStandIn) -> AsyncIterator[ContainerProxy]:
    async with CosmosClient(cosmos.url, KEY, retry_total=0) as client:
        database = await client.create_database("d")
        yield await database.create_container(
            "c", PartitionKey("/key"), default_ttl=-1, vector_embedding_policy=VECTORS
        )


async def fill(container: ContainerProxy, count: int = 20) -> None:
    """Add items in several partitions, numbered."""
    for number in range(count):
        await container.create_item({"id": f"i{number}", "key": f"k{number % 5}", "n": number})


async def found(container: ContainerProxy, query: str, **options: Any) -> list[Any]:
    """Give the results of a query."""
    return [row async for row in container.query_items(query, **options)]


@pytest.mark.parametrize("key", ["a", "", "größer 📈", "x" * 100, 7, -1.5, True, False])
async def test_effective_key_when_computed_here_is_the_one_that_the_sdk_computes(
    container: ContainerProxy, key: str | float
) -> None:
    span = await container.feed_range_from_partition_key(key)
    assert span["Range"]["min"] == effective_key((key,))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT VALUE c.n FROM c WHERE c.n BETWEEN 3 AND 5 AND c.id != 'i4' ORDER BY c.n DESC", [5, 3]),
        ("SELECT VALUE c.n FROM c ORDER BY c.n OFFSET 18 LIMIT 5", [18, 19]),
        (
            "SELECT TOP 2 c.id, c.n * 2 AS twice FROM c ORDER BY c.n",
            [{"id": "i0", "twice": 0}, {"id": "i1", "twice": 2}],
        ),
        ("SELECT VALUE COUNT(1) FROM c", [20]),
        ("SELECT VALUE MAX(c.n) FROM c WHERE c.key IN ('k1', 'k2')", [17]),
        ("SELECT VALUE AVG(c.n) FROM c", [9.5]),
        ("SELECT DISTINCT VALUE c.key FROM c WHERE STARTSWITH(c.key, 'k') ORDER BY c.key", [f"k{n}" for n in range(5)]),
        ("SELECT VALUE c.n FROM c WHERE NOT IS_DEFINED(c.n) OR c.n = '1' OR c.absent > 0", []),
        ("SELECT VALUE {'a': [c.n, c.absent ?? 'none']} FROM c WHERE c.n = @n", [{"a": [7, "none"]}]),
    ],
)
async def test_query_when_it_spans_partitions_gives_what_the_language_says(
    container: ContainerProxy, query: str, expected: list[Any]
) -> None:
    await fill(container)
    assert await found(container, query, parameters=[{"name": "@n", "value": 7}]) == expected


async def test_query_when_it_is_paged_continues_where_it_was(container: ContainerProxy) -> None:
    await fill(container)
    seen, token = list[str](), None
    while True:
        pages = container.query_items("SELECT * FROM c", max_item_count=3).by_page(token)
        page = [row["id"] async for row in await anext(pages)]
        seen, token = seen + page, pages.continuation_token  # type: ignore[attr-defined]
        if token is None:
            break
    assert sorted(seen) == sorted(f"i{number}" for number in range(20))


@pytest.mark.parametrize("place", [{}, {"partition_key": "k"}], ids=["everywhere", "in one partition"])
async def test_vector_search_when_it_has_a_top_gives_the_nearest_first(
    container: ContainerProxy, place: dict[str, Any]
) -> None:
    for name, vector in (("far", [-1.0, 0.0]), ("near", [1.0, 0.1]), ("middle", [0.0, 1.0])):
        await container.create_item({"id": name, "key": "k", "v": vector})
    query = "SELECT TOP 2 c.id FROM c ORDER BY VectorDistance(c.v, @v)"
    rows = await found(container, query, parameters=[{"name": "@v", "value": [1.0, 0.0]}], **place)
    assert [row["id"] for row in rows] == ["near", "middle"]


async def test_batch_when_one_operation_fails_leaves_everything_as_it_was(container: ContainerProxy) -> None:
    await container.create_item({"id": "old", "key": "k", "n": 1})
    operations: list[Any] = [
        ("create", ({"id": "new", "key": "k"},)),
        ("upsert", ({"id": "old", "key": "k", "n": 2},)),
        ("delete", ("old",)),
        ("replace", ("absent", {"id": "absent", "key": "k"})),
    ]
    with pytest.raises(CosmosBatchOperationError) as refused:
        await container.execute_item_batch(operations, "k")
    assert [result["statusCode"] for result in refused.value.operation_responses] == [424, 424, 424, 404]
    assert await found(container, "SELECT VALUE [c.id, c.n] FROM c", partition_key="k") == [["old", 1]]
    feed = container.query_items_change_feed(start_time="Beginning", partition_key="k")
    assert [(item["id"], item["n"]) async for item in feed] == [("old", 1)]


async def test_item_when_its_time_is_over_is_in_no_answer(cosmos: CosmosStandIn, container: ContainerProxy) -> None:
    await container.create_item({"id": "short", "key": "k", "ttl": 10})
    await container.create_item({"id": "long", "key": "k"})
    cosmos.service.elapsed_seconds = 11
    assert await found(container, "SELECT VALUE c.id FROM c", partition_key="k") == ["long"]
    await container.create_item({"id": "short", "key": "k"})


async def test_change_feed_when_an_item_changes_has_its_latest_version_last(container: ContainerProxy) -> None:
    for body in ({"id": "a", "n": 1}, {"id": "b", "n": 1}, {"id": "a", "n": 2}):
        await container.upsert_item(body | {"key": "k"})
    feed = container.query_items_change_feed(start_time="Beginning", partition_key="k")
    assert [(item["id"], item["n"], item["_lsn"]) async for item in feed] == [("b", 1, 2), ("a", 2, 3)]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("SELEKT * FROM c", 400),
        ("SELECT * FROM c WHERE", 400),
        ("SELECT * FROM c WHERE NOSUCH(c.n)", 400),
        ("SELECT c.key FROM c GROUP BY c.key", 501),
    ],
)
async def test_query_when_it_is_wrong_or_not_covered_is_refused(
    container: ContainerProxy, query: str, status: int
) -> None:
    await fill(container, 1)
    with pytest.raises(CosmosHttpResponseError) as refused:
        await found(container, query, partition_key="k0")
    assert refused.value.status_code == status


async def test_write_when_its_condition_fails_is_refused(container: ContainerProxy) -> None:
    item = await container.create_item({"id": "a", "key": "k"})
    await container.upsert_item({"id": "a", "key": "k", "n": 1})
    for write, status in (
        (lambda: container.create_item({"id": "a", "key": "k"}), 409),
        (
            lambda: container.replace_item("a", {"id": "a", "key": "k"}, etag=item["_etag"], match_condition=IF_SAME),
            412,
        ),
        (lambda: container.delete_item("b", "k"), 404),
    ):
        with pytest.raises(CosmosHttpResponseError) as refused:
            await write()
        assert refused.value.status_code == status

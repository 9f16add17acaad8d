"""Memories in Cosmos keep the contract, at a price that does not grow with what others remember."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.memory.bridge import in_thread
from shared.memory.cosmos import CosmosVectorStore
from shared.memory.port import DIMENSIONS, LIMITS, Limits, VectorStore
from shared.store.cosmos_container import MEMORIES, containers
from tests.contract.cosmos_bench import ENDPOINT, account, on_the_stand_in, service
from tests.contract.cosmos_bench import Ledger as Charges
from tests.contract.vector_store import VectorStoreContract, days, kept, nearest, texts
from tests.memories import a_memory
from tests.standins.cosmos.fault import Drop
from tests.standins.cosmos.server import CosmosStandIn


class TestCosmosVectorStore(VectorStoreContract):
    @pytest.fixture(autouse=True)
    async def _service(self) -> AsyncIterator[None]:
        self.standin: CosmosStandIn | None = None
        if ENDPOINT:
            yield
            return
        async with service(partitions=4) as self.standin:
            yield

    @asynccontextmanager
    async def opened(self, limits: Limits = LIMITS) -> AsyncIterator[VectorStore]:
        async with account(self.standin) as opened:
            yield CosmosVectorStore(opened, limits, trim_every=1)


def test_container_when_made_has_vectors_of_the_embedders_and_their_life() -> None:
    [memories] = [each for each in containers() if each["id"] == MEMORIES]
    [embedding] = memories["vector_embedding_policy"]["vectorEmbeddings"]
    assert (embedding["path"], embedding["dimensions"]) == ("/vector", DIMENSIONS)
    assert embedding["distanceFunction"] == "cosine"
    assert memories["default_ttl"] == LIMITS.days * 86_400


@on_the_stand_in
@pytest.mark.parametrize("is_kept", [True, False], ids=["answer", "request"])
async def test_memory_when_the_connection_drops_is_kept_once(is_kept: bool) -> None:
    async with service() as cosmos, account(cosmos) as opened:
        store = CosmosVectorStore(opened)
        await kept(store, a_memory("a"))
        cosmos.faults.fail("POST", "colls/memories/docs", Drop(after_commit=is_kept))
        await kept(store, a_memory("b"))
        assert cosmos.faults.waiting == 0
        assert sorted(await texts(store)) == ["a", "b"]


@on_the_stand_in
async def test_memory_when_it_expires_is_gone_and_a_revocation_is_not() -> None:
    async with service() as cosmos, account(cosmos) as opened:
        store = CosmosVectorStore(opened)
        await in_thread(store.revoke, "news-1", None, everyone=True)
        await kept(store, a_memory("a"))
        cosmos.service.elapsed_seconds = LIMITS.days * 86_400 + 1
        assert await texts(store) == []
        await kept(store, a_memory("a", sources=("news-1",)))
        assert await texts(store) == []


@on_the_stand_in
async def test_memory_when_damaged_is_left_out_and_made_anew(caplog: pytest.LogCaptureFixture) -> None:
    async with service() as cosmos, account(cosmos) as opened:
        store = CosmosVectorStore(opened)
        await kept(store, *days("a", "b"))
        container = cosmos.service.container(opened.database, MEMORIES)
        for partition in container.partitions:
            for item in partition.items.values():
                if item.body["id"] == "m-b":
                    item.body["body"] = "{"
        assert await texts(store) == ["a"]
        assert await nearest(store, "b") == ["a"]
        await kept(store, *days("a", "b"))
        assert await texts(store) == ["b", "a"]


@on_the_stand_in
async def test_recall_when_others_remember_much_costs_the_same() -> None:
    charges = Charges()
    async with service() as cosmos, account(cosmos, ledger=charges) as opened:
        store = CosmosVectorStore(opened)
        await kept(store, *days("a", "b", "c"))
        await nearest(store, "a")
        await kept(store, *(a_memory(f"other {number}", owner="anna") for number in range(40)))
        await nearest(store, "a")
    before, after = charges.of("recall")
    assert before == after < 5
    assert max(charges.of("remember")) < 15

"""The contract of a place for memories: apart by scope, of a moment, once each, within limits; on every technology."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import datetime

import numpy as np
import pytest

from shared.errors import InvalidError
from shared.memory.bridge import in_thread
from shared.memory.memory import Memory, Scope
from shared.memory.port import LIMITS, Entry, Limits, VectorStore
from tests.builders import CLOSE, DAY, SECOND
from tests.memories import EMBEDDER, a_memory, an_entry, an_outcome

ORACLE = Scope("oracle")
LATER = CLOSE + 1_000 * DAY


async def kept(store: VectorStore, *memories: Memory) -> None:
    """Keep memories, one after the other."""
    for memory in memories:
        await in_thread(store.keep, [an_entry(memory)])


async def kept_at_once(store: VectorStore, *memories: Memory) -> None:
    """Keep memories together."""
    await in_thread(store.keep, [an_entry(memory) for memory in memories])


HOWEVER = pytest.mark.parametrize("keep", [kept, kept_at_once])


async def nearest(
    store: VectorStore, text: str, *, scope: Scope = ORACLE, before: datetime = LATER, limit: int = 5
) -> list[str]:
    """Give the texts of what is nearest."""
    vector = EMBEDDER.embed([text])[0]
    found = await in_thread(store.nearest, scope, EMBEDDER.space, vector, before, limit)
    return [memory.text for memory, _ in found]


async def texts(store: VectorStore, scope: Scope = ORACLE, before: datetime = LATER) -> list[str]:
    """Give the texts of what is there, newest first."""
    return [memory.text for memory in await in_thread(store.latest, scope, before, 100)]


def days(*words: str) -> Iterator[Memory]:
    """Give a memory per word, a day apart."""
    return (
        a_memory(word, id=f"m-{word.replace(' ', '-')}", known_at=CLOSE + place * DAY)
        for place, word in enumerate(words)
    )


type Keep = Callable[..., Awaitable[None]]


class VectorStoreContract(ABC):
    """What every `VectorStore` does."""

    @abstractmethod
    def opened(self, limits: Limits = LIMITS) -> AbstractAsyncContextManager[VectorStore]:
        """Open a store without memories."""

    @pytest.fixture
    async def store(self) -> AsyncIterator[VectorStore]:
        async with self.opened() as opened:
            yield opened

    async def test_memory_when_kept_is_read_whole(self, store: VectorStore) -> None:
        memory = a_memory(sources=("news-1",), recalled=("m-0",), outcome=an_outcome())
        await kept(store, memory)
        assert await in_thread(store.get, ORACLE, memory.id) == memory
        assert await in_thread(store.latest, ORACLE, LATER, 5) == [memory]

    async def test_nearest_when_asked_gives_the_likest_first_with_its_cosine(self, store: VectorStore) -> None:
        await kept(store, a_memory("sell MSFT against momentum=-2e-01"), a_memory("buy IBM for trend=up rsi=5e+01"))
        vector = EMBEDDER.embed(["buy IBM for trend=up rsi=5e+01"])[0]
        found = await in_thread(store.nearest, ORACLE, EMBEDDER.space, vector, LATER, 5)
        assert [memory.symbol for memory, _ in found] == ["IBM", "IBM"]
        assert found[0][0].text.startswith("buy")
        assert found[0][1] == pytest.approx(1, abs=1e-5)
        other = EMBEDDER.embed([found[1][0].text])[0]
        assert found[1][1] == pytest.approx(max(0.0, float(vector @ other)), abs=1e-5)

    async def test_store_when_asked_for_what_was_graded_knows_its_own_scope_s_and_not_the_future(
        self, store: VectorStore
    ) -> None:
        graded_at = CLOSE + 8 * DAY
        await kept(store, a_memory(outcome=an_outcome(at=graded_at)))
        assert await in_thread(store.knows, ORACLE)
        assert await in_thread(store.knows, ORACLE, graded_at + SECOND)
        others = (Scope("oracle", "anna"), Scope("risk_manager"))
        assert [await in_thread(store.knows, other, LATER) for other in others] == [False, False]
        assert [await in_thread(store.knows, other) for other in others] == [False, False]

    async def test_nearest_when_limited_gives_so_many(self, store: VectorStore) -> None:
        await kept(store, *days("alpha one", "alpha two", "alpha three", "beta"))
        found = await nearest(store, "alpha two", limit=2)
        assert len(found) == 2
        assert found[0] == "alpha two"

    async def test_nearest_when_two_are_as_like_gives_the_newer_first(self, store: VectorStore) -> None:
        older, newer = a_memory("same", id="a"), a_memory("same", id="b", known_at=CLOSE + DAY)
        await kept(store, newer, older)
        vector = EMBEDDER.embed(["same"])[0]
        found = await in_thread(store.nearest, ORACLE, EMBEDDER.space, vector, LATER, 5)
        assert [memory.id for memory, _ in found] == ["b", "a"]

    async def test_nearest_when_graded_come_first_takes_them_by_what_was_known_then(self, store: VectorStore) -> None:
        ages = enumerate(("trend up", "trend up now", "trend down", "else"))
        told = [a_memory(text, id=f"m-{number}", known_at=CLOSE + number * SECOND) for number, text in ages]
        await kept(store, *told)
        await nearest(store, "trend up")
        late = [told[0].model_copy(update={"outcome": an_outcome(at=CLOSE + 20 * DAY)})]
        await kept(store, *late, told[2].model_copy(update={"outcome": an_outcome(at=CLOSE + 8 * DAY)}))
        vector = EMBEDDER.embed(["trend up"])[0]

        async def first(days: int, limit: int = 3) -> list[str]:
            """Give ids, as of so many days later."""
            moment = CLOSE + days * DAY
            found = await in_thread(store.nearest, ORACLE, EMBEDDER.space, vector, moment, limit, graded_first=True)
            return [memory.id for memory, _ in found]

        assert await first(8) == ["m-0", "m-1", "m-2"]
        assert await first(9) == ["m-2", "m-0", "m-1"]
        assert await first(21) == ["m-0", "m-2", "m-1"]
        assert await first(21, limit=2) == ["m-0", "m-2"]

    async def test_nearest_when_asked_of_a_moment_gives_nothing_of_it_or_later(self, store: VectorStore) -> None:
        await kept(store, *days("canary", "canary one", "canary two"))
        assert await nearest(store, "canary", before=CLOSE + DAY) == ["canary"]
        assert await nearest(store, "canary", before=CLOSE) == []
        assert await texts(store, before=CLOSE + DAY) == ["canary"]
        assert await texts(store, before=CLOSE + DAY + SECOND) == ["canary one", "canary"]

    async def test_nearest_when_a_vector_is_of_another_space_leaves_it_out(self, store: VectorStore) -> None:
        memory = a_memory("buy IBM")
        await in_thread(store.keep, [an_entry(memory, space="another-1-384")])
        assert await nearest(store, "buy IBM") == []
        assert await texts(store) == ["buy IBM"]
        await kept(store, memory)
        assert await nearest(store, "buy IBM") == ["buy IBM"]

    async def test_nearest_when_a_text_has_no_words_gives_nothing_or_no_likeness(self, store: VectorStore) -> None:
        await kept(store, a_memory())
        vector = np.zeros(384, np.float32)
        found = await in_thread(store.nearest, ORACLE, EMBEDDER.space, vector, LATER, 5)
        assert all(cosine == 0 for _, cosine in found)

    async def test_scopes_when_they_differ_in_agent_or_owner_are_apart(self, store: VectorStore) -> None:
        mine, yours = Scope("oracle", "anna"), Scope("oracle", "bert")
        others = (ORACLE, yours, Scope("risk_manager", "anna"), Scope("oracle", "ann"))
        memory = a_memory("secret", owner="anna")
        await kept(store, memory)
        for scope in others:
            assert await nearest(store, "secret", scope=scope) == []
            assert await texts(store, scope) == []
            assert await in_thread(store.get, scope, memory.id) is None
            assert not await in_thread(store.knows, scope)
            await in_thread(store.delete, scope, memory.id)
        assert await nearest(store, "secret", scope=mine) == ["secret"]
        assert await in_thread(store.knows, mine)
        await in_thread(store.delete, mine, memory.id)
        assert await texts(store, mine) == []
        assert await nearest(store, "secret", scope=mine) == []

    async def test_memory_when_kept_again_is_there_once(self, store: VectorStore) -> None:
        await kept(store, a_memory(), a_memory())
        assert len(await texts(store)) == 1
        assert len(await nearest(store, "buy IBM")) == 1

    async def test_outcome_when_told_before_or_after_is_kept(self, store: VectorStore) -> None:
        graded = a_memory(outcome=an_outcome())
        for order in ((a_memory(), graded, a_memory()), (graded, a_memory())):
            await in_thread(store.clear)
            await kept(store, *order)
            assert await in_thread(store.get, ORACLE, graded.id) == graded

    async def test_outcome_when_the_memory_is_kept_completes_it_and_gives_the_others_back(
        self, store: VectorStore
    ) -> None:
        known, other, elsewhere = a_memory("known"), a_memory("other"), a_memory("known", owner="anna")
        await kept(store, known)
        told = [memory.model_copy(update={"outcome": an_outcome()}) for memory in (known, other, elsewhere)]
        for _ in range(2):
            assert await in_thread(store.complete, told, EMBEDDER.space) == told[1:]
            assert await in_thread(store.get, ORACLE, known.id) == told[0]
        assert await nearest(store, "known") == ["known"]
        assert await in_thread(store.complete, told[:1], "another-1-384") == told[:1]
        assert await in_thread(store.complete, [], EMBEDDER.space) == []
        found = await in_thread(
            store.nearest, ORACLE, EMBEDDER.space, an_entry(known).vector, LATER, 1, graded_first=True
        )
        assert [memory for memory, _ in found] == told[:1]

    async def test_owner_when_forgotten_leaves_the_others_and_the_desk(self, store: VectorStore) -> None:
        await kept(store, a_memory("a", owner="anna"), a_memory("b", owner="anna", agent="risk_manager"))
        await kept(store, a_memory("c", owner="bert"), a_memory("d"))
        assert await in_thread(store.forget, "anna") == 2
        assert await texts(store, Scope("oracle", "anna")) == await texts(store, Scope("risk_manager", "anna")) == []
        assert await texts(store, Scope("oracle", "bert")) == ["c"]
        assert await texts(store) == ["d"]

    @pytest.mark.parametrize("owner", ["*", "", "a b", "anna@bert", "%"])
    async def test_owner_when_it_is_a_wildcard_is_refused(self, store: VectorStore, owner: str) -> None:
        await kept(store, a_memory("a", owner="anna"))
        with pytest.raises(InvalidError):
            await in_thread(store.forget, owner)
        with pytest.raises(InvalidError):
            Scope("oracle", owner)
        assert await texts(store, Scope("oracle", "anna")) == ["a"]

    async def test_source_when_revoked_takes_what_rests_on_it_and_keeps_it_away(self, store: VectorStore) -> None:
        poisoned, other = a_memory("poisoned", sources=("news-1",)), a_memory("other", sources=("news-2",))
        await kept(store, poisoned, other)
        await in_thread(store.revoke, "news-1", None, everyone=True)
        assert await texts(store) == ["other"]
        assert await nearest(store, "poisoned") == ["other"]
        again = a_memory("late", sources=("news-1",), owner="anna")
        await kept(store, poisoned, poisoned.model_copy(update={"outcome": an_outcome()}), again)
        assert await texts(store) == ["other"]
        assert await texts(store, Scope("oracle", "anna")) == []

    async def test_memories_when_kept_together_leave_out_only_what_is_revoked(self, store: VectorStore) -> None:
        await in_thread(store.revoke, "news-1", "alice", everyone=False)
        theirs = (
            a_memory("hers", owner="alice", sources=("news-1",)),
            a_memory("mine", owner="bob", sources=("news-1",)),
        )
        others = a_memory("hers, too", owner="alice", sources=("news-2",)), a_memory("hers, too", owner="alice")
        await in_thread(store.keep, [an_entry(memory) for memory in (*theirs, *others)])
        assert await texts(store, Scope("oracle", "alice")) == ["hers, too"]
        assert await texts(store, Scope("oracle", "bob")) == ["mine"]
        await in_thread(store.keep, [])

    async def test_memories_when_kept_at_once_are_as_if_one_came_after_the_other(self) -> None:
        first, second, third, fourth = days("a", "b", "c", "d")
        graded = second.model_copy(update={"outcome": an_outcome()})
        hers = a_memory("a", owner="anna", id=first.id)
        user = fourth.model_copy(update={"recalled": (first.id, third.id), "sources": ("news-1",)})
        mixed = [user, first, second, hers, graded, first, third, second, user]
        async with self.opened() as store, self.opened() as other:
            await kept(other, *mixed)
            await kept_at_once(store, *mixed[:4])
            await kept_at_once(store, *mixed[2:])
            for scope in (ORACLE, hers.scope):
                found = await in_thread(store.latest, scope, LATER, 100)
                assert found == await in_thread(other.latest, scope, LATER, 100)
                assert await nearest(store, "a", scope=scope) == await nearest(other, "a", scope=scope)
            assert await in_thread(store.get, ORACLE, second.id) == graded
            rest = await in_thread(store.resting_on, "news-1", None, everyone=False)
            assert rest == await in_thread(other.resting_on, "news-1", None, everyone=False)
            assert rest.memories == (user,)

    async def test_source_when_an_owner_revokes_it_stays_for_the_others(self, store: VectorStore) -> None:
        mine, yours, desks = (a_memory("on it", owner=owner, sources=("news-1",)) for owner in ("anna", "bert", None))
        await kept(store, mine, yours, desks)
        await in_thread(store.revoke, "news-1", "anna", everyone=False)
        assert await texts(store, yours.scope) == await texts(store) == ["on it"]
        await kept(store, mine, yours, desks)
        assert await texts(store, mine.scope) == []
        assert await texts(store, yours.scope) == await texts(store) == ["on it"]

    async def test_source_when_asked_about_names_what_it_influenced_through_others(self, store: VectorStore) -> None:
        first = a_memory("first", id="m-1", sources=("news-1",))
        second = a_memory("second", id="m-2", recalled=("m-1",), known_at=CLOSE + DAY)
        third = a_memory("third", id="m-3", recalled=("m-2",), known_at=CLOSE + 2 * DAY)
        strangers = a_memory("stranger", id="m-4"), a_memory("hers", owner="anna", id="m-5", sources=("news-1",))
        await kept(store, first, second, third, *strangers)
        rest = await in_thread(store.resting_on, "news-1", None, everyone=False)
        assert rest.memories == (first,)
        assert rest.influenced == (second, third)
        everybody = await in_thread(store.resting_on, "news-1", None, everyone=True)
        assert {memory.id for memory in everybody.memories} == {"m-1", "m-5"}
        assert (await in_thread(store.resting_on, "news-9", None, everyone=True)).memories == ()

    async def test_everything_when_cleared_is_gone_and_may_come_again(self, store: VectorStore) -> None:
        await kept(store, a_memory("a", sources=("news-1",)), a_memory("b", owner="anna"))
        await in_thread(store.revoke, "news-1", None, everyone=True)
        await in_thread(store.clear)
        assert await texts(store) == await texts(store, Scope("oracle", "anna")) == []
        await kept(store, a_memory("a", sources=("news-1",)))
        assert await nearest(store, "a") == ["a"]

    @HOWEVER
    async def test_scope_when_too_many_forgets_the_oldest(self, keep: Keep) -> None:
        async with self.opened(Limits(count=4)) as store:
            await keep(store, *days("a", "b", "c", "d", "e", "f", "g"))
            assert await texts(store) == ["g", "f", "e", "d"]
            assert await nearest(store, "a") == await nearest(store, "e f g d")
            assert set(await nearest(store, "g")) == {"d", "e", "f", "g"}

    async def test_scope_when_too_large_forgets_the_oldest(self) -> None:
        sizes = [len(memory.model_dump_json(exclude_none=True)) + 4 * 384 for memory in days("a", "b", "c", "d")]
        async with self.opened(Limits(size=sum(sizes[:3]) + 1)) as store:
            await kept(store, *days("a", "b", "c", "d"))
            assert await texts(store) == ["d", "c"] or await texts(store) == ["d", "c", "b"]

    @HOWEVER
    async def test_scope_when_too_old_forgets_by_the_time_of_the_newest(self, keep: Keep) -> None:
        async with self.opened(Limits(days=2)) as store:
            await keep(store, *days("a", "b", "c", "d"))
            assert await texts(store) == ["d", "c", "b"]

    @HOWEVER
    async def test_memory_when_it_was_recalled_outlives_younger_ones(self, keep: Keep) -> None:
        async with self.opened(Limits(count=3, days_per_use=3)) as store:
            first, second, third, fourth, fifth = days("a", "b", "c", "d", "e")
            users = [each.model_copy(update={"recalled": (first.id,)}) for each in (third, fourth)]
            await keep(store, first, second, *users, fifth)
            assert await texts(store) == ["e", "d", "a"]

    @HOWEVER
    async def test_memory_when_it_was_recalled_by_what_was_kept_before_it_outlives_younger_ones(
        self, keep: Keep
    ) -> None:
        async with self.opened(Limits(count=3, days_per_use=3)) as store:
            first, second, third, fourth, fifth = days("a", "b", "c", "d", "e")
            user = third.model_copy(update={"recalled": (first.id,)})
            hers = a_memory("hers", owner="anna", recalled=(second.id, first.id))
            await kept(store, user, hers)
            await keep(store, second, first, fourth, fifth)
            assert await texts(store) == ["e", "d", "a"]

    async def test_scope_when_trimmed_leaves_the_others(self) -> None:
        async with self.opened(Limits(count=2)) as store:
            await kept(store, a_memory("hers", owner="anna"), *days("a", "b", "c", "d"))
            assert await texts(store, Scope("oracle", "anna")) == ["hers"]
            assert await texts(store) == ["d", "c"]

    async def test_vectors_when_kept_keep_what_they_say(self, store: VectorStore) -> None:
        seed = 20261122
        chance = np.random.default_rng(seed)
        vectors = chance.normal(size=(40, 384)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        for number, vector in enumerate(vectors):
            await in_thread(store.keep, [Entry(a_memory(f"v{number}"), "chance", vector)])
        wanted = vectors @ vectors[7]
        found = await in_thread(store.nearest, ORACLE, "chance", vectors[7], LATER, 10)
        best = [f"v{place}" for place in np.argsort(-wanted)[:10]]
        assert [memory.text for memory, _ in found] == best, f"seed {seed}"
        assert [cosine for _, cosine in found] == pytest.approx(np.maximum(np.sort(wanted)[::-1][:10], 0), abs=1e-5)

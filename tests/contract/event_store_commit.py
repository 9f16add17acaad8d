"""Contract of the event store: an agent's snapshot and receipt are committed together, once."""

import asyncio

import pytest

from shared.errors import ConflictError
from shared.events.emit import Emit
from shared.store.port import Commit, EventStore
from tests.builders import CLOSE, MINUTE, a_deadline, a_headline, a_trade_request, an_opinion
from tests.contract.event_store_bench import EventStoreBench, read_all

OPINION = Emit(an_opinion())


def a_commit(
    event_id: str = "event-1",
    *,
    state: bytes | None = b'{"n":1}',
    etag: str | None = None,
    outputs: tuple[Emit, ...] = (OPINION,),
    agent: str = "risk-manager",
    stream: str = "stream-1",
) -> Commit:
    """Give a decision of the risk manager in one stream."""
    return Commit(agent, stream, event_id, state, etag, outputs)


async def etag_of(store: EventStore, agent: str = "risk-manager", stream: str = "stream-1") -> str:
    """Give the version of a snapshot that is there."""
    snapshot = await store.snapshot(agent, stream)
    assert snapshot is not None
    return snapshot.etag


class Commits(EventStoreBench):
    """Snapshots, receipts and conflicts."""

    async def test_snapshot_when_nothing_was_committed_is_absent(self, store: EventStore) -> None:
        assert await store.snapshot("risk-manager", "stream-1") is None
        assert await store.receipt("risk-manager", "stream-1", "event-1") is None

    async def test_commit_when_it_is_the_first_stores_snapshot_and_receipt(self, store: EventStore) -> None:
        await store.commit(a_commit(state=b'{"n": 1 }'))
        snapshot = await store.snapshot("risk-manager", "stream-1")
        assert snapshot is not None
        assert snapshot.body == b'{"n": 1 }'
        assert await store.receipt("risk-manager", "stream-1", "event-1") == (OPINION,)

    async def test_commit_when_made_is_not_in_the_log(self, store: EventStore) -> None:
        await store.commit(a_commit())
        assert await read_all(store) == []

    async def test_commit_when_on_the_current_snapshot_replaces_it(self, store: EventStore) -> None:
        await store.commit(a_commit("event-1", state=b"1"))
        before = await etag_of(store)
        await store.commit(a_commit("event-2", state=b"2", etag=before))
        snapshot = await store.snapshot("risk-manager", "stream-1")
        assert snapshot is not None
        assert snapshot.body == b"2"
        assert snapshot.etag != before

    @pytest.mark.parametrize("stale", [None, "first"])
    async def test_commit_when_the_snapshot_has_changed_stores_nothing(
        self, store: EventStore, stale: str | None
    ) -> None:
        await store.commit(a_commit("event-1", state=b"1"))
        first = await etag_of(store)
        await store.commit(a_commit("event-2", state=b"2", etag=first))
        current = await store.snapshot("risk-manager", "stream-1")
        with pytest.raises(ConflictError):
            await store.commit(a_commit("event-3", state=b"3", etag=stale and first))
        assert await store.snapshot("risk-manager", "stream-1") == current
        assert await store.receipt("risk-manager", "stream-1", "event-3") is None

    async def test_commit_when_the_snapshot_that_it_knew_is_not_there_stores_nothing(self, store: EventStore) -> None:
        await store.commit(a_commit(stream="stream-2"))
        with pytest.raises(ConflictError):
            await store.commit(a_commit(etag=await etag_of(store, stream="stream-2")))
        assert await store.snapshot("risk-manager", "stream-1") is None
        assert await store.receipt("risk-manager", "stream-1", "event-1") is None

    async def test_commit_when_the_receipt_is_there_already_stores_nothing(self, store: EventStore) -> None:
        await store.commit(a_commit(state=b"1"))
        before = await store.snapshot("risk-manager", "stream-1")
        with pytest.raises(ConflictError):
            await store.commit(a_commit(state=b"2", etag=await etag_of(store), outputs=()))
        assert await store.snapshot("risk-manager", "stream-1") == before
        assert await store.receipt("risk-manager", "stream-1", "event-1") == (OPINION,)

    async def test_commit_when_the_state_is_none_leaves_the_snapshot_as_it_was(self, store: EventStore) -> None:
        await store.commit(a_commit("event-1", state=b"1"))
        before = await store.snapshot("risk-manager", "stream-1")
        await store.commit(a_commit("event-2", state=None, etag=await etag_of(store)))
        assert await store.snapshot("risk-manager", "stream-1") == before
        assert await store.receipt("risk-manager", "stream-1", "event-2") == (OPINION,)

    async def test_commit_when_the_state_is_none_and_there_was_no_snapshot_makes_none(self, store: EventStore) -> None:
        await store.commit(a_commit(state=None))
        assert await store.snapshot("risk-manager", "stream-1") is None
        assert await store.receipt("risk-manager", "stream-1", "event-1") == (OPINION,)

    async def test_commit_when_the_state_is_none_and_the_receipt_is_there_conflicts(self, store: EventStore) -> None:
        await store.commit(a_commit(state=None))
        with pytest.raises(ConflictError):
            await store.commit(a_commit(state=None, outputs=()))
        assert await store.receipt("risk-manager", "stream-1", "event-1") == (OPINION,)

    async def test_receipt_when_nothing_was_emitted_is_empty_and_not_absent(self, store: EventStore) -> None:
        await store.commit(a_commit(outputs=()))
        assert await store.receipt("risk-manager", "stream-1", "event-1") == ()

    async def test_receipt_when_read_again_gives_equal_outputs_in_order(self, store: EventStore) -> None:
        request = a_trade_request()
        outputs = (
            Emit(a_deadline(request), deliver_at=CLOSE + MINUTE),
            Emit(an_opinion(request, rationale="größer 📈 \u2028")),
            Emit(a_headline()),
            Emit(a_deadline(request), deliver_at=CLOSE.replace(microsecond=123456)),
        )
        await store.commit(a_commit(outputs=outputs))
        kept = await store.receipt("risk-manager", "stream-1", "event-1")
        assert kept == outputs
        assert [output.event.json_bytes for output in kept] == [output.event.json_bytes for output in outputs]

    async def test_commits_when_agent_stream_or_event_differ_are_apart(self, store: EventStore) -> None:
        await store.commit(a_commit(state=b"1"))
        await store.commit(a_commit(state=b"2", agent="market-analyst", outputs=()))
        await store.commit(a_commit(state=b"3", stream="stream-2", outputs=()))
        homes = [("risk-manager", "stream-1"), ("market-analyst", "stream-1"), ("risk-manager", "stream-2")]
        snapshots = [await store.snapshot(agent, stream) for agent, stream in homes]
        assert [snapshot and snapshot.body for snapshot in snapshots] == [b"1", b"2", b"3"]
        assert [await store.receipt(agent, stream, "event-1") for agent, stream in homes] == [(OPINION,), (), ()]

    async def test_agents_when_asked_together_are_those_with_a_receipt(self, store: EventStore) -> None:
        await store.commit(a_commit(agent="risk-manager"))
        await store.commit(a_commit(agent="oracle", outputs=()))
        await store.commit(a_commit(agent="consensus"))
        await store.commit(a_commit("event-2", agent="market-analyst"))
        asked = ("risk-manager", "oracle", "market-analyst", "sentiment-tracker")
        assert await store.handled(asked, "stream-1", "event-1") == {"risk-manager", "oracle"}
        assert await store.handled(asked, "stream-2", "event-1") == set()
        assert await store.handled((), "stream-1", "event-1") == set()

    async def test_commits_when_many_decide_on_one_snapshot_let_one_win(self, store: EventStore) -> None:
        await store.commit(a_commit("event-0", state=b"0"))
        etag = await etag_of(store)
        commits = [a_commit(f"event-{number}", state=b"%d" % number, etag=etag) for number in range(1, 9)]
        results = await asyncio.gather(*map(store.commit, commits), return_exceptions=True)
        (winner,) = [commit for commit, result in zip(commits, results, strict=True) if result is None]
        assert [type(result) for result in results if result is not None] == [ConflictError] * 7
        snapshot = await store.snapshot("risk-manager", "stream-1")
        assert snapshot is not None
        assert snapshot.body == winner.state
        receipts = [await store.receipt("risk-manager", "stream-1", commit.event_id) for commit in commits]
        assert [receipt is not None for receipt in receipts] == [commit is winner for commit in commits]

"""The contract of settlement: a decision is committed, in the log and on the bus, or it can be done again until it is.

An adapter's tests subclass it as `Test<Adapter>` and say how an empty desk is opened.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import pytest

from shared.bus.port import Message, message_for
from shared.clock import ManualClock
from shared.errors import ConflictError
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.settlement.port import Settlement
from shared.store.port import Commit, EventStore, Snapshot
from tests.builders import (
    CLOSE,
    MINUTE,
    a_deadline,
    a_headline,
    a_topic,
    a_topology,
    a_trade_request,
    altered,
    an_opinion,
)
from tests.contract.event_bus_bench import Bus, take
from tests.contract.event_store_bench import bodies, read_all

VOTES, CLOCKS = "events/votes", "events/clocks"
TOPOLOGY = a_topology(a_topic("events", votes=["opinion.formed"], clocks=["opinion.formed", "trade.deadline.reached"]))

REQUEST = a_trade_request(id="t")
OPINION, OTHER_OPINION = an_opinion(REQUEST), an_opinion(REQUEST, agent="risk-manager")
DEADLINE = a_deadline(REQUEST, after=MINUTE)
OUTPUTS = (Emit(OPINION), Emit(DEADLINE, deliver_at=DEADLINE.time), Emit(OTHER_OPINION))
COMMIT = Commit("consensus", REQUEST.stream, REQUEST.id, b'{"n":1}', None, OUTPUTS)


@dataclass(frozen=True, slots=True)
class Parts:
    """A desk as far as settlement knows it.

    Attributes
    ----------
    counts_versions : bool
        Whether a snapshot's etag is the number of its commits; else only its body is compared.
    """

    store: EventStore
    bus: Bus
    settlement: Settlement
    clock: ManualClock
    counts_versions: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that settlement leaves behind."""

    log: list[bytes]
    snapshot: Snapshot | None
    receipt: tuple[Emit, ...] | None
    votes: list[Message]
    clocks: list[Message]


NOTHING = Outcome([], None, None, [], [])
EVERYTHING = Outcome(
    log=bodies([OPINION, OTHER_OPINION]),
    snapshot=Snapshot(b'{"n":1}', "1"),
    receipt=OUTPUTS,
    votes=[message_for(OPINION), message_for(OTHER_OPINION)],
    clocks=[message_for(OPINION), message_for(DEADLINE, deliver_at=DEADLINE.time), message_for(OTHER_OPINION)],
)


async def outcome(parts: Parts) -> Outcome:
    """Let all scheduled messages come due, take everything from the bus, and say what is there."""
    parts.clock.advance(MINUTE)
    snapshot = await parts.store.snapshot(COMMIT.agent, COMMIT.stream)
    if snapshot is not None and not parts.counts_versions:
        snapshot = Snapshot(snapshot.body, "1")
    receipt = await parts.store.receipt(COMMIT.agent, COMMIT.stream, COMMIT.event_id)
    votes, clocks = await empty(parts.bus, VOTES), await empty(parts.bus, CLOCKS)
    return Outcome(await read_all(parts.store), snapshot, receipt, votes, clocks)


async def empty(bus: Bus, subscription: str) -> list[Message]:
    """Take and complete all that waits in a subscription."""
    messages = []
    for _ in range((await bus.backlog())[subscription]):
        delivery = await take(bus, subscription)
        messages.append(delivery.message)
        await bus.complete(delivery)
    return messages


async def redo(parts: Parts) -> list[Event]:
    """Settle the decision as the runtime does when the trigger comes again."""
    done = await parts.store.receipt(COMMIT.agent, COMMIT.stream, COMMIT.event_id)
    if done is not None:
        return await parts.settlement.settle(None, done)
    return await parts.settlement.settle(COMMIT, OUTPUTS)


class SettlementContract(ABC):
    """What holds for every `Settlement`."""

    @abstractmethod
    def opened(self) -> AbstractAsyncContextManager[Parts]:
        """Open an empty desk with the topology above."""

    @pytest.fixture
    async def parts(self) -> AsyncIterator[Parts]:
        """Give an empty desk."""
        async with self.opened() as parts:
            yield parts

    async def test_decision_when_settled_is_committed_logged_and_published(self, parts: Parts) -> None:
        assert await parts.settlement.settle(COMMIT, OUTPUTS) == [OPINION, OTHER_OPINION]
        assert await outcome(parts) == EVERYTHING

    async def test_scheduled_output_when_settled_is_only_published(self, parts: Parts) -> None:
        assert await parts.settlement.settle(COMMIT, OUTPUTS[1:2]) == []
        assert await parts.store.get(DEADLINE.id) is None
        assert await parts.bus.backlog() == {VOTES: 0, CLOCKS: 0}
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await parts.bus.receive(CLOCKS)
        parts.clock.advance(MINUTE)
        assert (await take(parts.bus, CLOCKS)).message.body == DEADLINE.json_bytes

    async def test_decision_when_nothing_is_emitted_leaves_a_receipt(self, parts: Parts) -> None:
        commit = Commit(COMMIT.agent, COMMIT.stream, COMMIT.event_id, b"1", None, ())
        assert await parts.settlement.settle(commit, ()) == []
        assert await outcome(parts) == Outcome([], Snapshot(b"1", "1"), (), [], [])

    async def test_events_when_no_agent_decided_are_logged_and_published(self, parts: Parts) -> None:
        assert await parts.settlement.settle(None, [Emit(OPINION)]) == [OPINION]
        published = [message_for(OPINION)]
        assert await outcome(parts) == Outcome([OPINION.json_bytes], None, None, published, published)

    async def test_event_when_nobody_wants_it_is_logged_and_not_sent(self, parts: Parts) -> None:
        headline = a_headline()
        assert await parts.settlement.settle(None, [Emit(headline)]) == [headline]
        assert await outcome(parts) == Outcome([headline.json_bytes], None, None, [], [])

    async def test_decision_when_the_snapshot_has_changed_does_nothing(self, parts: Parts) -> None:
        await parts.store.commit(Commit(COMMIT.agent, COMMIT.stream, "another", b"0", None, ()))
        with pytest.raises(ConflictError):
            await parts.settlement.settle(COMMIT, OUTPUTS)
        assert await outcome(parts) == Outcome([], Snapshot(b"0", "1"), None, [], [])

    async def test_decision_when_the_receipt_is_there_does_nothing(self, parts: Parts) -> None:
        await parts.store.commit(Commit(COMMIT.agent, COMMIT.stream, COMMIT.event_id, None, None, ()))
        with pytest.raises(ConflictError):
            await parts.settlement.settle(COMMIT, OUTPUTS)
        assert await outcome(parts) == Outcome([], None, (), [], [])

    async def test_decision_when_done_again_from_its_receipt_changes_nothing(self, parts: Parts) -> None:
        await parts.settlement.settle(COMMIT, OUTPUTS)
        for _ in range(2):
            assert await redo(parts) == []
        assert await outcome(parts) == EVERYTHING

    async def test_events_when_emitted_twice_are_logged_and_published_once(self, parts: Parts) -> None:
        for expected in ([OPINION], []):
            assert await parts.settlement.settle(None, [Emit(OPINION)]) == expected
        published = [message_for(OPINION)]
        assert await outcome(parts) == Outcome([OPINION.json_bytes], None, None, published, published)

    async def test_event_when_it_is_logged_already_keeps_its_content(self, parts: Parts) -> None:
        changed = altered(OPINION, time=CLOSE + MINUTE)
        await parts.settlement.settle(None, [Emit(OPINION)])
        assert await parts.settlement.settle(None, [Emit(changed)]) == []
        assert (await outcome(parts)).log == [OPINION.json_bytes]

    async def test_decision_when_several_settle_it_at_once_is_settled_by_one(self, parts: Parts) -> None:
        results = await asyncio.gather(
            *(parts.settlement.settle(COMMIT, OUTPUTS) for _ in range(5)), return_exceptions=True
        )
        refused = [result for result in results if isinstance(result, ConflictError)]
        assert [result for result in results if result not in refused] == [[OPINION, OTHER_OPINION]]
        assert await outcome(parts) == EVERYTHING

    async def test_reader_when_waiting_is_woken_by_a_decision(self, parts: Parts) -> None:
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(parts.store.wait(await parts.store.end(), 60))
            await asyncio.sleep(0)
            await parts.settlement.settle(COMMIT, OUTPUTS)

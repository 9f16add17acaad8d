"""The runtime where a process dies or a service fails between any two steps: handled at least once, decided once."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from shared.agents.decision import Decision
from shared.bus.port import message_for
from shared.errors import ConflictError, TransientError
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.events.trade import TradeDeadlineReached, TradeRequested
from shared.runtime import Role, Runtime
from shared.settlement.stepwise import StepwiseSettlement
from shared.store.in_memory import InMemoryEventStore
from shared.store.port import Commit, EventStore, Snapshot
from tests.builders import CLOSE, SECOND, a_deadline, a_topic, a_topology, a_trade_request, an_opinion
from tests.standins.desk import POINTS, Crash, Faults, MemoryDesk, received

REQUEST = a_trade_request(id="trade-1")
OPINION = an_opinion(REQUEST, agent="voter")
DEADLINE = a_deadline(REQUEST)
TOPOLOGY = a_topology(
    a_topic("events", voter=["trade.requested"], clerk=["trade.requested", "opinion.formed", "trade.deadline.reached"]),
    max_delivery_count=10,
)

type Failure = Callable[[], BaseException]


class Seen(BaseModel):
    """The ids of the events that an agent handled, in order."""

    model_config = ConfigDict(frozen=True)

    ids: tuple[str, ...] = ()


async def note(event: Event, state: Seen, _deps: object) -> Decision[Seen]:
    return Decision(Seen(ids=(*state.ids, event.id)))


async def vote(event: TradeRequested, state: Seen, _deps: object) -> Decision[Seen]:
    emits = (Emit(OPINION), Emit(DEADLINE, deliver_at=DEADLINE.time))
    return Decision(Seen(ids=(*state.ids, event.id)), emits)


VOTER = Role("voter", Seen, {TradeRequested: vote}, None)
CLERK = Role("clerk", Seen, {TradeRequested: note, type(OPINION): note, TradeDeadlineReached: note}, None)


def a_desk(
    plan: dict[tuple[str, int], BaseException] | None = None,
    *,
    store: EventStore | None = None,
    duplicates_seen: bool = True,
) -> MemoryDesk:
    """Give a desk where one agent votes on a trade and another notes what happens."""
    roles = {"voter": VOTER, "clerk": CLERK}
    desk = MemoryDesk(TOPOLOGY, roles, faults=Faults(plan), store=store, duplicates_seen=duplicates_seen)
    for name in ("voter", "clerk"):
        desk.readers[f"events/{name}"] = lambda message, name=name: desk.runtime.handle(message, name)  # type: ignore[misc]
    return desk


async def ask(desk: MemoryDesk) -> None:
    """Emit the request as a client does: until it is told that it worked."""
    for _ in range(len(POINTS) + 1):
        try:
            await desk.runtime.emit([REQUEST])
        except (TransientError, Crash):
            continue
        return


async def seen(desk: MemoryDesk, agent: str) -> list[str]:
    snapshot = await desk.store.snapshot(agent, REQUEST.stream)
    return [] if snapshot is None else list(Seen.model_validate_json(snapshot.body).ids)


async def assert_handled_once(desk: MemoryDesk) -> None:
    desk.faults.stop()
    assert sorted(event.id for event in await desk.log()) == sorted([REQUEST.id, OPINION.id, DEADLINE.id])
    assert await seen(desk, "voter") == [REQUEST.id]
    assert sorted(await seen(desk, "clerk")) == sorted([REQUEST.id, OPINION.id, DEADLINE.id])
    assert await desk.bus.dead_letters() == []


async def test_desk_when_nothing_fails_passes_every_point() -> None:
    desk = a_desk()
    await ask(desk)
    await desk.run()
    await assert_handled_once(desk)
    assert {point for point in POINTS if desk.faults.passed[point]} == set(POINTS)


@pytest.mark.parametrize("failure", [Crash, lambda: TransientError("busy")], ids=["crash", "transient"])
@pytest.mark.parametrize("point", POINTS)
async def test_message_when_a_point_fails_once_is_decided_once(point: str, failure: Failure) -> None:
    nth, reached = 0, True
    while reached:
        nth += 1
        desk = a_desk({(point, nth): failure()})
        await ask(desk)
        await desk.run()
        await assert_handled_once(desk)
        reached = desk.faults.passed[point] >= nth
    assert nth > 2


@given(
    faults=st.dictionaries(
        st.tuples(st.sampled_from(POINTS), st.integers(1, 8)), st.sampled_from([Crash, TransientError]), max_size=4
    ),
    duplicates_seen=st.booleans(),
)
@settings(max_examples=60, deadline=None)
async def test_message_when_several_points_fail_is_decided_once(
    faults: dict[tuple[str, int], type[BaseException]], duplicates_seen: bool
) -> None:
    desk = a_desk({at: failure() for at, failure in faults.items()}, duplicates_seen=duplicates_seen)
    await ask(desk)
    await desk.run()
    await assert_handled_once(desk)


class RestlessStore(InMemoryEventStore):
    """Lets others run before each call, as a store over a network does."""

    async def receipt(self, agent: str, stream: str, event_id: str) -> tuple[Emit, ...] | None:
        await asyncio.sleep(0)
        return await super().receipt(agent, stream, event_id)

    async def snapshot(self, agent: str, stream: str) -> Snapshot | None:
        await asyncio.sleep(0)
        return await super().snapshot(agent, stream)

    async def commit(self, commit: Commit) -> None:
        await asyncio.sleep(0)
        await super().commit(commit)

    async def append(self, events: Sequence[Event]) -> list[Event]:
        await asyncio.sleep(0)
        return await super().append(events)


async def test_message_when_two_processes_handle_it_at_once_is_decided_once() -> None:
    desk = a_desk(store=RestlessStore())
    settlement = StepwiseSettlement(desk.store, desk.bus)
    runtimes = [desk.runtime, Runtime(desk.store, desk.bus, settlement, desk.clock, {"voter": VOTER})]
    message = received(message_for(REQUEST))
    await asyncio.gather(*(runtime.handle(message, "voter") for runtime in runtimes * 3))
    assert await seen(desk, "voter") == [REQUEST.id]
    assert [event.id for event in await desk.log()] == [OPINION.id]


async def test_stream_when_its_events_are_handled_at_once_by_two_processes_counts_each() -> None:
    desk = a_desk(store=RestlessStore())
    other = Runtime(desk.store, desk.bus, StepwiseSettlement(desk.store, desk.bus), desk.clock, {"clerk": CLERK})
    votes = [an_opinion(REQUEST, agent=f"agent-{number}") for number in range(8)]
    handled = [
        runtime.handle(received(message_for(vote)), "clerk")
        for runtime, vote in zip(cycle([desk.runtime, other]), votes, strict=False)
    ]
    await asyncio.gather(*handled)
    assert sorted(await seen(desk, "clerk")) == sorted(vote.id for vote in votes)


class RivalStore(InMemoryEventStore):
    """Before the first commit, somebody else makes theirs."""

    def __init__(self, rival: Commit) -> None:
        super().__init__()
        self._rivals = [rival]

    async def commit(self, commit: Commit) -> None:
        if self._rivals:
            await super().commit(self._rivals.pop())
        await super().commit(commit)


async def test_commit_when_the_snapshot_changed_runs_the_handler_on_the_newer_state() -> None:
    rival = Commit("voter", REQUEST.stream, "another-event", b'{"ids": ["another-event"]}', None, ())
    desk = a_desk(store=RivalStore(rival))
    await desk.runtime.handle(received(message_for(REQUEST)), "voter")
    assert await seen(desk, "voter") == ["another-event", REQUEST.id]
    assert [event.id for event in await desk.log()] == [OPINION.id]


@pytest.mark.parametrize("state", [b'{"ids": ["theirs"]}', None], ids=["with a state", "without"])
async def test_commit_when_somebody_else_decided_the_event_emits_their_decision(state: bytes | None) -> None:
    theirs = an_opinion(REQUEST, agent="voter", stance=-1.0)
    rival = Commit("voter", REQUEST.stream, REQUEST.id, state, None, (Emit(theirs),))
    desk = a_desk(store=RivalStore(rival))
    await desk.runtime.handle(received(message_for(REQUEST)), "voter")
    assert await seen(desk, "voter") == (["theirs"] if state else [])
    assert await desk.log() == [theirs]


class ContestedStore(InMemoryEventStore):
    """Somebody else always commits first."""

    async def commit(self, commit: Commit) -> None:
        raise ConflictError("the snapshot has changed")


async def test_commit_when_it_conflicts_without_end_is_tried_again_later() -> None:
    desk = a_desk(store=ContestedStore())
    await desk.runtime.handle(received(message_for(REQUEST)), "voter")
    assert await desk.log() == []
    due = [(message.message_id, message.deliver_at) for message in desk.bus.published]
    assert due == [("trade-1:voter:1", CLOSE + SECOND / 2)]

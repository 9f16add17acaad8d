"""A trade from its request to its consensus through every point between two steps, disturbed there in every way.

One disturbance at a time, all of them; several at once are in `test_runtime_chance`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from shared.agents.registry import TRADE
from shared.bus.port import Delivery
from shared.bus.topology import topology
from shared.errors import ConflictError, TransientError
from shared.events.envelope import Event
from shared.events.trade import ConsensusReached
from tests.builders import CLOSE, DAY, MINUTE, a_bar, a_headline, a_portfolio, a_trade_request, market_data
from tests.rounds import check_round
from tests.standins.desk import HANDLING, POINTS, Crash, FaultyEventStore, MemoryDesk, StaleReadError, an_agent_desk

DAYS = 2
NOW = CLOSE + DAYS * DAY
REQUEST = a_trade_request("AAPL", portfolio="main", time=NOW)
TOPOLOGY = topology().without("narrator")
HISTORY: tuple[Event, ...] = (
    *(market_data(a_bar(close=100.0 + day, closed_at=CLOSE + day * DAY)) for day in range(DAYS)),
    a_headline(time=NOW - DAY),
    a_portfolio(time=NOW - DAY),
)

_CONSENSUS = "events/consensus"
DELIVERIES = len(TRADE.judges) + 1 + len(TRADE.judges) + 1 + 1
"""The request to the judges and the consensus, their opinions and the deadline to it, its own to the projector."""

type Failure = Callable[[], BaseException]

FAILURES: dict[str, tuple[Failure, tuple[str, ...]]] = {
    "crash": (Crash, (*POINTS, *HANDLING)),
    "busy": (lambda: TransientError("busy"), (*POINTS, *HANDLING)),
    "bug": (lambda: ZeroDivisionError("a bug"), (*POINTS, *HANDLING)),
    "conflict": (lambda: ConflictError("somebody else was first"), ("before commit",)),
    "stale": (StaleReadError, ("before snapshot",)),
}
CASES = [(name, point) for name, (_, points) in FAILURES.items() for point in points]


@dataclass(frozen=True)
class Outcome:
    """What came of the trade.

    Attributes
    ----------
    ids : Counter of str
        Of the events in the log.
    receipts : set of (str, str)
        Who has handled which event.
    """

    ids: Counter[str]
    receipts: set[tuple[str, str]]


async def a_desk(*, deadline_first: bool) -> MemoryDesk:
    """Give a desk that knows its history; its time is the trade's, or past the trade's deadline."""
    desk = an_agent_desk(TOPOLOGY, ("AAPL",))
    await desk.runtime.emit(HISTORY)
    await desk.run()
    desk.clock.moment = NOW + (MINUTE if deadline_first else 0 * MINUTE)
    if deadline_first:  # the consensus is ahead of the agents, too
        desk.readers = {_CONSENSUS: desk.readers[_CONSENSUS], **desk.readers}
    desk.faults.begin({})
    return desk


async def ask(desk: MemoryDesk) -> None:
    """Ask for the trade as a client does: until it is told that it worked."""
    for _ in range(3):
        try:
            await desk.runtime.emit([REQUEST])
        except (Exception, Crash):  # noqa: BLE001 - whatever it was, the client knows no more than that it failed
            continue
        return


async def outcome(desk: MemoryDesk) -> Outcome:
    """Check what always holds, and give what came of the trade."""
    desk.faults.stop()
    assert isinstance(desk.store, FaultyEventStore)
    events = await desk.log()
    await check_round(desk, REQUEST, [event for event in events if event.stream == REQUEST.stream])
    assert await desk.bus.dead_letters() == []
    assert not any((await desk.bus.backlog()).values())
    return Outcome(Counter(event.id for event in events), set(desk.store.receipts))


@pytest.fixture(scope="module", params=[False, True], ids=["votes first", "deadline first"])
def deadline_first(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module")
def undisturbed(deadline_first: bool) -> Outcome:
    async def run() -> Outcome:
        desk = await a_desk(deadline_first=deadline_first)
        await ask(desk)
        await desk.run()
        passed = {point for point, times in desk.faults.passed.items() if times}
        assert passed == {*POINTS, *HANDLING}
        events = await desk.log()
        (reached,) = [event.data for event in events if isinstance(event, ConsensusReached)]
        assert reached.closed_by == ("deadline" if deadline_first else "quorum")
        return await outcome(desk)

    return asyncio.run(run())


@pytest.mark.parametrize(("failure", "point"), CASES)
async def test_trade_when_any_point_fails_once_comes_to_the_same_end(
    failure: str, point: str, deadline_first: bool, undisturbed: Outcome
) -> None:
    fault, _ = FAILURES[failure]
    nth, reached = 0, True
    while reached:
        nth += 1
        desk = await a_desk(deadline_first=deadline_first)
        desk.faults.begin({(point, nth): fault()})
        await ask(desk)
        await desk.run()
        reached = desk.faults.passed[point] >= nth
        assert await outcome(desk) == undisturbed, f"{failure} at {point}, time {nth}"
    assert nth > 1


@pytest.mark.parametrize("way", ["twice at once", "acknowledgement lost", "lost before", "held until the end"])
async def test_trade_when_any_delivery_is_disturbed_comes_to_the_same_end(
    way: str, deadline_first: bool, undisturbed: Outcome
) -> None:
    nth, reached = 0, True
    while reached:
        nth += 1
        desk = await a_desk(deadline_first=deadline_first)
        await ask(desk)
        reached = await hand_out(desk, nth, way) >= nth
        assert await outcome(desk) == undisturbed, f"{way}, delivery {nth}"
    assert nth - 1 == DELIVERIES


async def hand_out(desk: MemoryDesk, nth: int, way: str) -> int:
    """Hand out everything, one delivery disturbed, and give how many there were before time alone went on."""
    number, held = 0, list[Delivery]()
    while ready := [delivery for name in desk.readers if (delivery := await desk.take(name))]:
        for delivery in ready:
            number += 1
            await (disturb(desk, delivery, way, held) if number == nth else desk.deliver(delivery))
        if not any((await desk.bus.backlog()).values()) and number < DELIVERIES:
            desk.clock.advance(MINUTE)
    await desk.run()
    for delivery in held:
        await desk.deliver(delivery)
    await desk.run()
    return number


async def disturb(desk: MemoryDesk, delivery: Delivery, way: str, held: list[Delivery]) -> None:
    if way == "held until the end":
        held.append(delivery)
        return
    if way != "lost before":
        await asyncio.gather(*(desk.handle(delivery) for _ in range(2 if way == "twice at once" else 1)))
    if way == "twice at once":
        await desk.bus.complete(delivery)
    else:
        await desk.bus.abandon(delivery, way)

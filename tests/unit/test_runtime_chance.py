"""Trades under every order of delivery, with repetitions and failures between: as when nothing went wrong.

The stories of `test_runtime_ordering` have more in them; here are so many schedules that no order is left out.
"""

import asyncio
from collections import Counter
from itertools import permutations
from random import Random

import pytest

from shared.agents.registry import TRADE
from shared.agents.step import CONSENSUS
from shared.bus.topology import topology
from shared.errors import ConflictError, TransientError
from shared.events.envelope import Event
from shared.events.trade import OpinionFormed, TradeDeadlineReached, TradeRequested
from tests.builders import CLOSE, DAY, SECOND, a_bar, a_headline, a_portfolio, a_trade_request, market_data
from tests.chance import seeded
from tests.rounds import check_round
from tests.standins.courier import Courier, choices
from tests.standins.desk import (
    HANDLING,
    POINTS,
    Crash,
    Faults,
    FaultyEventStore,
    MemoryDesk,
    StaleReadError,
    an_agent_desk,
)

NOW = CLOSE + 2 * DAY
TRADES = (
    a_trade_request("AAPL", portfolio="main", time=NOW),
    a_trade_request("IBM", side="sell", time=NOW + SECOND),
)
STORY: tuple[Event, ...] = (
    market_data(a_bar("AAPL"), a_bar("IBM")),
    a_headline("Apple beats every estimate", time=NOW - DAY),
    a_portfolio(time=NOW - DAY),
    *TRADES,
)
TOPOLOGY = topology().without("narrator").model_copy(update={"max_delivery_count": 1_000})
SCHEDULES = 100
MARKS = {TradeRequested: "R", OpinionFormed: "V", TradeDeadlineReached: "D"}
ORDERS = {
    "".join(order) for order in permutations("RD" + "V" * len(TRADE.judges)) if order.index("R") < order.index("D")
}
"""In which the consensus can be told of a trade's request, votes and deadline, which follows from the request."""


async def play(chance: Random | None) -> MemoryDesk:
    """Give a desk after the story, delivered plainly or as chance will have it."""
    desk = an_agent_desk(TOPOLOGY, duplicates_seen=chance is None or chance.random() < 0.5)
    desk.clock.moment = NOW
    await desk.runtime.emit(STORY)
    if chance is None:
        await desk.run()
    else:
        desk.faults.begin(failures(chance))
        await Courier(desk, choices(chance, chance.randrange(20, 200))).run()
    desk.faults.stop()
    return desk


def failures(chance: Random) -> dict[tuple[str, int], BaseException]:
    """Give up to eight failures at points that are passed in a story."""
    kinds = [Crash(), TransientError("busy"), ZeroDivisionError("a bug")]
    plan = {(chance.choice((*POINTS, *HANDLING)), chance.randrange(1, 40)): chance.choice(kinds) for _ in range(6)}
    plan["before commit", chance.randrange(1, 40)] = ConflictError("somebody else was first")
    plan["before snapshot", chance.randrange(1, 40)] = StaleReadError()
    return plan


async def check(desk: MemoryDesk, expected: MemoryDesk) -> None:
    """The same events and receipts, each once; nothing waits or is dead; votes are counted or late."""
    events = await desk.log()
    assert Counter(event.id for event in events) == Counter(event.id for event in await expected.log())
    assert Counter(receipts(desk)) == Counter(receipts(expected))
    assert await desk.bus.dead_letters() == []
    assert not any((await desk.bus.backlog()).values())
    for trade in TRADES:
        await check_round(desk, trade, [event for event in events if event.stream == trade.stream])


def receipts(desk: MemoryDesk) -> list[tuple[str, str]]:
    assert isinstance(desk.store, FaultyEventStore)
    return desk.store.receipts


async def orders(desk: MemoryDesk) -> list[str]:
    """Give the order in which the consensus was told of each trade's request, votes and deadline."""
    events = {event.id: event for event in await desk.log()}
    told = [events[event_id] for agent, event_id in receipts(desk) if agent == CONSENSUS]
    return ["".join(MARKS[type(event)] for event in told if event.stream == trade.stream) for trade in TRADES]


@pytest.fixture(scope="module")
def expected() -> MemoryDesk:
    return asyncio.run(play(None))


async def test_story_when_nothing_goes_wrong_is_handled_by_everybody_who_wants_it(expected: MemoryDesk) -> None:
    wanted = {
        (name.partition("/")[2].replace("-", "_"), event.id)
        for event in await expected.log()
        for name in TOPOLOGY.wanting(event.topic, event.type)
    }
    assert set(receipts(expected)) == {(agent, event) for agent, event in wanted if agent != "projector"}
    await check(expected, expected)


async def test_trades_when_delivered_in_every_order_and_disturbed_end_as_if_nothing_had_happened(
    expected: MemoryDesk,
) -> None:
    chance, seen = seeded(), Counter[str]()
    passed = Faults().passed
    for number in range(60 * SCHEDULES):
        if number >= SCHEDULES and set(seen) == ORDERS:
            break
        seed = chance.randrange(2**32)
        desk = await play(Random(seed))
        try:
            await check(desk, expected)
        except AssertionError as error:
            raise AssertionError(f"schedule {number}, play(Random({seed}))") from error
        seen.update(await orders(desk))
        passed += desk.faults.passed
    assert set(seen) == ORDERS
    assert set(passed) == {*POINTS, *HANDLING}

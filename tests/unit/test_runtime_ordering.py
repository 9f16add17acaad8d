"""The whole desk under any order of delivery and any repetition: the same events, and one consensus per trade."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from math import sin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.agents.registry import TRADE
from shared.bus.topology import topology
from shared.events.envelope import Event
from shared.events.trade import ConsensusReached, OpinionFormed
from tests.builders import (
    CLOSE,
    DAY,
    MINUTE,
    SECOND,
    a_bar,
    a_headline,
    a_portfolio,
    a_trade_request,
    market_data,
)
from tests.standins.courier import Courier
from tests.standins.desk import an_agent_desk

DAYS = 60
NOW = CLOSE + DAYS * DAY
TRADES = (
    a_trade_request("AAPL", portfolio="main", time=NOW),
    a_trade_request("IBM", side="sell", time=NOW + SECOND),
)
TOPOLOGY = topology().model_copy(update={"max_delivery_count": 1_000})


def story() -> list[Event]:
    """Give what happens from outside: two symbols' bars, headlines, a portfolio that changes, and trades."""
    days = [
        market_data(
            a_bar("AAPL", close=100 + 10 * sin(day / 3), closed_at=CLOSE + day * DAY),
            a_bar("IBM", close=50 + day, closed_at=CLOSE + day * DAY),
        )
        for day in range(DAYS)
    ]
    news = [
        a_headline("Apple beats every estimate", time=NOW - DAY),
        a_headline("Markets tumble on fears of a recession", symbols=(), time=NOW - DAY + MINUTE),
        a_headline("IBM and Apple sue each other", symbols=("IBM", "AAPL"), time=NOW - MINUTE),
    ]
    holdings = [a_portfolio(holdings={"IBM": 10.0}, time=NOW - DAY), a_portfolio(time=NOW - MINUTE)]
    return [*days, *news, *holdings, *TRADES]


async def played(choices: Sequence[int], *, duplicates_seen: bool = True) -> list[Event]:
    """Give the log after the story was delivered as the choices say."""
    desk = an_agent_desk(TOPOLOGY, duplicates_seen=duplicates_seen)
    desk.clock.moment = NOW + MINUTE
    await desk.runtime.emit(story())
    await Courier(desk, choices).run()
    assert await desk.bus.dead_letters() == []
    return await desk.log()


@pytest.fixture(scope="module")
def expected() -> list[Event]:
    """The log after everything was delivered once and in order."""
    return asyncio.run(played([]))


def test_story_when_delivered_in_order_has_every_kind_of_event(expected: list[Event]) -> None:
    kinds = Counter(event.type for event in expected)
    assert kinds["analysis.completed"] > 2
    assert (kinds["sentiment.scored"], kinds["risk.assessed"], kinds["step.failed"]) == (4, 2, 0)
    assert kinds["opinion.formed"] == len(TRADES) * len(TRADE.judges)
    assert (kinds["trade.deadline.reached"], kinds["consensus.reached"]) == (2, 2)


@given(choices=st.lists(st.integers(0, 10_000), min_size=60, max_size=400), duplicates_seen=st.booleans())
@settings(max_examples=20, deadline=None)
async def test_events_when_delivered_in_any_order_and_repeatedly_are_the_same(
    expected: list[Event], choices: list[int], duplicates_seen: bool
) -> None:
    events = await played(choices, duplicates_seen=duplicates_seen)
    assert Counter(event.id for event in events) == Counter(event.id for event in expected)
    decided = [event.data.trigger for event in events if isinstance(event, ConsensusReached)]
    assert sorted(decided) == sorted(trade.id for trade in TRADES)


@given(choices=st.lists(st.integers(0, 10_000), min_size=60, max_size=300))
@settings(max_examples=10, deadline=None)
async def test_vote_when_the_round_has_closed_is_in_the_log_and_missing_in_it(choices: list[int]) -> None:
    events = await played(choices)
    opinions = [event for event in events if isinstance(event, OpinionFormed)]
    for reached in [event.data for event in events if isinstance(event, ConsensusReached)]:
        asked = {event.id: event.data.agent for event in opinions if event.data.trigger == reached.trigger}
        counted = {vote.opinion: vote.agent for vote in reached.votes}
        assert counted.items() <= asked.items()
        assert sorted(set(asked.values()) - set(counted.values())) == list(reached.missing)

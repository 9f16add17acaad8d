"""What is too large for Service Bus (256 KB a message on its Standard tier): refused with a reason, nothing lost."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from functions.api.news import Submission
from functions.api.portfolios import Holdings
from shared.agents.decision import Decision, Stateless
from shared.bus.port import Message
from shared.bus.service_bus import ServiceBusEventBus
from shared.clock import WallClock
from shared.errors import InvalidError
from shared.events.catalogue import decode
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.events.portfolio import Portfolio, PortfolioChanged, RiskAssessed, RiskAssessment
from shared.events.step import StepFailed
from shared.events.trade import TradeRequested
from shared.runtime import Received, Role, Runtime
from shared.settlement.stepwise import StepwiseSettlement
from shared.store.in_memory import InMemoryEventStore
from tests.builders import CLOSE, a_headline, a_message, a_topic, a_topology, a_trade_request
from tests.contract.event_bus_bench import take
from tests.contract.event_store_bench import read_all
from tests.contract.service_bus_bench import connected
from tests.standins.service_bus.server import ServiceBusStandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")

MAX_BYTES = 256 * 1024
READER = "events/reader"
TOPOLOGY = a_topology(a_topic("events", reader=["risk.assessed", "portfolio.changed", "news.received"]))


@pytest_asyncio.fixture(loop_scope="module")
async def bus() -> AsyncIterator[ServiceBusEventBus]:
    async with ServiceBusStandIn(TOPOLOGY) as service, connected(service, TOPOLOGY, WallClock()) as bus:
        yield bus


def an_assessment(cause: TradeRequested, measures: int) -> RiskAssessed:
    """Give an event of about 18 bytes for each of its measures."""
    data = RiskAssessment(
        portfolio="main",
        value=1.0,
        weights={},
        measures={f"m{number:09d}": 0.5 for number in range(measures)},
        observations=1,
        breaches=(),
    )
    return RiskAssessed.caused_by(cause, source="risk_manager", id=f"assessed-{measures}", data=data)


async def assess(event: TradeRequested, state: Stateless, _deps: object) -> Decision[Any]:
    """Conclude something small, something far too large, and something small."""
    return Decision(state, tuple(Emit(an_assessment(event, measures)) for measures in (1, 20_000, 2)))


async def refusal(bus: ServiceBusEventBus, messages: list[Message]) -> str:
    """Publish, and give the reason for which that was refused; empty when it was not."""
    try:
        await bus.publish(messages)
    except InvalidError as error:
        return str(error)
    return ""


async def test_message_when_it_grows_is_taken_up_to_the_limit_and_then_refused_by_name(bus: ServiceBusEventBus) -> None:
    async def is_taken(size: int) -> bool:
        if problem := await refusal(bus, [a_message(f"m{size}", subject="risk.assessed", body=b"x" * size)]):
            assert problem == f"too large for topic events: m{size}:0 ({size} bytes)"
            return False
        await bus.complete(await take(bus, READER))
        return True

    taken, refused = MAX_BYTES - 4_096, MAX_BYTES
    assert await is_taken(taken)
    while refused - taken > 1:
        middle = (taken + refused) // 2
        taken, refused = (middle, refused) if await is_taken(middle) else (taken, middle)
    assert taken > MAX_BYTES - 2_048
    assert await bus.backlog() == {READER: 0}


async def test_messages_when_they_all_but_fill_a_batch_arrive(bus: ServiceBusEventBus) -> None:
    fillings = range(0, 500, 25)
    for filling in fillings:
        id, body = "i" * 100, b"x" * (MAX_BYTES // 4 - filling)
        messages = [a_message(f"{filling}-{number}-{id}", subject="risk.assessed", body=body) for number in range(4)]
        assert await refusal(bus, messages) == ""
    assert await bus.backlog() == {READER: 4 * len(fillings)}


async def test_output_when_it_is_too_large_is_kept_and_told_and_the_others_arrive(bus: ServiceBusEventBus) -> None:
    store, clock, request = InMemoryEventStore(), WallClock(), a_trade_request()
    role = Role("risk_manager", Stateless, {TradeRequested: assess}, None)
    runtime = Runtime(store, bus, StepwiseSettlement(store, bus), clock, {"risk_manager": role})
    received = Received(f"{request.id}:0", request.type, request.json_bytes)
    for _ in range(2):  # as if the message came again
        await runtime.handle(received, "risk_manager")
    *outputs, failure = map(decode, await read_all(store))
    assert [event.id for event in outputs] == ["assessed-1", "assessed-20000", "assessed-2"]
    assert isinstance(failure, StepFailed)
    assert "too large for topic events: assessed-20000:0" in failure.data.reason
    arrived = [await take(bus, READER) for _ in range(2)]
    assert [each.message.message_id for each in arrived] == ["assessed-1:0", "assessed-2:0"]
    assert (await bus.backlog())[READER] == 2


@pytest.mark.parametrize("kind", ["portfolio", "news"])
async def test_event_when_it_is_the_largest_that_the_api_takes_fits_a_message(
    bus: ServiceBusEventBus, kind: str
) -> None:
    event = the_largest_portfolio() if kind == "portfolio" else the_largest_news()
    assert len(event.json_bytes) > 30_000
    await bus.publish([a_message("large", subject=event.type, body=event.json_bytes)])
    assert (await take(bus, READER)).message.body == event.json_bytes


def the_largest_portfolio() -> Event:
    """Give the event of a portfolio with as many positions, of as many digits, as the API takes."""
    symbols = [f"{'X' * 9}{number:03d}" for number in range(500)]
    positions = [{"symbol": symbol, "quantity": 1e9 / 3, "average_price": 1e7 / 3} for symbol in symbols]
    holdings = Holdings.model_validate({"cash": 1e12 / 3, "positions": positions})
    with pytest.raises(ValueError, match="500"):
        Holdings.model_validate({"cash": 1.0, "positions": [*positions, positions[0]]})
    data = Portfolio(portfolio="p" * 64, cash=holdings.cash, positions=holdings.positions)
    return PortfolioChanged.first(id="i" * 200, source="api", stream="s" * 200, time=CLOSE, data=data)


def the_largest_news() -> Event:
    """Give the event of a headline as long as the API takes, of characters that JSON writes as six bytes each."""
    longest = {"headline": "!" + 499 * "\x01", "summary": 5_000 * "\x01", "symbols": ["X" * 12] * 50}
    submission = Submission.model_validate(longest)
    with pytest.raises(ValueError, match="5000"):
        Submission.model_validate(longest | {"summary": 5_001 * "x"})
    return a_headline(submission.headline, summary=submission.summary, symbols=submission.symbols, origin="api")

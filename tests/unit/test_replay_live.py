"""A replay of what a live desk was told gives the events that the desk concluded, with the same ids and content."""

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from shared import rehearsal, wiring
from shared.bus.port import Delivery
from shared.clock import ManualClock
from shared.events.catalogue import decode
from shared.events.envelope import Event
from shared.events.portfolio import Portfolio, Position
from shared.events.trade import Trade, TradeDeadlineReached, TradeRequested
from shared.ingest import portfolio_event
from shared.replay.engine import Engine
from shared.replay.log import is_from_outside, stored
from shared.replay.world import World
from shared.runtime import Received
from shared.settings import Settings
from shared.store.port import ALL
from shared.wiring import Desk

DAY = timedelta(hours=25)
"""Between two ticks of the desk, each an hour later in its day than the one before."""


async def take(desk: Desk, subscription: str) -> Delivery | None:
    try:
        async with asyncio.timeout(0):
            return await desk.bus.receive(subscription)
    except TimeoutError:
        return None


async def drain(desk: Desk) -> None:
    """Hand out all messages, the projector's before the agents', as a live desk may happen to."""
    names = [f"{topic.name}/{each.name}" for topic in desk.queries.topology.topics for each in topic.subscriptions]
    names.sort(key=lambda name: not name.endswith("projector"))
    while any((backlog := await desk.bus.backlog()).values()):
        for name in [name for name in names if backlog[name]]:
            if (delivery := await take(desk, name)) is not None:
                await handle(desk, delivery)
                await desk.bus.complete(delivery)


async def pass_day(desk: Desk) -> None:
    """Let a day go by and its bars and news arrive."""
    assert isinstance(desk.clock, ManualClock)
    desk.clock.advance(DAY)
    await desk.ingest.market_tick()
    await desk.ingest.news_tick()
    await drain(desk)


async def handle(desk: Desk, delivery: Delivery) -> None:
    message, agent = delivery.message, delivery.subscription.partition("/")[2].replace("-", "_")
    received = Received(message.message_id, message.subject, message.body, topic=message.topic)
    if agent == "projector":
        await desk.runtime.fold(received, agent, desk.projector.project)
    else:
        await desk.runtime.handle(received, agent)


async def log_of(desk: Desk) -> list[Event]:
    return [decode(body) for body in (await desk.store.page(ALL, "", 100_000)).events]


def a_request(desk: Desk, name: str, side: str) -> TradeRequested:
    data = Trade.model_validate({"symbol": "AAPL", "side": side, "quantity": 20, "portfolio": "main"})
    now = desk.clock.now()
    return TradeRequested.first(id=name, source="api", stream=f"trade-{name}", time=now, data=data)


async def lived(settings: Settings) -> list[Event]:
    """Give the log of a desk on a file after some days of the recorded feed, a portfolio and two trades.

    Its clock stands still within a day, or a bar might close between a tick and a request: the desk would not know it,
    and a replay, which plays by time, would.
    """
    desk = wiring.build(settings)
    try:
        for day in range(4):
            await pass_day(desk)
            if day == 1:
                positions = tuple(Position(symbol=symbol, quantity=50) for symbol in ("AAPL", "IBM"))
                held = Portfolio(portfolio="main", cash=5_000, positions=positions)
                await desk.runtime.emit([portfolio_event(held, desk.clock.now(), after="", source="api")])
                await drain(desk)
            if day > 1:
                await desk.runtime.emit([a_request(desk, f"t-{day}", "buy" if day == 2 else "sell")])
                await drain(desk)
        return await log_of(desk)
    finally:
        await desk.close()


async def replayed(settings: Settings, live: list[Event]) -> list[Event]:
    world, log = World(pace=settings.speed), list[Event]()
    engine = Engine(rehearsal.replayed(settings, world), world, record=log.append)
    desk = wiring.build(settings)
    try:
        await engine.play(stored(desk.store))
    finally:
        await desk.close()
    last = max(event.time for event in live)
    return [event for event in log if event.time <= last and not isinstance(event, TradeDeadlineReached)]


async def test_replay_when_compared_with_the_live_desk_concludes_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.engine.FeedClock", ManualClock)
    settings = Settings.model_validate(
        {"FINAGENT_DATA": tmp_path, "FINAGENT_START": "2008-03-03"}
        | {"FINAGENT_LOOKBACK_DAYS": 400, "FINAGENT_SYMBOLS": "AAPL,IBM"}
    )
    live = await lived(settings)
    again = await replayed(settings, live)
    kinds = Counter(event.type for event in live if not is_from_outside(event))
    assert {"analysis.completed", "risk.assessed", "consensus.reached", "forecast.published"} <= set(kinds)
    assert kinds["consensus.reached"] == 2
    one, other = ({event.id: event for event in log} for log in (live, again))
    assert {event.type for name, event in one.items() if name not in other} == set()
    assert {event.type for name, event in other.items() if name not in one} == set()
    assert [(event, other[name]) for name, event in one.items() if event != other[name]] == []

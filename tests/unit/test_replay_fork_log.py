"""A fork of a whole desk's log: votes that came too late, and events of several owners."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from shared import wiring
from shared.clock import ManualClock
from shared.events.envelope import Event
from shared.events.portfolio import Portfolio, Position
from shared.events.trade import ConsensusReached, Trade, TradeDeadlineReached, TradeRequested
from shared.ingest import portfolio_event
from shared.rehearsal import replayed
from shared.replay.debug_case import Case, recorded
from shared.replay.fork import fork
from shared.settings import Settings
from shared.wiring import Desk
from tests.unit.test_replay_live import drain, handle, pass_day, take

OWNERS = ("alice", "bob", None)
SLOW = "events/risk-manager"
WAIT = timedelta(hours=1)
"""Longer than a round's deadline."""


def held(desk: Desk, owner: str | None, place: int) -> Event:
    positions = (Position(symbol="AAPL", quantity=20.0 + 40 * place), Position(symbol="IBM", quantity=30))
    data = Portfolio(portfolio=owner or "main", cash=5_000 * (place + 1), positions=positions)
    return portfolio_event(data, desk.clock.now(), after="", source="api", owner=owner)


def a_request(desk: Desk, owner: str | None, day: int) -> Event:
    side = "sell" if day % 2 else "buy"
    data = Trade.model_validate({"symbol": "AAPL", "side": side, "quantity": 20, "portfolio": owner or "main"})
    name = f"t-{owner}-{day}"
    now = desk.clock.now()
    return TradeRequested.first(id=name, source="api", stream=f"trade-{name}", time=now, data=data, owner=owner)


async def late(desk: Desk, requests: Sequence[Event]) -> None:
    """Have trades decided while one agent hears of them too late."""
    assert isinstance(desk.clock, ManualClock)
    await desk.runtime.emit(requests)
    lost = [delivery for _ in requests if (delivery := await take(desk, SLOW)) is not None]
    assert len(lost) == len(requests)
    for delivery in lost:
        await desk.bus.complete(delivery)
    await drain(desk)
    desk.clock.advance(WAIT)
    await drain(desk)
    for delivery in lost:
        await handle(desk, delivery)
    await drain(desk)


@pytest.fixture
async def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    """Give the log of a desk of two owners and its own, whose risk manager is too late on one day of three."""
    monkeypatch.setattr("shared.engine.FeedClock", ManualClock)
    settings = Settings.model_validate(
        {"FINAGENT_DATA": tmp_path, "FINAGENT_START": "2008-03-03", "FINAGENT_SPEED": 1}
        | {"FINAGENT_LOOKBACK_DAYS": 120, "FINAGENT_SYMBOLS": "AAPL,IBM"}
    )
    desk = wiring.build(settings)
    try:
        for day in range(4):
            await pass_day(desk)
            if day == 0:
                await desk.runtime.emit([held(desk, owner, place) for place, owner in enumerate(OWNERS)])
                await drain(desk)
                continue
            requests = [a_request(desk, owner, day) for owner in OWNERS]
            if day == 2:
                await late(desk, requests)
                continue
            await desk.runtime.emit(requests)
            await drain(desk)
        return (await recorded(desk.store, settings, lambda event: True))[0]
    finally:
        await desk.close()


def decided(case: Case) -> list[ConsensusReached]:
    return [event for event in case.came if isinstance(event, ConsensusReached)]


async def test_log_when_votes_were_late_and_owners_are_several_is_forked_as_it_was(case: Case) -> None:
    missing = [event.data.missing for event in decided(case)]
    assert sorted(map(len, missing)) == [0] * 6 + [1] * 3
    assert {event.owner for event in decided(case)} == set(OWNERS)
    first = next(event for event in case.played if isinstance(event, TradeRequested))
    same = {"FINAGENT_MAX_WEIGHT": case.settings["FINAGENT_MAX_WEIGHT"]}
    for settings in ({}, same):  # with settings, everybody is asked again from there
        done = await fork(case, replayed, first.id, {}, settings)
        assert (done.rerun > 0, done.differences) == (bool(settings), ())
        again = {event.id: event for event in done.log}
        assert [event.type for event in case.came if again.get(event.id) != event] == []
        assert done.unlike == 0
        known = {event.id for event in (*case.played, *case.came)}
        # Deadlines to come are no part of the log yet.
        assert {event.type for name, event in again.items() if name not in known} <= {TradeDeadlineReached.name()}

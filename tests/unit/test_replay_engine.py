"""The replay engine: order, time, duplicates and failures, with the desk's own agents and with small ones."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from shared.agents.decision import Decision, Stateless
from shared.errors import InvalidError, MissingError, TransientError
from shared.events.emit import Emit
from shared.events.envelope import Event
from shared.events.market import MarketDataReceived
from shared.events.step import StepFailed
from shared.events.trade import TradeDeadlineReached, TradeRequested
from shared.replay.engine import Engine, Handled
from shared.replay.world import World
from shared.runtime import Role
from tests.builders import CLOSE, DAY, MINUTE, a_bar, a_trade_request, an_opinion, market_data

HOUR = timedelta(hours=1)


def a_role(name: str, kind: type[Event], act: Any, state: Any = Stateless) -> Role:
    return Role(name, state, {kind: act}, None)


def days(count: int) -> list[MarketDataReceived]:
    return [market_data(a_bar(close=100.0 + number, closed_at=CLOSE + number * DAY)) for number in range(count)]


async def played(events: Sequence[Event], *roles: Role) -> tuple[Engine, list[Event]]:
    log = list[Event]()
    engine = Engine({role.name: role for role in roles}, World(), record=log.append)
    await engine.feed(events)
    await engine.finish()
    return engine, log


async def asks(event: MarketDataReceived, _state: Any, _deps: Any) -> Decision[Any]:
    data = a_trade_request().data
    return Decision(emits=(Emit(TradeRequested.caused_by(event, source="asker", stream="trade-1", data=data)),))


async def test_engine_when_a_handler_emits_handles_that_before_the_next_of_the_source() -> None:
    _, log = await played(days(2), a_role("asker", MarketDataReceived, asks))
    assert [event.type for event in log] == ["market.data.received", "trade.requested"] * 2


async def test_engine_when_an_event_is_scheduled_lets_it_happen_between_the_sources() -> None:
    later = CLOSE + HOUR

    async def schedules(event: Event, _state: Any, _deps: Any) -> Decision[Any]:
        due = TradeDeadlineReached.caused_by(
            event,
            source="asker",
            time=later,
            data={"step": "trade", "trigger": event.id},  # type: ignore[arg-type]
        )
        return Decision(emits=(Emit(due, deliver_at=later),) if event.time == CLOSE else ())

    _, log = await played(days(2), a_role("asker", MarketDataReceived, schedules))
    assert [event.time for event in log] == [CLOSE, later, CLOSE + DAY]


async def test_engine_when_the_source_goes_back_in_time_refuses() -> None:
    with pytest.raises(InvalidError, match="before"):
        await played([*days(2), *days(1)])


async def test_engine_when_the_source_repeats_an_event_plays_it_once() -> None:
    engine, log = await played([*days(1), *days(1), a_trade_request(), a_trade_request()])
    assert (len(log), engine.outcome.played) == (2, 2)


async def test_engine_when_data_differ_gives_another_hash_and_when_not_the_same() -> None:
    outcomes = [
        (await played(days(count), a_role("asker", MarketDataReceived, asks)))[0].outcome for count in (3, 3, 2)
    ]
    assert outcomes[0] == outcomes[1]
    assert outcomes[0].hash != outcomes[2].hash
    assert outcomes[0].data_hash != outcomes[2].data_hash


async def test_engine_when_only_the_conclusions_differ_has_the_same_data() -> None:
    silent, loud = (
        (await played(days(2)))[0].outcome,
        (await played(days(2), a_role("a", MarketDataReceived, asks)))[0].outcome,
    )
    assert silent.data_hash == loud.data_hash
    assert silent.hash != loud.hash
    assert (silent.emitted, loud.emitted) == (0, 2)


async def test_engine_when_a_handler_is_refused_says_so_as_the_runtime_does() -> None:
    async def refuses(event: Event, _state: Any, _deps: Any) -> Decision[Any]:
        raise InvalidError("cannot be")

    _, log = await played(days(1), a_role("refuser", MarketDataReceived, refuses))
    assert isinstance(log[1], StepFailed)
    assert (log[1].data.agent, log[1].data.reason, log[1].data.message_id) == ("refuser", "cannot be", f"{log[0].id}:0")


async def test_engine_when_a_port_is_busy_asks_that_agent_again_later() -> None:
    tries = list[Event]()

    async def busy_once(event: Event, state: Any, deps: Any) -> Decision[Any]:
        tries.append(event)
        if len(tries) == 1:
            raise TransientError("busy")
        return await asks(event, state, deps)  # type: ignore[arg-type]

    _, log = await played(days(1), a_role("busy", MarketDataReceived, busy_once))
    assert [event.type for event in log] == ["market.data.received", "trade.requested"]


async def test_engine_when_a_port_stays_busy_gives_up() -> None:
    async def busy(event: Event, _state: Any, _deps: Any) -> Decision[Any]:
        raise TransientError("busy")

    _, log = await played(days(1), a_role("busy", MarketDataReceived, busy))
    assert isinstance(log[1], StepFailed)
    assert log[1].data.attempts == 10


async def test_engine_when_observed_shows_state_before_and_after() -> None:
    class Counted(Stateless):
        count: int = 0

    async def counts(event: Event, state: Counted, _deps: Any) -> Decision[Counted]:
        if state.count == 1:
            raise MissingError("enough")
        return Decision(Counted(count=state.count + 1))

    seen = list[Handled]()
    engine = Engine({"c": a_role("c", MarketDataReceived, counts, Counted)}, World(), observe=seen.append)
    await engine.feed(days(2))
    assert [(each.before, each.after, each.problem) for each in seen] == [
        (Counted(), Counted(count=1), ""),
        (Counted(count=1), None, "enough"),
    ]


async def test_engine_when_time_passes_asks_the_timers_before_the_events() -> None:
    world = World()

    async def tick() -> list[Event]:
        return [a_trade_request(time=world.clock.now(), id=f"t-{world.clock.now():%d}")]

    log = list[Event]()
    engine = Engine({}, world, record=log.append, timers=[tick])
    await engine.feed([*days(2), a_trade_request(time=CLOSE + DAY + MINUTE, id="last")])
    assert [event.type for event in log[:2]] == ["trade.requested", "market.data.received"]
    assert [event.time for event in log] == [CLOSE, CLOSE, CLOSE + DAY, CLOSE + DAY, *[CLOSE + DAY + MINUTE]]


async def test_engine_when_several_are_due_at_once_hands_them_on_in_the_order_of_their_emission() -> None:
    seen = list[str]()

    async def asks_twice(event: MarketDataReceived, _state: Any, _deps: Any) -> Decision[Any]:
        data = a_trade_request().data
        made = [TradeRequested.caused_by(event, source="asker", ordinal=ordinal, data=data) for ordinal in range(3)]
        return Decision(emits=tuple(Emit(each) for each in made))

    async def sees(event: TradeRequested, _state: Any, _deps: Any) -> Decision[Any]:
        seen.append(event.id)
        return Decision()

    _, log = await played(
        days(1), a_role("asker", MarketDataReceived, asks_twice), a_role("seer", TradeRequested, sees)
    )
    assert seen == [event.id for event in log[1:]]
    assert len(seen) == 3


async def test_world_when_an_opinion_comes_of_age_tells_of_it_once() -> None:
    world = World()
    for moment in (CLOSE + DAY, CLOSE):
        await world.append(an_opinion(a_trade_request(time=moment), time=moment))
    assert [world.has_opinion(CLOSE + days * DAY) for days in (-1, 0, 0, 1, 2)] == [False, True, False, True, False]

"""Recovery: what an outage or a restoration left undone is done, once, and as if nothing had happened."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from io import BytesIO

import pytest

from shared.agents.registry import TRADE
from shared.agents.step import CONSENSUS, StepDeps
from shared.archive import export_log, import_log
from shared.bus.port import Message
from shared.bus.topology import topology
from shared.errors import InvalidError, TransientError
from shared.events.envelope import Event
from shared.replay.recover import Recovery
from shared.sweep import Sweep
from tests.builders import CLOSE, DAY, HOUR, MINUTE, a_bar, a_headline, a_portfolio, a_trade_request, market_data
from tests.rounds import check_round
from tests.standins.desk import MemoryDesk, an_agent_desk

TOPOLOGY = topology().without("narrator")

BARS = 60
CUT = CLOSE + BARS * DAY
"""When the hour begins in which the bus is away."""
EVERYBODY = {CONSENSUS, *TRADE.judges}


def a_recovery(desk: MemoryDesk) -> Recovery:
    deps = StepDeps(pace=desk.clock.pace, patience_seconds=30)
    sweep = Sweep(desk.store, desk.bus, desk.clock, desk.runtime, TOPOLOGY, deps, frozenset(desk.roles))
    return Recovery(sweep, desk.projector)


def a_close(day: int, time: datetime | None = None) -> Event:
    moment = CLOSE + day * DAY
    prices = {"AAPL": 100.0 + day + day % 3, "IBM": 90.0 - day / 2 + day % 2}
    return market_data(*(a_bar(name, close=price, closed_at=moment) for name, price in prices.items()), time=time)


def the_days_before() -> list[Event]:
    return [a_portfolio(holdings={"AAPL": 10.0, "IBM": 5.0}), *(a_close(day) for day in range(BARS))]


def the_hour() -> list[Event]:
    """What happens while the bus is away."""
    asked = a_trade_request("AAPL", portfolio="main", time=CUT + 20 * MINUTE)
    return [
        a_close(BARS, CUT),
        a_headline("Apple beats expectations with record profit", time=CUT + 10 * MINUTE),
        asked,
        a_portfolio("second", {"AAPL": 20.0}, time=CUT + 30 * MINUTE),
        a_trade_request("IBM", "sell", portfolio="main", time=CUT + 40 * MINUTE),
    ]


async def play(desk: MemoryDesk, events: Sequence[Event]) -> None:
    """Let events happen at their times, and all that follows from each before the next."""
    for event in events:
        desk.clock.moment = max(desk.clock.moment, event.time)
        await desk.runtime.emit([event])
        await handle(desk)


async def handle(desk: MemoryDesk) -> None:
    """Hand out what is due, without letting time pass."""
    while found := [delivery for name in desk.readers if (delivery := await desk.take(name)) is not None]:
        for delivery in found:
            await desk.deliver(delivery)


async def a_desk_after(events: Sequence[Event]) -> MemoryDesk:
    desk = an_agent_desk(TOPOLOGY)
    await play(desk, events)
    return desk


async def without_outage() -> dict[str, bytes]:
    desk = await a_desk_after([*the_days_before(), *the_hour()])
    await desk.run()
    return await said(desk)


async def said(desk: MemoryDesk) -> dict[str, bytes]:
    events = await desk.log()
    assert len({event.id for event in events}) == len(events)
    return {event.id: event.json_bytes for event in events}


async def decided(desk: MemoryDesk) -> list[bytes]:
    return [event.json_bytes for event in await desk.log() if event.type == "consensus.reached"]


async def cut_off(desk: MemoryDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the hour happen while nothing can be published."""

    async def away(messages: Sequence[Message]) -> None:
        raise TransientError("no connection")

    with monkeypatch.context() as broken:
        broken.setattr(desk.bus, "publish", away)
        for event in the_hour():
            desk.clock.moment = event.time
            with pytest.raises(TransientError):
                await desk.runtime.emit([event])
    desk.clock.moment = CUT + HOUR


async def test_hour_when_the_bus_was_away_ends_as_if_it_had_been_there(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await a_desk_after(the_days_before())
    await cut_off(desk, monkeypatch)
    await handle(desk)
    assert await decided(desk) == []
    done = await a_recovery(desk).recover(CUT)
    assert done.events == len(the_hour())
    assert done.sent.keys() == EVERYBODY
    await desk.run()
    assert await said(desk) == await without_outage()
    for event in await desk.log():
        if event.type == "trade.requested":
            await check_round(desk, event, [each for each in await desk.log() if each.stream == event.stream])  # type: ignore[arg-type]


async def test_recovery_when_done_twice_does_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await a_desk_after(the_days_before())
    await cut_off(desk, monkeypatch)
    first = await a_recovery(desk).recover(CUT)
    second = await a_recovery(desk).recover(CUT)
    assert second == first  # nothing was handled between the two
    await desk.run()
    assert await said(desk) == await without_outage()
    published = len(desk.bus.published)
    assert dict((await a_recovery(desk).recover(CUT)).sent) == {}
    assert len(desk.bus.published) == published


async def test_recovery_when_the_desk_is_live_doubles_nothing() -> None:
    calm = await without_outage()
    desk = await a_desk_after(the_days_before())
    for event in the_hour():
        desk.clock.moment = event.time
        await desk.runtime.emit([event])
        for name in list(desk.readers)[::2]:  # some have handled it when the recovery comes, some have not
            if (delivery := await desk.take(name)) is not None:
                await desk.deliver(delivery)
        assert (await a_recovery(desk).recover(CUT)).sent
        await handle(desk)
    await desk.run()
    assert await said(desk) == calm
    handled: Counter[tuple[str, str]] = Counter(desk.store.receipts)  # type: ignore[attr-defined]
    assert set(handled.values()) == {1}


async def test_store_when_restored_from_a_backup_gets_its_open_round_decided() -> None:
    asked = the_hour()[2]
    before = await a_desk_after([*the_days_before(), *the_hour()[:2]])
    await before.store.append([asked])  # and here the desk was lost
    backup = BytesIO()
    await export_log(before.store, backup)
    desk = an_agent_desk(TOPOLOGY)
    backup.seek(0)
    await import_log(desk.store, backup)
    desk.clock.moment = CUT + HOUR
    done = await a_recovery(desk).recover(CLOSE)
    assert done.events == len(await before.log())
    await desk.run()
    await play(before, [asked])
    await before.run()
    assert (await said(desk)).keys() == (await said(before)).keys()
    assert await decided(desk) == await decided(before) != []


async def test_read_models_when_recovered_know_what_the_projector_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await a_desk_after(the_days_before())
    await cut_off(desk, monkeypatch)
    bars = desk.roles["oracle"].deps.bars  # type: ignore[attr-defined]
    assert (await bars.read("AAPL", CUT + HOUR, limit=1))[0].closed_at < CUT
    await a_recovery(desk).recover(CUT)
    assert (await bars.read("AAPL", CUT + HOUR, limit=1))[0].closed_at == CUT


async def test_recovery_when_since_is_later_leaves_what_was_before(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = await a_desk_after(the_days_before())
    await cut_off(desk, monkeypatch)
    done = await a_recovery(desk).recover(CUT + 35 * MINUTE)
    assert (done.events, dict(done.sent)) == (1, dict.fromkeys(sorted(EVERYBODY), 1))
    await desk.run()
    assert len(await decided(desk)) == 1


async def test_recovery_when_votes_are_sent_again_lets_them_in_before_the_round_ends() -> None:
    desk = an_agent_desk(TOPOLOGY)
    asked = a_trade_request(time=CLOSE)
    await desk.store.append([asked])
    desk.clock.moment = CLOSE + DAY  # long past the round's deadline
    await a_recovery(desk).recover(CLOSE)
    due = {message.message_id.split(":")[1]: message.deliver_at for message in desk.bus.published}
    assert due.pop(CONSENSUS) == CLOSE + DAY + timedelta(seconds=30)
    assert set(due.values()) == {None}


async def test_recovery_when_a_round_has_time_left_sends_only_what_is_missing() -> None:
    desk = an_agent_desk(TOPOLOGY)
    await desk.runtime.emit([a_trade_request(time=CLOSE)])
    lost = await desk.take("events/risk-manager")
    assert lost is not None
    await desk.bus.complete(lost)
    await handle(desk)
    assert dict((await a_recovery(desk).recover(CLOSE)).sent) == {"risk_manager": 1}


async def test_recovery_when_the_sweep_has_just_sent_it_in_vain_sends_it_all_the_same() -> None:
    desk, asked = an_agent_desk(TOPOLOGY), a_trade_request(time=CLOSE)
    recovery = a_recovery(desk)
    await recovery.sweep.tick()
    await desk.store.append([asked])
    await recovery.sweep.tick()
    desk.clock.advance(2 * MINUTE)
    await recovery.sweep.tick()
    for name in desk.readers:
        while (lost := await desk.take(name)) is not None:
            await desk.bus.complete(lost)
    await recovery.recover(CLOSE)
    await desk.run()
    assert len(await decided(desk)) == 1


async def test_recovery_when_its_moment_has_not_come_is_refused_and_sends_nothing() -> None:
    desk = an_agent_desk(TOPOLOGY)
    await desk.store.append([a_trade_request()])
    with pytest.raises(InvalidError, match=r"2008-01-03 21:00 UTC has not come.*2008-01-02 21:00"):
        await a_recovery(desk).recover(CLOSE + DAY)
    assert desk.bus.published == []

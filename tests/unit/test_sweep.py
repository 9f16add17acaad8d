"""The sweep: what was stored but never handled is sent again, once; what was given up is told, once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.agents.registry import TRADE
from shared.agents.step import StepDeps
from shared.bus.port import DeadLetter, Delivery, Message, message_for
from shared.bus.topology import topology
from shared.errors import InvalidError, MissingError, TransientError
from shared.events.envelope import Event
from shared.events.step import StepFailed
from shared.store.port import Commit, Filter, Page
from shared.sweep import LONGEST_BACKLOG_SECONDS, PATIENCE_SECONDS, STREAM, TRIES, Sweep
from tests.builders import CLOSE, a_trade_request
from tests.standins.desk import MemoryDesk, an_agent_desk, received
from tests.unit.telemetry_bench import Watched

PATIENCE = timedelta(seconds=PATIENCE_SECONDS)
REQUEST = a_trade_request()
EVERYBODY = ("consensus", *TRADE.judges)
"""Who wants a trade request."""
SUBSCRIPTIONS = tuple(agent.replace("_", "-") for agent in EVERYBODY)
RISK = "events/risk-manager"


def a_sweep(desk: MemoryDesk) -> Sweep:
    """Give the sweep of a desk as a process that has just begun would have it."""
    deps = StepDeps(pace=desk.clock.pace, patience_seconds=30)
    return Sweep(desk.store, desk.bus, desk.clock, desk.runtime, topology(), deps, frozenset(EVERYBODY))


async def a_swept_desk() -> tuple[MemoryDesk, Sweep]:
    """Give a desk whose log is read up to its end."""
    desk = an_agent_desk(topology())
    sweep = a_sweep(desk)
    assert await sweep.tick() == 0
    return desk, sweep


async def tick_later(desk: MemoryDesk, sweep: Sweep, *, patiences: float = 1) -> int:
    desk.clock.advance(patiences * PATIENCE)
    return await sweep.tick()


async def of_type(desk: MemoryDesk, kind: str) -> list[Event]:
    return [event for event in await desk.log() if event.type == kind]


async def lose(desk: MemoryDesk, *names: str) -> None:
    """Take all messages out of subscriptions without handling them."""
    for name in names:
        while delivery := await desk.take(f"events/{name}"):
            await desk.bus.complete(delivery)


async def test_event_when_it_was_stored_and_never_sent_reaches_everybody_once() -> None:
    desk, sweep = await a_swept_desk()
    await desk.store.append([REQUEST])
    assert await sweep.tick() == 0
    assert await tick_later(desk, sweep) == len(EVERYBODY)
    await desk.run()
    assert len(await of_type(desk, "consensus.reached")) == 1
    assert len(await of_type(desk, "opinion.formed")) == len(TRADE.judges)
    for _ in range(3):
        assert await tick_later(desk, sweep, patiences=20) == 0
    assert await of_type(desk, "step.failed") == []


async def test_event_when_one_agent_lost_it_is_sent_to_that_one_alone() -> None:
    desk, sweep = await a_swept_desk()
    await desk.runtime.emit([REQUEST])
    await lose(desk, "risk-manager")
    await sweep.tick()
    before = len(desk.bus.published)
    assert await tick_later(desk, sweep) >= 1
    concerned = [message.message_id for message in desk.bus.published[before:]]
    assert f"{REQUEST.id}~0:risk_manager:0" in concerned
    await desk.run()
    opinions = [event.source for event in await of_type(desk, "opinion.formed")]
    assert sorted(opinions) == sorted(TRADE.judges)


async def test_event_when_it_was_handled_is_not_sent_again() -> None:
    desk, sweep = await a_swept_desk()
    await desk.runtime.emit([REQUEST])
    await desk.run()
    published = len(desk.bus.published)
    for _ in range(3):
        assert await tick_later(desk, sweep) == 0
    assert len(desk.bus.published) == published


async def test_event_when_it_still_waits_in_its_subscription_is_not_sent_again_for_an_hour() -> None:
    desk, sweep = await a_swept_desk()
    await desk.runtime.emit([REQUEST])
    await sweep.tick()
    for _ in range(10):
        assert await tick_later(desk, sweep) == 0
    desk.clock.advance(timedelta(seconds=LONGEST_BACKLOG_SECONDS))
    assert await sweep.tick() == len(EVERYBODY)


async def test_event_when_waiting_messages_may_not_be_counted_is_sent_again_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refused() -> dict[str, int]:
        raise InvalidError("not allowed to count")

    desk, sweep = await a_swept_desk()
    await desk.store.append([REQUEST])
    await sweep.tick()
    monkeypatch.setattr(desk.bus, "backlog", refused)
    assert await tick_later(desk, sweep) == len(EVERYBODY)


async def test_event_when_nobody_ever_handles_it_is_told_once_and_left() -> None:
    desk, sweep = await a_swept_desk()
    await desk.store.append([REQUEST])
    await sweep.tick()
    sent = 0
    for _ in range(2 * TRIES):
        sent += await tick_later(desk, sweep, patiences=2**TRIES)
        await lose(desk, *SUBSCRIPTIONS)
    assert sent == len(EVERYBODY) * TRIES
    failures = [event.data.agent for event in await of_type(desk, "step.failed")]
    assert sorted(failures) == sorted(EVERYBODY)
    assert all(event.causationid == REQUEST.id for event in await of_type(desk, "step.failed"))
    assert await tick_later(desk, sweep, patiences=100) == 0


async def test_event_when_the_bus_refuses_it_is_told_in_the_end_and_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def publish(messages: Sequence[Message]) -> None:
        await accept([message for message in messages if large.id not in message.message_id])
        if any(large.id in message.message_id for message in messages):
            raise InvalidError("too large for topic events")

    desk, sweep = await a_swept_desk()
    large, accept = a_trade_request("IBM"), desk.bus.publish
    monkeypatch.setattr(desk.bus, "publish", publish)
    await desk.store.append([large, REQUEST])
    await sweep.tick()
    for _ in range(2 * TRIES):
        await tick_later(desk, sweep, patiences=2**TRIES)
        await desk.run()
    assert {event.causationid for event in await of_type(desk, "step.failed")} == {large.id}
    assert {event.data.agent for event in await of_type(desk, "step.failed")} == set(EVERYBODY)
    assert [event.causationid for event in await of_type(desk, "consensus.reached")] == [REQUEST.id]


async def test_event_when_its_agent_gave_it_up_is_not_sent_again() -> None:
    desk, sweep = await a_swept_desk()
    await desk.store.append([REQUEST])
    await sweep.tick()
    for agent in EVERYBODY:
        await desk.runtime.fail(received(message_for(REQUEST)), agent, "broken")
    assert await tick_later(desk, sweep) == 0
    assert len(await of_type(desk, "step.failed")) == len(EVERYBODY)


async def test_round_when_its_deadline_was_lost_is_closed() -> None:
    desk, sweep = await a_swept_desk()
    await desk.runtime.emit([REQUEST])
    await desk.deliver(await one_of(desk, "events/consensus"))
    await lose(desk, *SUBSCRIPTIONS[1:])
    desk.clock.advance(timedelta(seconds=31))
    await lose(desk, "consensus")
    for each in TRADE.judges:
        await desk.store.commit(Commit(each, REQUEST.stream, REQUEST.id, None, None, ()))
    await sweep.tick()
    assert await tick_later(desk, sweep, patiences=3) == 1
    await desk.run()
    (reached,) = await of_type(desk, "consensus.reached")
    assert reached.data.closed_by == "deadline"
    assert reached.time == CLOSE + timedelta(seconds=30)
    assert await tick_later(desk, sweep, patiences=100) == 0


async def one_of(desk: MemoryDesk, subscription: str) -> Delivery:
    delivery = await desk.take(subscription)
    assert delivery is not None
    return delivery


async def test_dead_letter_when_swept_is_told_once_with_its_cause() -> None:
    desk, sweep = await a_swept_desk()
    await give_up(desk, message_for(REQUEST))
    for _ in range(2):
        await sweep.tick()
        await a_sweep(desk).tick()
    (failed,) = await of_type(desk, "step.failed")
    assert isinstance(failed, StepFailed)
    assert (failed.data.agent, failed.causationid, failed.data.reason) == ("risk_manager", REQUEST.id, "boom")
    assert failed.data.attempts == topology().max_delivery_count


async def test_dead_letter_when_it_is_garbage_is_told_with_its_payload() -> None:
    desk, sweep = await a_swept_desk()
    await give_up(desk, replace(message_for(REQUEST), body=b"\xff\xfe no event"))
    await sweep.tick()
    (failed,) = await of_type(desk, "step.failed")
    assert (failed.data.encoding, failed.causationid) == ("base64", None)


async def give_up(desk: MemoryDesk, message: Message) -> None:
    """Have the risk manager's subscription give a message up."""
    await desk.bus.publish([message])
    for _ in range(topology().max_delivery_count):
        await desk.bus.abandon(await one_of(desk, RISK), "boom")


async def test_dead_letter_when_it_cannot_be_told_of_spares_the_others_and_the_sweep(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk, sweep = await a_swept_desk()
    await give_up(desk, message_for(REQUEST))
    letter = next(iter(desk.bus._dead.values()))
    desk.bus._dead["events/odd name", 0] = replace(letter, subscription="events/odd name!", sequence=0)
    await lose(desk, *(name for name in SUBSCRIPTIONS if name != "risk-manager"))
    await desk.store.append([a_trade_request(id="lost")])
    await sweep.tick()
    assert await tick_later(desk, sweep) == len(EVERYBODY)
    assert [event.source for event in await of_type(desk, "step.failed")] == ["risk_manager"]
    assert "cannot be told of" in caplog.text


async def test_sweep_when_trades_are_decided_fast_waits_for_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.sweep.MOST_PENDING", 10)
    desk, sweep = await a_swept_desk()
    for number in range(30):
        await desk.runtime.emit([a_trade_request(id=f"fast-{number}")])
    await desk.run()
    await desk.store.append([a_trade_request(id="lost")])
    await sweep.tick()
    assert await tick_later(desk, sweep) == len(EVERYBODY)


async def test_sweep_when_there_is_much_to_read_lets_others_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.sweep.PAGE", 5)
    monkeypatch.setattr("shared.sweep.MOST_PAGES", 3)
    desk, sweep = await a_swept_desk()
    await desk.store.append([a_trade_request(id=f"lost-{number}") for number in range(20)])
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    working = asyncio.create_task(other())
    await sweep.tick()
    working.cancel()
    assert turns >= 15
    assert await tick_later(desk, sweep) == 15 * len(EVERYBODY)
    await desk.run()
    assert await sweep.tick() == 5 * len(EVERYBODY)


async def test_sweep_when_full_reads_on_in_the_tick_that_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.sweep.MOST_PENDING", 5)
    desk, sweep = await a_swept_desk()
    await desk.runtime.emit([a_trade_request(id="slow")])
    await sweep.tick()
    await desk.run()
    await desk.store.append([a_trade_request(id="lost")])
    assert await tick_later(desk, sweep, patiences=3) == 0
    assert await tick_later(desk, sweep) == len(EVERYBODY)


async def test_log_when_it_was_never_swept_is_left_as_it_is() -> None:
    desk = an_agent_desk(topology())
    await desk.store.append([REQUEST])
    sweep = a_sweep(desk)
    for _ in range(3):
        assert await tick_later(desk, sweep) == 0


async def test_sweep_when_the_process_is_another_goes_on_where_the_last_was() -> None:
    desk, sweep = await a_swept_desk()
    await desk.store.append([REQUEST])
    await sweep.tick()
    assert await tick_later(desk, a_sweep(desk)) == len(EVERYBODY)
    assert await tick_later(desk, a_sweep(desk), patiences=0.5) == 0


async def test_sweep_when_two_hosts_do_it_at_once_sends_each_message_once() -> None:
    desk, sweep = await a_swept_desk()
    await desk.store.append([REQUEST])
    await sweep.tick()
    state = await desk.store.snapshot("sweep", STREAM)
    await tick_later(desk, sweep)
    waiting = await desk.bus.backlog()
    # The other host read the state before this one wrote it.
    other = a_sweep(desk)
    desk.store._snapshots["sweep", STREAM] = state  # type: ignore[attr-defined]
    await other.tick()
    assert await desk.bus.backlog() == waiting


async def test_sweep_when_it_dies_after_sending_sends_the_same_messages_again() -> None:
    desk, sweep = await a_swept_desk()
    await desk.store.append([REQUEST])
    await sweep.tick()
    desk.clock.advance(PATIENCE)
    first = len(desk.bus.published)
    state = await desk.store.snapshot("sweep", STREAM)
    await sweep.tick()
    sent = [message.message_id for message in desk.bus.published[first:]]
    desk.store._snapshots["sweep", STREAM] = state  # type: ignore[attr-defined]
    await lose(desk, *SUBSCRIPTIONS)
    second = len(desk.bus.published)
    await a_sweep(desk).tick()
    assert [message.message_id for message in desk.bus.published[second:]] == sent


async def test_sweep_when_it_fails_says_why_until_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> list[DeadLetter]:
        raise TransientError("no connection")

    desk, sweep = await a_swept_desk()
    sweep.telemetry = telemetry = Watched()
    worked = sweep.status.succeeded_at
    assert (worked, sweep.status.problem) == (desk.clock.now(), None)
    desk.clock.advance(PATIENCE)
    with monkeypatch.context() as broken:
        broken.setattr(desk.bus, "dead_letters", away)
        with pytest.raises(TransientError):
            await sweep.tick()
    assert (sweep.status.succeeded_at, sweep.status.problem) == (worked, "no connection")
    await sweep.tick()
    assert (sweep.status.succeeded_at, sweep.status.problem) == (desk.clock.now(), None)
    assert telemetry.values("finagent.tick.failures") == {("sweep",): 1}


async def test_sweep_when_its_cursor_is_of_another_log_begins_at_the_end_of_this_one() -> None:
    desk, sweep = await a_swept_desk()
    await desk.store.append([REQUEST])
    page = desk.store.page

    async def of_another_log(wanted: Filter, after: str, limit: int) -> Page:
        raise MissingError("after: the cursor belongs to another log")

    desk.store.page = of_another_log  # type: ignore[method-assign]
    assert await sweep.tick() == 0
    desk.store.page = page  # type: ignore[method-assign]
    assert await tick_later(desk, sweep, patiences=2) == 0
    late = a_trade_request(quantity=2)
    await desk.store.append([late])
    await sweep.tick()
    assert await tick_later(desk, sweep, patiences=2) == len(EVERYBODY)

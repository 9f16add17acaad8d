"""What the pump and the runtime do together when work fails for the moment."""

import asyncio

import azure.functions as func
import pytest
from pydantic import BaseModel

from functions.received import received
from shared.agents.decision import Decision
from shared.bus.port import message_for
from shared.clock import WallClock
from shared.errors import TransientError
from shared.events.trade import TradeRequested
from shared.runtime import Role, Runtime
from shared.settlement.stepwise import StepwiseSettlement
from shared.store.in_memory import InMemoryEventStore
from tests.builders import a_trade_request
from tests.unit.pump_bench import LOCK_SECONDS, Bench, messages, settled


class Nothing(BaseModel):
    """A state that holds nothing."""


async def test_pump_when_the_desk_cannot_work_holds_the_message_until_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.pump.FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("local.pump.LONGEST_PAUSE_SECONDS", LOCK_SECONDS / 4)
    counts: list[int | None] = []

    async def agent(message: func.ServiceBusMessage) -> None:
        counts.append(message.delivery_count)
        if len(counts) < 8:
            raise TransientError("the disk is full")

    async with Bench(agent).running() as bus:
        await bus.publish(messages(1))
        await settled(bus)
        assert await bus.dead_letters() == []
    assert counts == [1] * 8


async def test_pump_when_drained_leaves_a_message_that_waits_for_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    # So short that the lock is never lost: only the drain can end it.
    monkeypatch.setattr("local.pump.FIRST_PAUSE_SECONDS", LOCK_SECONDS / 4)
    monkeypatch.setattr("local.pump.LONGEST_PAUSE_SECONDS", LOCK_SECONDS / 4)
    failed = asyncio.Event()

    async def agent(message: func.ServiceBusMessage) -> None:
        failed.set()
        raise TransientError("the disk is full")

    async with asyncio.timeout(10), Bench(agent).running() as bus:
        await bus.publish(messages(1))
        await failed.wait()
    assert await bus.backlog() == {"events/agent": 1}
    assert await bus.dead_letters() == []


async def test_pump_when_an_agent_is_kept_from_its_work_brings_delayed_copies_until_it_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.runtime.BACKOFF_SECONDS", 0.02)
    given: list[tuple[str, int | None]] = []

    async def vote(event: TradeRequested, state: Nothing, _deps: object) -> Decision[Nothing]:
        if len(given) < 4:
            raise TransientError("429")
        return Decision(state)

    async def agent(message: func.ServiceBusMessage) -> None:
        given.append((str(message.message_id), message.delivery_count))
        await runtime.handle(received(message), "agent")

    request, store, clock = a_trade_request(id="trade-1"), InMemoryEventStore(), WallClock()
    bench = Bench(agent, clock=clock)
    role = Role("agent", Nothing, {TradeRequested: vote}, None)
    runtime = Runtime(store, bench.bus, StepwiseSettlement(store, bench.bus), clock, {"agent": role})
    async with bench.running() as bus:
        await bus.publish([message_for(request)])
        while await store.receipt("agent", request.stream, request.id) is None:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
        await settled(bus)
        assert await bus.dead_letters() == []
    assert given == [("trade-1:0", 1), ("trade-1:agent:1", 1), ("trade-1:agent:2", 1), ("trade-1:agent:3", 1)]

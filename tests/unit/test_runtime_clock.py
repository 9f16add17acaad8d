"""What is due later, when somebody sets the clock meanwhile."""

import asyncio
from datetime import timedelta

import pytest

from shared.bus.in_memory import InMemoryEventBus
from shared.clock import ManualClock
from tests.builders import CLOSE, HOUR, MINUTE, a_message, a_topic, a_topology

TOPOLOGY = a_topology(a_topic("events", clerk=["trade.requested"]))


@pytest.mark.parametrize("set_back", [0 * HOUR, 5 * HOUR], ids=["forward", "back and forward"])
async def test_receiver_when_the_clock_is_set_gets_what_is_due_then_and_gets_it_once(
    monkeypatch: pytest.MonkeyPatch, set_back: timedelta
) -> None:
    monkeypatch.setattr("shared.bus.in_memory.LONGEST_WAIT_SECONDS", 0.01)
    clock = ManualClock(CLOSE)
    bus = InMemoryEventBus(TOPOLOGY, clock)
    await bus.publish([a_message(deliver_at=CLOSE + MINUTE)])
    clock.advance(-set_back)
    receiving = asyncio.create_task(bus.receive("events/clerk"))
    await asyncio.sleep(0.05)
    assert not receiving.done()
    clock.moment = CLOSE + HOUR
    async with asyncio.timeout(30):
        await bus.complete(await receiving)
    clock.moment = CLOSE
    clock.moment = CLOSE + 2 * HOUR
    assert await bus.backlog() == {"events/clerk": 0}

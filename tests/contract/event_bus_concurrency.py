"""Contract of the event bus: receivers and publishers at the same time lose nothing and double nothing."""

import asyncio
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from shared.bus.port import Delivery, Message
from shared.clock import ManualClock
from tests.builders import CLOSE, a_message, a_topology
from tests.contract.event_bus_bench import (
    ANALYST,
    BARS,
    CHARTS,
    MOST_DELIVERIES,
    RISK,
    TOPOLOGY,
    Bus,
    EventBusBench,
    name_of,
    take,
    take_id,
)
from tests.contract.event_bus_sessions import in_session

MESSAGES = 120
RECEIVERS = 8


class Concurrency(EventBusBench):
    """Several receivers on one subscription."""

    async def test_receivers_when_two_wait_get_one_message_each(self, bus: Bus) -> None:
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(take_id(bus, ANALYST)) for _ in range(2)]
            await asyncio.sleep(0)
            await bus.publish([a_message("a")])
            await bus.publish([a_message("b")])
        assert {task.result() for task in waiting} == {"a", "b"}

    async def test_receivers_when_two_wait_for_one_batch_get_one_message_each(self, bus: Bus) -> None:
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(take_id(bus, ANALYST)) for _ in range(2)]
            await asyncio.sleep(0)
            await bus.publish([a_message("a"), a_message("b")])
        assert {task.result() for task in waiting} == {"a", "b"}

    async def test_receiver_when_cancelled_while_waiting_loses_nothing(self, bus: Bus) -> None:
        waiting = asyncio.create_task(bus.receive(ANALYST))
        await asyncio.sleep(0)
        await cancel(waiting)
        await bus.publish([a_message()])
        assert (await take(bus, ANALYST)).delivery_count == 1

    async def test_receiver_when_cancelled_as_a_message_comes_loses_nothing(self, bus: Bus) -> None:
        waiting = asyncio.create_task(bus.receive(ANALYST))
        await asyncio.sleep(0)
        await bus.publish([a_message()])
        await cancel(waiting)
        if waiting.cancelled():
            assert (await take(bus, ANALYST)).delivery_count == 1
        else:
            await bus.complete(waiting.result())

    async def test_receiver_when_waiting_is_given_what_another_abandons(self, bus: Bus) -> None:
        await bus.publish([a_message()])
        held = await take(bus, ANALYST)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(take(bus, ANALYST))
            await asyncio.sleep(0)
            await bus.abandon(held, "busy")
        assert waiting.result().delivery_count == 2

    async def test_receiver_when_waiting_is_given_what_another_lets_lapse(self) -> None:
        topology = a_topology(*TOPOLOGY.topics, lock_seconds=0.05)
        async with self.opened(topology, ManualClock(CLOSE), time.monotonic) as bus:
            await bus.publish([a_message()])
            await take(bus, ANALYST)
            assert (await take(bus, ANALYST)).delivery_count == 2

    async def test_message_when_published_by_many_at_once_arrives_once_each(self, bus: Bus) -> None:
        await asyncio.gather(*(bus.publish([a_message(f"{number}")]) for number in range(MESSAGES)))
        assert await bus.backlog() == {ANALYST: MESSAGES, RISK: MESSAGES, BARS: 0, CHARTS: 0}
        names = [await take_id(bus, ANALYST) for _ in range(MESSAGES)]
        assert sorted(names, key=int) == [f"{number}" for number in range(MESSAGES)]

    async def test_messages_when_many_receive_at_once_are_completed_once_each(self, bus: Bus) -> None:
        crew = Crew(bus, ANALYST)
        names = [f"{number}" for number in range(MESSAGES)]
        await crew.work_through([a_message(name) for name in names])
        assert Counter(crew.completed) == Counter(names)
        assert (await bus.backlog())[ANALYST] == 0

    async def test_sessions_when_many_receive_at_once_are_each_handled_in_order(self, bus: Bus) -> None:
        crew = Crew(bus, BARS)
        await crew.work_through([in_session(f"{number % 5}", f"{number}")[0] for number in range(MESSAGES)])
        for session in range(5):
            mine = [int(name) for name in crew.completed if int(name) % 5 == session]
            assert mine == list(range(session, MESSAGES, 5))
        assert not crew.overlaps


@dataclass
class Crew:
    """Receivers that work at the same time, complete most messages and abandon some.

    Attributes
    ----------
    completed : list of str
        Names in the order of completion.
    overlaps : list of str
        Messages that were given out while another of their session was held.
    """

    bus: Bus
    subscription: str
    completed: list[str] = field(default_factory=list)
    overlaps: list[str] = field(default_factory=list)
    _held: Counter[str | None] = field(default_factory=Counter)
    _done: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    _chance: random.Random = field(default_factory=lambda: random.Random(7))

    async def work_through(self, messages: list[Message]) -> None:
        """Publish the messages while the receivers are at work, and return when all are completed."""
        receivers = [asyncio.create_task(self._receive()) for _ in range(RECEIVERS)]
        half = len(messages) // 2
        await self.bus.publish(messages[:half])
        for message in messages[half:]:
            await self.bus.publish([message])
        async with asyncio.timeout(10):
            for _ in messages:
                await self._done.acquire()
        for receiver in receivers:
            await cancel(receiver)

    async def _receive(self) -> None:
        while True:
            delivery = await self.bus.receive(self.subscription)
            await self._handle(delivery)

    async def _handle(self, delivery: Delivery) -> None:
        session = delivery.message.session_id
        self._held[session] += 1
        if session is not None and self._held[session] > 1:
            self.overlaps.append(name_of(delivery))
        for _ in range(self._chance.randrange(3)):
            await asyncio.sleep(0)
        self._held[session] -= 1
        if delivery.delivery_count < MOST_DELIVERIES and self._chance.random() < 0.3:
            await self.bus.abandon(delivery, "busy")
        else:
            await self.bus.complete(delivery)
            self.completed.append(name_of(delivery))
            self._done.release()


async def cancel(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import azure.functions as func
import pytest

from local.host_json import HostOptions
from local.pump import Pump
from local.registration import Registered
from shared.bus.in_memory import InMemoryEventBus
from shared.bus.port import Message
from shared.bus.topology import Topology
from shared.clock import ManualClock
from shared.errors import TransientError

LOCK_SECONDS = 0.2


def _topology(*, sessions: bool) -> Topology:
    subscription = {"name": "agent", "subjects": ["news.received"]}
    topic = {"name": "events", "requiresSession": sessions, "subscriptions": [subscription]}
    return Topology.model_validate(
        {"lockSeconds": LOCK_SECONDS, "maxDeliveryCount": 3, "duplicateDetectionSeconds": 60, "topics": [topic]}
    )


def _message(number: int, session: str | None = None) -> Message:
    return Message(
        message_id=f"event-{number}:0",
        topic="events",
        subject="news.received",
        body=str(number).encode(),
        correlation_id="story",
        session_id=session,
    )


class Bench:
    """A bus with one subscription, pumped into a function."""

    def __init__(
        self, call: Callable[..., object], *, sessions: bool = False, timeout_seconds: float = 5, calls: int = 4
    ) -> None:
        topology = _topology(sessions=sessions)
        self.bus = InMemoryEventBus(topology, ManualClock(datetime(2008, 9, 15, tzinfo=UTC)))
        trigger = {
            "type": "serviceBusTrigger",
            "name": "message",
            "topicName": "events",
            "subscriptionName": "agent",
            "isSessionsEnabled": sessions,
        }
        function = Registered("agent", trigger, "message", call, wants_context=False)
        options = HostOptions("", timeout_seconds, calls, calls, 10, 60, 5, 1, 0)
        self.pump = Pump(function, self.bus, options, LOCK_SECONDS)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[InMemoryEventBus]:
        """Pump while the test goes on, then drain."""
        task = asyncio.create_task(self.pump.run())
        try:
            yield self.bus
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self.pump.drain()


async def _settled(bus: InMemoryEventBus) -> None:
    async with asyncio.timeout(20):
        while any((await bus.backlog()).values()):  # noqa: ASYNC110 - the bus has no event for being empty
            await asyncio.sleep(0.01)


async def test_pump_when_the_function_returns_completes_the_message() -> None:
    seen: list[func.ServiceBusMessage] = []

    async def agent(message: func.ServiceBusMessage) -> None:
        seen.append(message)

    async with Bench(agent).running() as bus:
        await bus.publish([_message(1)])
        await _settled(bus)
    assert [(message.message_id, message.subject, message.get_body()) for message in seen] == [
        ("event-1:0", "news.received", b"1")
    ]
    assert seen[0].delivery_count == 1
    assert seen[0].enqueued_time_utc is not None
    assert seen[0].enqueued_time_utc.tzinfo is None


async def test_pump_when_the_function_raises_gives_the_message_back_and_buries_it_in_the_end() -> None:
    counts: list[int | None] = []

    async def agent(message: func.ServiceBusMessage) -> None:
        counts.append(message.delivery_count)
        raise ValueError("cannot digest this")

    async with Bench(agent).running() as bus:
        await bus.publish([_message(1)])
        await _settled(bus)
        letters = await bus.dead_letters()
    assert counts == [1, 2, 3]
    assert [(letter.message.message_id, letter.reason) for letter in letters] == [
        ("event-1:0", "ValueError: cannot digest this")
    ]


async def test_pump_when_the_desk_cannot_work_holds_the_message_until_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.pump.FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("local.pump.LONGEST_PAUSE_SECONDS", LOCK_SECONDS / 4)
    counts: list[int | None] = []

    async def agent(message: func.ServiceBusMessage) -> None:
        counts.append(message.delivery_count)
        if len(counts) < 8:
            raise TransientError("the disk is full")

    async with Bench(agent).running() as bus:
        await bus.publish([_message(1)])
        await _settled(bus)
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
        await bus.publish([_message(1)])
        await failed.wait()
    assert await bus.backlog() == {"events/agent": 1}
    assert await bus.dead_letters() == []


async def test_pump_when_one_message_is_poison_handles_its_neighbours() -> None:
    handled: list[bytes] = []

    async def agent(message: func.ServiceBusMessage) -> None:
        if message.get_body() == b"3":
            raise ValueError("poison")
        handled.append(message.get_body())

    async with Bench(agent, calls=1).running() as bus:
        await bus.publish([_message(number) for number in range(6)])
        await _settled(bus)
    assert sorted(handled) == [b"0", b"1", b"2", b"4", b"5"]


async def test_pump_when_the_function_outlasts_the_lock_renews_it_and_runs_it_once() -> None:
    calls = 0

    async def agent(message: func.ServiceBusMessage) -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(LOCK_SECONDS * 4)

    async with Bench(agent).running() as bus:
        await bus.publish([_message(1)])
        await _settled(bus)
    assert calls == 1


async def test_pump_when_the_function_exceeds_its_time_gives_the_message_back() -> None:
    calls = 0

    async def agent(message: func.ServiceBusMessage) -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(60 if calls == 1 else 0)

    async with Bench(agent, timeout_seconds=0.1).running() as bus:
        await bus.publish([_message(1)])
        await _settled(bus)
    assert calls == 2


async def test_pump_when_more_wait_than_may_run_runs_only_so_many_at_once() -> None:
    running, most = 0, 0

    async def agent(message: func.ServiceBusMessage) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1

    async with Bench(agent, calls=3).running() as bus:
        await bus.publish([_message(number) for number in range(12)])
        await _settled(bus)
    assert most == 3


async def test_pump_when_sessions_are_required_keeps_their_order_and_runs_them_side_by_side() -> None:
    seen: dict[str, list[bytes]] = {"a": [], "b": []}
    both = asyncio.Event()
    running: set[str] = set()

    async def agent(message: func.ServiceBusMessage) -> None:
        session = str(message.session_id)
        assert session not in running
        running.add(session)
        if running == {"a", "b"}:
            both.set()
        await asyncio.wait_for(both.wait(), 10)
        seen[session].append(message.get_body())
        running.discard(session)

    async with Bench(agent, sessions=True).running() as bus:
        await bus.publish([_message(number, "ab"[number % 2]) for number in range(10)])
        await _settled(bus)
    assert seen == {"a": [b"0", b"2", b"4", b"6", b"8"], "b": [b"1", b"3", b"5", b"7", b"9"]}


async def test_pump_when_the_function_is_synchronous_runs_it_off_the_event_loop() -> None:
    threads: list[int] = []

    def agent(message: func.ServiceBusMessage) -> None:
        threads.append(threading.get_ident())

    async with Bench(agent).running() as bus:
        await bus.publish([_message(1)])
        await _settled(bus)
    assert threads != [threading.get_ident()]


@pytest.mark.parametrize("calls", [1, 4])
async def test_pump_when_it_is_drained_finishes_what_is_under_way_and_takes_no_more(calls: int) -> None:
    release, started = asyncio.Event(), asyncio.Event()
    finished: list[bytes] = []

    async def agent(message: func.ServiceBusMessage) -> None:
        started.set()
        await release.wait()
        finished.append(message.get_body())

    bench = Bench(agent, calls=calls)
    pumping = asyncio.create_task(bench.pump.run())
    await bench.bus.publish([_message(number) for number in range(6)])
    await started.wait()
    await asyncio.sleep(0)
    pumping.cancel()
    draining: Awaitable[None] = asyncio.create_task(bench.pump.drain())
    release.set()
    await draining
    assert len(finished) <= calls
    assert await bench.bus.backlog() == {"events/agent": 6 - len(finished)}

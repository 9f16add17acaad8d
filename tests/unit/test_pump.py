import asyncio
import threading
from collections.abc import Awaitable

import azure.functions as func
import pytest

from tests.unit.pump_bench import LOCK_SECONDS, Bench, messages, settled


async def test_pump_when_the_function_returns_completes_the_message() -> None:
    seen: list[func.ServiceBusMessage] = []

    async def agent(message: func.ServiceBusMessage) -> None:
        seen.append(message)

    async with Bench(agent).running() as bus:
        await bus.publish(messages(1))
        await settled(bus)
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
        await bus.publish(messages(1))
        await settled(bus)
        letters = await bus.dead_letters()
    assert counts == [1, 2, 3]
    assert [(letter.message.message_id, letter.reason) for letter in letters] == [
        ("event-1:0", "ValueError: cannot digest this")
    ]


async def test_pump_when_one_message_is_poison_handles_its_neighbours() -> None:
    handled: list[bytes] = []

    async def agent(message: func.ServiceBusMessage) -> None:
        if message.get_body() == b"3":
            raise ValueError("poison")
        handled.append(message.get_body())

    async with Bench(agent, max_concurrent_calls=1).running() as bus:
        await bus.publish(messages(*range(6)))
        await settled(bus)
    assert sorted(handled) == [b"0", b"1", b"2", b"4", b"5"]


async def test_pump_when_the_function_outlasts_the_lock_renews_it_and_runs_it_once() -> None:
    calls = 0

    async def agent(message: func.ServiceBusMessage) -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(LOCK_SECONDS * 4)

    async with Bench(agent).running() as bus:
        await bus.publish(messages(1))
        await settled(bus)
    assert calls == 1


async def test_pump_when_a_lock_was_renewed_for_as_long_as_may_be_lets_it_run_out() -> None:
    again, calls = asyncio.Event(), 0

    async def agent(message: func.ServiceBusMessage) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            again.set()
        await again.wait()

    bench = Bench(agent, max_auto_lock_renewal_seconds=LOCK_SECONDS / 2, function_timeout_seconds=60)
    async with bench.running() as bus:
        await bus.publish(messages(1))
        await settled(bus)
    assert calls == 2


async def test_pump_when_the_function_exceeds_its_time_gives_the_message_back() -> None:
    calls = 0

    async def agent(message: func.ServiceBusMessage) -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(60 if calls == 1 else 0)

    async with Bench(agent, function_timeout_seconds=0.1).running() as bus:
        await bus.publish(messages(1))
        await settled(bus)
    assert calls == 2


async def test_pump_when_more_wait_than_may_run_runs_only_so_many_at_once() -> None:
    running, most = 0, 0

    async def agent(message: func.ServiceBusMessage) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1

    async with Bench(agent, max_concurrent_calls=3).running() as bus:
        await bus.publish(messages(*range(12)))
        await settled(bus)
    assert most == 3


async def test_pump_when_the_function_is_synchronous_runs_it_off_the_event_loop() -> None:
    threads: list[int] = []

    def agent(message: func.ServiceBusMessage) -> None:
        threads.append(threading.get_ident())

    async with Bench(agent).running() as bus:
        await bus.publish(messages(1))
        await settled(bus)
    assert threads != [threading.get_ident()]


@pytest.mark.parametrize("calls", [1, 4])
async def test_pump_when_it_is_drained_finishes_what_is_under_way_and_takes_no_more(calls: int) -> None:
    release, started = asyncio.Event(), asyncio.Event()
    finished: list[bytes] = []

    async def agent(message: func.ServiceBusMessage) -> None:
        started.set()
        await release.wait()
        finished.append(message.get_body())

    bench = Bench(agent, max_concurrent_calls=calls)
    pumping = asyncio.create_task(bench.pump.run())
    await bench.bus.publish(messages(*range(6)))
    await started.wait()
    await asyncio.sleep(0)
    pumping.cancel()
    draining: Awaitable[None] = asyncio.create_task(bench.pump.drain())
    release.set()
    await draining
    assert len(finished) <= calls
    assert await bench.bus.backlog() == {"events/agent": 6 - len(finished)}

"""Functions of cardinality many, registered as an app does."""

import asyncio
import typing

import azure.functions as func
import pytest

from shared.errors import TransientError
from tests.unit.pump_bench import LOCK_SECONDS, Bench, bodies, messages, passed, settled

type Batch = typing.List[func.ServiceBusMessage]  # noqa: UP006 - the one form that Functions takes


async def test_batch_when_the_function_returns_holds_what_was_ready_and_is_completed() -> None:
    seen: list[list[int]] = []

    async def agent(message: typing.List[func.ServiceBusMessage]) -> None:  # noqa: UP006 - list[...] fails on Azure
        seen.append(bodies(message))

    bench = Bench(agent, many=True)
    await bench.bus.publish(messages(1, 2, 3))
    async with bench.running() as bus:
        await settled(bus)
        await bus.publish(messages(4))
        await settled(bus)
        assert await bus.dead_letters() == []
    assert seen == [[1, 2, 3], [4]]


async def test_batch_when_the_function_raises_comes_again_whole_until_it_is_given_up() -> None:
    seen: list[list[tuple[int, int | None]]] = []

    async def agent(message: Batch) -> None:
        seen.append([(int(each.get_body()), each.delivery_count) for each in message])
        raise ValueError("cannot digest these")

    bench = Bench(agent, many=True)
    await bench.bus.publish(messages(1, 2))
    async with bench.running() as bus:
        await settled(bus)
        letters = await bus.dead_letters()
    assert seen == [[(1, count), (2, count)] for count in (1, 2, 3)]
    assert [(letter.message.message_id, letter.reason) for letter in letters] == [
        ("event-1:0", "ValueError: cannot digest these"),
        ("event-2:0", "ValueError: cannot digest these"),
    ]


async def test_batches_when_more_wait_than_one_may_hold_come_one_after_another() -> None:
    seen: list[list[int]] = []
    running = 0

    async def agent(message: Batch) -> None:
        nonlocal running
        running += 1
        assert running == 1
        seen.append(bodies(message))
        await passed()
        running -= 1

    bench = Bench(agent, many=True, max_batch_size=4)
    await bench.bus.publish(messages(*range(10)))
    async with bench.running() as bus:
        await settled(bus)
    assert seen == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


async def test_batch_when_it_has_a_least_size_waits_for_it() -> None:
    seen: list[list[int]] = []

    async def agent(message: Batch) -> None:
        seen.append(bodies(message))

    async with Bench(agent, many=True, min_batch_size=3).running() as bus:
        for number in range(3):
            await bus.publish(messages(number))
            await passed()
            assert seen == []
        await settled(bus)
    assert seen == [[0, 1, 2]]


async def test_batch_when_its_least_size_does_not_come_goes_with_what_there_is() -> None:
    seen: list[list[int]] = []

    async def agent(message: Batch) -> None:
        seen.append(bodies(message))

    async with Bench(agent, many=True, min_batch_size=3, max_batch_wait_seconds=0.05).running() as bus:
        await bus.publish(messages(1, 2))
        await settled(bus)
    assert seen == [[1, 2]]


async def test_batch_when_the_function_outlasts_the_locks_keeps_all_of_them() -> None:
    seen: list[list[int]] = []

    async def agent(message: Batch) -> None:
        seen.append(bodies(message))
        await asyncio.sleep(LOCK_SECONDS * 3)

    bench = Bench(agent, many=True)
    await bench.bus.publish(messages(1, 2))
    async with bench.running() as bus:
        await settled(bus)
    assert seen == [[1, 2]]


async def test_batch_when_the_desk_cannot_work_is_held_whole_until_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.pump.FIRST_PAUSE_SECONDS", 0.01)
    seen: list[list[int | None]] = []

    async def agent(message: Batch) -> None:
        seen.append([each.delivery_count for each in message])
        if len(seen) < 3:
            raise TransientError("the disk is full")

    bench = Bench(agent, many=True)
    await bench.bus.publish(messages(1, 2))
    async with bench.running() as bus:
        await settled(bus)
    assert seen == [[1, 1]] * 3


async def test_batch_when_there_are_sessions_is_of_one_in_order() -> None:
    seen: list[tuple[set[str | None], list[int]]] = []

    async def agent(message: Batch) -> None:
        seen.append(({each.session_id for each in message}, bodies(message)))

    bench = Bench(agent, many=True, sessions=True)
    for number in range(3):
        await bench.bus.publish([*messages(number, session="a"), *messages(number, session="b")])
    async with bench.running() as bus:
        await settled(bus)
    assert seen == [({"a"}, [0, 1, 2]), ({"b"}, [0, 1, 2])]


async def test_batch_when_one_session_fails_gives_all_of_it_back_in_order() -> None:
    seen: list[list[int]] = []

    async def agent(message: Batch) -> None:
        seen.append(bodies(message))
        if len(seen) == 1:
            raise ValueError("not today")

    bench = Bench(agent, many=True, sessions=True)
    await bench.bus.publish(messages(1, 2, 3, session="a"))
    async with bench.running() as bus:
        await settled(bus)
    assert seen == [[1, 2, 3], [1, 2, 3]]

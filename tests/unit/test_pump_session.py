import asyncio
from collections import defaultdict

import azure.functions as func

from shared.bus.in_memory import InMemoryEventBus
from tests.unit.pump_bench import LOCK_SECONDS, Bench, messages, passed, settled

LONG = 3_600.0


class Sessions:
    """A function that notes what it is given, and holds on to the messages of a session while it is told to."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def __call__(self, message: func.ServiceBusMessage) -> None:
        """Note the message, then wait for its session's gate."""
        self.seen.append(f"{message.session_id}{message.get_body().decode()}")
        await self.gates[str(message.session_id)].wait()

    def open(self, *sessions: str) -> None:
        """Let the messages of sessions through."""
        for session in sessions:
            self.gates[session].set()


def _bench(function: Sessions, *, at_once: int, idle_seconds: float) -> Bench:
    async def agent(message: func.ServiceBusMessage) -> None:
        await function(message)

    return Bench(agent, sessions=True, max_concurrent_sessions=at_once, session_idle_seconds=idle_seconds)


async def test_sessions_when_there_are_slots_run_side_by_side_each_in_order() -> None:
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
        for number in range(5):
            await bus.publish([*messages(number, session="a"), *messages(number, session="b")])
        await settled(bus)
    assert seen == {"a": [b"0", b"1", b"2", b"3", b"4"], "b": [b"0", b"1", b"2", b"3", b"4"]}


async def test_session_when_more_comes_in_it_keeps_its_slot() -> None:
    function = Sessions()
    function.open("a", "b")
    async with _bench(function, at_once=1, idle_seconds=LONG).running() as bus:
        await bus.publish([*messages(1, 2, session="a"), *messages(1, session="b")])
        await passed()
        assert function.seen == ["a1", "a2"]
        await bus.publish(messages(3, session="a"))
        await passed()
        assert function.seen == ["a1", "a2", "a3"]
        assert await bus.backlog() == {"events/agent": 1}


async def test_session_when_it_is_idle_for_long_enough_gives_its_slot_to_another() -> None:
    function = Sessions()
    function.open("a", "b")
    async with _bench(function, at_once=1, idle_seconds=0.05).running() as bus:
        await bus.publish([*messages(1, session="a"), *messages(1, session="b"), *messages(2, session="a")])
        await settled(bus)
        await bus.publish(messages(3, session="a"))
        await settled(bus)
    assert function.seen == ["a1", "a2", "b1", "a3"]


async def test_session_when_its_function_takes_longer_than_it_may_idle_keeps_its_slot() -> None:
    seen: list[str] = []

    async def agent(message: func.ServiceBusMessage) -> None:
        seen.append(f"{message.session_id}{message.get_body().decode()}")
        await asyncio.sleep(0.1)

    bench = Bench(agent, sessions=True, max_concurrent_sessions=1, session_idle_seconds=0.05)
    async with bench.running() as bus:
        await bus.publish([*messages(1, 2, 3, session="a"), *messages(1, session="b")])
        await settled(bus)
    assert seen == ["a1", "a2", "a3", "b1"]


async def test_sessions_when_there_are_more_than_slots_wait_for_one_even_when_none_is_at_work() -> None:
    function = Sessions()
    function.open("a")
    async with _bench(function, at_once=2, idle_seconds=LONG).running() as bus:
        await bus.publish([message for session in "abc" for message in messages(1, 2, session=session)])
        await passed()
        assert sorted(function.seen) == ["a1", "a2", "b1"]
        function.open("b")
        await passed()
        assert sorted(function.seen) == ["a1", "a2", "b1", "b2"]


async def test_session_when_its_function_fails_gets_the_message_again_before_later_ones() -> None:
    seen: list[bytes] = []

    async def agent(message: func.ServiceBusMessage) -> None:
        seen.append(message.get_body())
        if len(seen) == 1:
            raise ValueError("not today")

    async with Bench(agent, sessions=True, max_concurrent_sessions=1).running() as bus:
        await bus.publish(messages(1, 2, session="a"))
        await settled(bus)
    assert seen == [b"1", b"1", b"2"]


async def test_session_when_its_lock_is_lost_goes_to_another_slot() -> None:
    seen: list[int | None] = []
    again = asyncio.Event()

    async def agent(message: func.ServiceBusMessage) -> None:
        seen.append(message.delivery_count)
        if message.delivery_count == 2:
            again.set()
        await again.wait()

    bench = Bench(
        agent,
        sessions=True,
        max_auto_lock_renewal_seconds=LOCK_SECONDS / 2,
        function_timeout_seconds=60,
        session_idle_seconds=LONG,
    )
    async with bench.running() as bus:
        await bus.publish(messages(1, session="a"))
        await settled(bus)
        await bus.publish(messages(2, session="a"))
        await settled(bus)
    assert seen == [1, 2, 1]


async def test_session_when_all_its_slots_went_idle_leaves_the_pump_able_to_take_any() -> None:
    function = Sessions()
    function.open(*"abcdef")
    async with _bench(function, at_once=2, idle_seconds=0.01).running() as bus:
        await _publish_one_each(bus, "abcdef")
        await settled(bus)
    assert sorted(function.seen) == ["a1", "b1", "c1", "d1", "e1", "f1"]


async def _publish_one_each(bus: InMemoryEventBus, sessions: str) -> None:
    for session in sessions:
        await bus.publish(messages(1, session=session))

"""Contract of a bus that is its host's own: sessions are kept between messages, and messages taken in batches."""

import asyncio

from shared.bus.port import Delivery
from tests.builders import a_message
from tests.contract.event_bus_bench import (
    ANALYST,
    BARS,
    LOCK_SECONDS,
    MOST_DELIVERIES,
    Bus,
    EventBusBench,
    Times,
    name_of,
    take,
    take_id,
)
from tests.contract.event_bus_sessions import in_session


class Keeping(EventBusBench):
    """Sessions that are kept until they are released, and messages beside one that is held."""

    async def test_session_when_kept_stays_closed_to_others_after_its_message(self, bus: Bus) -> None:
        await bus.publish([*in_session("s", "s1", "s2"), *in_session("t", "t1")])
        await bus.complete(await _keep(bus, 1))
        assert await take_id(bus, BARS) == "t1"
        assert await self.is_silent(bus, BARS)

    async def test_sessions_when_as_many_are_kept_as_may_be_are_the_only_ones_given(self, bus: Bus) -> None:
        await bus.publish([*in_session("s", "s1", "s2"), *in_session("t", "t1")])
        for expected in ("s1", "s2"):
            delivery = await _keep(bus, 1)
            assert name_of(delivery) == expected
            await bus.complete(delivery)
        await bus.publish(in_session("s", "s3"))
        assert name_of(await _keep(bus, 1)) == "s3"

    async def test_sessions_when_fewer_are_kept_than_may_be_go_on_beside_them(self, bus: Bus) -> None:
        await bus.publish([*in_session("s", "s1", "s2"), *in_session("t", "t1"), *in_session("u", "u1")])
        first = await _keep(bus, 2)
        assert name_of(await _keep(bus, 2)) == "t1"
        await bus.complete(first)
        assert name_of(await _keep(bus, 2)) == "s2"

    async def test_session_when_kept_and_no_other_waits_gives_its_next_message(self, bus: Bus) -> None:
        await bus.publish(in_session("s", "a", "b"))
        await bus.complete(await _keep(bus, 2))
        assert name_of(await _keep(bus, 2)) == "b"

    async def test_session_when_released_is_open_to_others(self, bus: Bus) -> None:
        await bus.publish(in_session("s", "a", "b"))
        await bus.complete(await _keep(bus, 1))
        bus.release(BARS, "s")
        assert await take_id(bus, BARS) == "b"

    async def test_receiver_when_waiting_for_a_place_gets_it_on_release(self, bus: Bus) -> None:
        await bus.publish([*in_session("s", "a"), *in_session("t", "b")])
        await bus.complete(await _keep(bus, 1))
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(_keep(bus, 1))
            await asyncio.sleep(0)
            bus.release(BARS, "s")
        assert name_of(waiting.result()) == "b"

    async def test_session_when_released_while_a_message_is_held_opens_with_its_settlement(self, bus: Bus) -> None:
        await bus.publish(in_session("s", "a", "b"))
        held = await _keep(bus, 1)
        bus.release(BARS, "s")
        assert await self.is_silent(bus, BARS)
        await bus.complete(held)
        assert await take_id(bus, BARS) == "b"

    async def test_session_when_a_lock_in_it_is_lost_is_kept_no_longer(self, bus: Bus, times: Times) -> None:
        await bus.publish([*in_session("s", "a", "b"), *in_session("t", "c")])
        await _keep(bus, 1)
        times.pass_seconds(LOCK_SECONDS + 1)
        assert {await take_id(bus, BARS), await take_id(bus, BARS)} == {"a", "c"}

    async def test_session_when_its_only_message_was_given_up_on_the_way_is_not_kept(
        self, bus: Bus, times: Times
    ) -> None:
        await bus.publish(in_session("s", "bad"))
        for _ in range(MOST_DELIVERIES):
            await take(bus, BARS)
            times.pass_seconds(LOCK_SECONDS + 1)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(_keep(bus, 1))
            await asyncio.sleep(0)
            await bus.publish(in_session("t", "good"))
        assert name_of(waiting.result()) == "good"

    async def test_messages_when_taken_beside_another_are_of_its_session_and_in_order(self, bus: Bus) -> None:
        await bus.publish([*in_session("s", "s1", "s2"), *in_session("t", "t1"), *in_session("s", "s3")])
        held = await take(bus, BARS)
        beside = [await bus.receive_beside(held) for _ in range(3)]
        assert [name_of(delivery) for delivery in beside if delivery] == ["s2", "s3"]

    async def test_session_when_several_messages_are_held_opens_when_all_are_settled(self, bus: Bus) -> None:
        await bus.publish(in_session("s", "a", "b", "c"))
        held = await take(bus, BARS)
        beside = await bus.receive_beside(held)
        assert beside is not None
        await bus.abandon(held, "busy")
        assert await self.is_silent(bus, BARS)
        await bus.complete(beside)
        assert await take_id(bus, BARS) == "a"

    async def test_messages_when_taken_beside_another_are_counted_and_given_up_as_any(
        self, bus: Bus, times: Times
    ) -> None:
        await bus.publish([a_message("a"), a_message("bad"), a_message("c")])
        held, counts = await take(bus, ANALYST), []
        for _ in range(MOST_DELIVERIES):
            beside = await bus.receive_beside(held)
            assert beside is not None
            counts.append((name_of(beside), beside.delivery_count))
            times.pass_seconds(LOCK_SECONDS - 1)
            await bus.renew(held)
            times.pass_seconds(2)
            await bus.renew(held)
        last = await bus.receive_beside(held)
        assert last is not None
        assert (counts, name_of(last)) == ([("bad", 1), ("bad", 2), ("bad", 3)], "c")
        assert [letter.message.message_id for letter in await bus.dead_letters()] == ["bad:0"]

    async def test_messages_when_there_are_no_sessions_are_taken_beside_any(self, bus: Bus) -> None:
        await bus.publish([a_message("a"), a_message("b")])
        held = await take(bus, ANALYST)
        beside = await bus.receive_beside(held)
        assert beside is not None
        assert name_of(beside) == "b"
        assert await bus.receive_beside(held) is None

    async def test_message_when_the_lock_of_the_one_beside_is_lost_is_not_given(self, bus: Bus, times: Times) -> None:
        await bus.publish(in_session("s", "a", "b"))
        lost = await take(bus, BARS)
        times.pass_seconds(LOCK_SECONDS + 1)
        assert await bus.receive_beside(lost) is None
        assert await take_id(bus, BARS) == "a"


async def _keep(bus: Bus, most: int) -> Delivery:
    async with asyncio.timeout(5):
        return await bus.receive(BARS, most)

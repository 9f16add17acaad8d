"""Contract of the event bus: on a topic with sessions, each is handled in order and by one receiver at a time."""

import asyncio

from shared.bus.port import Message
from tests.builders import a_message
from tests.contract.event_bus_bench import (
    ANALYST,
    BARS,
    CHARTS,
    LOCK_SECONDS,
    MOST_DELIVERIES,
    Bus,
    EventBusBench,
    Times,
    name_of,
    take,
    take_id,
)


def in_session(session: str, *names: str) -> list[Message]:
    """Give messages of one session of the market topic."""
    return [a_message(name, topic="market", subject="market.data.received", session=session) for name in names]


class Sessions(EventBusBench):
    """Order within a session, and independence between them."""

    longest_turn = 3
    """Messages of one session that may come in a row while another waits."""

    async def test_session_when_its_messages_are_settled_one_by_one_is_in_order(self, bus: Bus) -> None:
        await bus.publish(in_session("s", "a", "b", "c"))
        names = []
        for _ in range(3):
            delivery = await take(bus, BARS)
            names.append(name_of(delivery))
            await bus.complete(delivery)
        assert names == ["a", "b", "c"]

    async def test_session_when_a_message_is_held_gives_no_other(self, bus: Bus) -> None:
        await bus.publish(in_session("s", "a", "b"))
        held = await take(bus, BARS)
        await bus.publish(in_session("s", "c"))
        assert await self.is_silent(bus, BARS)
        await bus.complete(held)
        assert await take_id(bus, BARS) == "b"
        assert await self.is_silent(bus, BARS)

    async def test_sessions_when_one_is_held_go_on_beside_it(self, bus: Bus) -> None:
        await bus.publish([*in_session("s", "s1", "s2"), *in_session("t", "t1", "t2")])
        names = {await take_id(bus, BARS), await take_id(bus, BARS)}
        assert names == {"s1", "t1"}
        assert await self.is_silent(bus, BARS)

    async def test_session_when_held_in_one_subscription_is_free_in_another(self, bus: Bus) -> None:
        await bus.publish(in_session("s", "a", "b"))
        assert [await take_id(bus, name) for name in (BARS, CHARTS)] == ["a", "a"]

    async def test_session_when_a_message_is_abandoned_gives_it_again_before_later_ones(self, bus: Bus) -> None:
        await bus.publish(in_session("s", "a", "b"))
        await bus.abandon(await take(bus, BARS), "busy")
        again = await take(bus, BARS)
        assert (name_of(again), again.delivery_count) == ("a", 2)
        assert await self.is_silent(bus, BARS)

    async def test_session_when_its_lock_runs_out_gives_the_message_again_before_later_ones(
        self, bus: Bus, times: Times
    ) -> None:
        await bus.publish(in_session("s", "a", "b"))
        await take(bus, BARS)
        times.pass_seconds(LOCK_SECONDS + 1)
        again = await take(bus, BARS)
        assert (name_of(again), again.delivery_count) == ("a", 2)
        assert await self.is_silent(bus, BARS)

    async def test_session_when_its_lock_is_renewed_stays_closed_to_others(self, bus: Bus, times: Times) -> None:
        await bus.publish(in_session("s", "a", "b"))
        held = await take(bus, BARS)
        times.pass_seconds(LOCK_SECONDS - 1)
        await bus.renew(held)
        times.pass_seconds(2)
        assert await self.is_silent(bus, BARS)

    async def test_session_when_a_message_is_given_up_goes_on_with_the_next(self, bus: Bus) -> None:
        await bus.publish(in_session("s", "bad", "good"))
        for _ in range(MOST_DELIVERIES):
            await bus.abandon(await take(bus, BARS), "boom")
        assert await take_id(bus, BARS) == "good"
        assert [letter.message.session_id for letter in await bus.dead_letters()] == ["s"]

    async def test_session_when_a_message_locks_out_too_often_goes_on_with_the_next(
        self, bus: Bus, times: Times
    ) -> None:
        await bus.publish(in_session("s", "bad", "good"))
        for _ in range(MOST_DELIVERIES):
            assert await take_id(bus, BARS) == "bad"
            times.pass_seconds(LOCK_SECONDS + 1)
        assert await take_id(bus, BARS) == "good"

    async def test_session_when_a_message_comes_after_all_were_completed_opens_again(self, bus: Bus) -> None:
        await bus.publish(in_session("s", "a"))
        await bus.complete(await take(bus, BARS))
        await bus.publish(in_session("s", "b"))
        assert await take_id(bus, BARS) == "b"

    async def test_session_when_a_busy_one_never_ends_does_not_starve_another(self, bus: Bus) -> None:
        busy = [f"{number}" for number in range(self.longest_turn + 3)]
        await bus.publish([*in_session("busy", *busy), *in_session("calm", "x")])
        names = []
        for _ in range(self.longest_turn + 1):
            delivery = await take(bus, BARS)
            names.append(name_of(delivery))
            await bus.complete(delivery)
        assert "x" in names

    async def test_receiver_when_waiting_for_a_held_session_gets_the_next_message_on_completion(self, bus: Bus) -> None:
        await bus.publish(in_session("s", "a", "b"))
        held = await take(bus, BARS)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(take_id(bus, BARS))
            await asyncio.sleep(0)
            await bus.complete(held)
        assert waiting.result() == "b"

    async def test_topic_when_it_has_no_sessions_ignores_them(self, bus: Bus) -> None:
        await bus.publish([a_message(name, session=session) for name, session in ("as", "bs", "ct")])
        assert [await take_id(bus, ANALYST) for _ in range(3)] == ["a", "b", "c"]

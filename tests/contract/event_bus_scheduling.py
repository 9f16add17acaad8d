"""Contract of the event bus: a scheduled message is hidden until its desk time."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

from shared.clock import FeedClock, wall_seconds_until
from tests.builders import CLOSE, HOUR, MINUTE, SECOND, a_message
from tests.contract.event_bus_bench import (
    ANALYST,
    BARS,
    RISK,
    TOPOLOGY,
    Bus,
    EventBusBench,
    Times,
    name_of,
    take,
    take_id,
)
from tests.contract.event_bus_sessions import in_session


class Scheduling(EventBusBench):
    """Desk time, moved by hand and running fast."""

    pace = 3_600.0
    """Desk seconds per wall second where desk time runs."""

    async def test_scheduled_message_when_its_time_has_not_come_is_hidden(self, bus: Bus, times: Times) -> None:
        await bus.publish([a_message(deliver_at=times.desk.now() + MINUTE)])
        times.pass_desk_time(MINUTE - SECOND)
        assert await self.is_silent(bus, ANALYST)

    async def test_scheduled_message_when_its_time_comes_reaches_each_subscription(
        self, bus: Bus, times: Times
    ) -> None:
        await bus.publish([a_message(deliver_at=times.desk.now() + MINUTE)])
        times.pass_desk_time(MINUTE)
        assert [await take_id(bus, name) for name in (ANALYST, RISK)] == ["message-1", "message-1"]

    async def test_scheduled_message_when_its_time_has_passed_already_comes_at_once(
        self, bus: Bus, times: Times
    ) -> None:
        await bus.publish([a_message(deliver_at=times.desk.now() - HOUR)])
        assert await take_id(bus, ANALYST) == "message-1"

    async def test_scheduled_messages_when_all_are_due_come_the_earliest_first(self, bus: Bus, times: Times) -> None:
        dues, now = {"late": 3, "early": 1, "middle": 2}, times.desk.now()
        await bus.publish([a_message(name, deliver_at=now + due * SECOND) for name, due in dues.items()])
        names = []
        for _ in dues:
            times.pass_desk_time(SECOND)
            names.append(await take_id(bus, ANALYST))
        assert names == ["early", "middle", "late"]

    async def test_scheduled_message_when_hidden_does_not_hold_up_others(self, bus: Bus, times: Times) -> None:
        await bus.publish([a_message("later", deliver_at=times.desk.now() + MINUTE), a_message("now")])
        assert await take_id(bus, ANALYST) == "now"

    async def test_scheduled_message_when_hidden_only_is_not_brought_by_wall_time(self, bus: Bus, times: Times) -> None:
        await bus.publish([a_message(deliver_at=times.desk.now() + SECOND)])
        times.pass_seconds(3_600)
        assert await self.is_silent(bus, ANALYST)

    async def test_scheduled_message_when_published_twice_comes_once(self, bus: Bus, times: Times) -> None:
        message = a_message(deliver_at=times.desk.now() + MINUTE)
        await bus.publish([message])
        await bus.publish([message])
        times.pass_desk_time(MINUTE)
        assert await take_id(bus, ANALYST) == "message-1"
        assert await self.is_silent(bus, ANALYST)

    async def test_scheduled_message_when_abandoned_comes_again_at_once(self, bus: Bus, times: Times) -> None:
        await bus.publish([a_message(deliver_at=times.desk.now() + MINUTE)])
        times.pass_desk_time(MINUTE)
        await bus.abandon(await take(bus, ANALYST), "busy")
        assert (await take(bus, ANALYST)).delivery_count == 2

    async def test_scheduled_message_when_its_session_is_held_waits_its_turn(self, bus: Bus, times: Times) -> None:
        now, later = in_session("s", "now", "later")
        await bus.publish([now, replace(later, deliver_at=times.desk.now() + SECOND)])
        held = await take(bus, BARS)
        times.pass_desk_time(SECOND)
        assert await self.is_silent(bus, BARS)
        await bus.complete(held)
        assert await take_id(bus, BARS) == "later"

    async def test_receiver_when_nobody_publishes_any_more_is_woken_by_desk_time(self) -> None:
        clock = FeedClock(CLOSE, self.pace)
        due = CLOSE + timedelta(seconds=self.pace / 20)
        async with self.opened(TOPOLOGY, clock, time.monotonic) as bus:
            await bus.publish([a_message(deliver_at=due)])
            assert name_of(await take(bus, ANALYST)) == "message-1"
            assert clock.now() >= due

    async def test_receiver_when_already_waiting_is_woken_by_a_message_that_is_scheduled_later_on(self) -> None:
        clock = FeedClock(CLOSE, self.pace)
        async with self.opened(TOPOLOGY, clock, time.monotonic) as bus, asyncio.TaskGroup() as group:
            waiting = group.create_task(take_id(bus, ANALYST))
            await asyncio.sleep(0)
            due = clock.now() + timedelta(seconds=self.pace / 20)
            await bus.publish([a_message("far", deliver_at=due + HOUR), a_message("near", deliver_at=due)])
            assert await waiting == "near"
            assert wall_seconds_until(clock, due) <= 0

    async def test_receiver_when_another_message_is_held_for_long_is_woken_by_desk_time(self) -> None:
        clock = FeedClock(CLOSE, self.pace)
        async with self.opened(TOPOLOGY, clock, time.monotonic) as bus:
            await bus.publish([a_message("held")])
            await take(bus, ANALYST)
            await bus.publish([a_message("due", deliver_at=clock.now() + timedelta(seconds=self.pace / 20))])
            assert await take_id(bus, ANALYST) == "due"

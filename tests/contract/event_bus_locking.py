"""Contract of the event bus: a message is held under a lock until it is settled, and given up after too many tries."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bus.port import DeadLetter, Delivery, next_attempt
from shared.errors import ConflictError, MissingError
from tests.builders import a_message
from tests.contract.event_bus_bench import (
    ANALYST,
    BARS,
    CHARTS,
    LOCK_SECONDS,
    MOST_DELIVERIES,
    RISK,
    TOPOLOGY,
    Bus,
    EventBusBench,
    Times,
    name_of,
    take,
    take_id,
)
from tests.contract.orderings import ORDERINGS

type Settle = Callable[[Bus, Delivery], Awaitable[None]]

FATES = ("complete", "abandon", "lapse")
SETTLEMENTS: list[Settle] = [
    lambda bus, delivery: bus.complete(delivery),
    lambda bus, delivery: bus.abandon(delivery, "too late"),
    lambda bus, delivery: bus.renew(delivery),
]
each_settlement = pytest.mark.parametrize("settle", SETTLEMENTS, ids=["complete", "abandon", "renew"])


class Locking(EventBusBench):
    """Peek-lock, delivery counts and dead letters."""

    async def test_message_when_locked_is_seen_by_nobody_else(self, bus: Bus, times: Times) -> None:
        await bus.publish([a_message()])
        await take(bus, ANALYST)
        times.pass_seconds(LOCK_SECONDS - 1)
        assert await self.is_silent(bus, ANALYST)

    async def test_message_when_completed_never_comes_again(self, bus: Bus, times: Times) -> None:
        await bus.publish([a_message()])
        await bus.complete(await take(bus, ANALYST))
        times.pass_seconds(LOCK_SECONDS + 1)
        assert await self.is_silent(bus, ANALYST)

    async def test_message_when_abandoned_comes_again_at_its_old_place(self, bus: Bus) -> None:
        await bus.publish([a_message("a"), a_message("b")])
        await bus.abandon(await take(bus, ANALYST), "busy")
        again = await take(bus, ANALYST)
        assert (name_of(again), again.delivery_count) == ("a", 2)
        assert await take_id(bus, ANALYST) == "b"

    async def test_message_when_its_lock_runs_out_comes_again(self, bus: Bus, times: Times) -> None:
        await bus.publish([a_message()])
        first = await take(bus, ANALYST)
        times.pass_seconds(LOCK_SECONDS + 1)
        second = await take(bus, ANALYST)
        assert (second.sequence, second.delivery_count) == (first.sequence, 2)
        assert second.lock_token != first.lock_token

    async def test_message_when_its_lock_is_renewed_stays_held_that_much_longer(self, bus: Bus, times: Times) -> None:
        await bus.publish([a_message()])
        held = await take(bus, ANALYST)
        times.pass_seconds(LOCK_SECONDS - 1)
        await bus.renew(held)
        times.pass_seconds(LOCK_SECONDS - 1)
        assert await self.is_silent(bus, ANALYST)
        times.pass_seconds(2)
        assert (await take(bus, ANALYST)).delivery_count == 2

    async def test_locks_when_only_the_older_is_renewed_let_the_younger_run_out(self, bus: Bus, times: Times) -> None:
        await bus.publish([a_message("a"), a_message("b")])
        older, _ = await take(bus, ANALYST), await take(bus, ANALYST)
        times.pass_seconds(LOCK_SECONDS - 1)
        await bus.renew(older)
        times.pass_seconds(2)
        assert await take_id(bus, ANALYST) == "b"
        assert await self.is_silent(bus, ANALYST)

    @each_settlement
    async def test_lock_when_lost_to_another_receiver_settles_nothing(
        self, bus: Bus, times: Times, settle: Settle
    ) -> None:
        await bus.publish([a_message()])
        lost = await take(bus, ANALYST)
        times.pass_seconds(LOCK_SECONDS + 1)
        held = await take(bus, ANALYST)
        with pytest.raises(MissingError, match="message-1:0"):
            await settle(bus, lost)
        assert await self.is_silent(bus, ANALYST)
        await bus.complete(held)
        assert (await bus.backlog())[ANALYST] == 0

    @each_settlement
    async def test_lock_when_it_ran_out_and_nobody_came_is_lost_all_the_same(
        self, bus: Bus, times: Times, settle: Settle
    ) -> None:
        await bus.publish([a_message()])
        lost = await take(bus, ANALYST)
        times.pass_seconds(LOCK_SECONDS + 1)
        with pytest.raises(MissingError, match="message-1:0"):
            await settle(bus, lost)
        assert (await take(bus, ANALYST)).delivery_count == 2

    @each_settlement
    async def test_lock_when_settled_already_is_gone(self, bus: Bus, settle: Settle) -> None:
        await bus.publish([a_message()])
        held = await take(bus, ANALYST)
        await bus.complete(held)
        with pytest.raises(MissingError, match="message-1:0"):
            await settle(bus, held)

    async def test_message_when_abandoned_at_its_last_delivery_is_a_dead_letter(self, bus: Bus) -> None:
        message = a_message("bad")
        await bus.publish([message])
        sequence = await _exhaust(bus, ANALYST, "boom")
        assert await bus.dead_letters() == [DeadLetter(message, ANALYST, sequence, MOST_DELIVERIES, "boom")]
        assert await self.is_silent(bus, ANALYST)

    async def test_message_when_its_lock_runs_out_too_often_is_a_dead_letter(self, bus: Bus, times: Times) -> None:
        await bus.publish([a_message("bad")])
        for _ in range(MOST_DELIVERIES):
            assert await take_id(bus, ANALYST) == "bad"
            times.pass_seconds(LOCK_SECONDS + 1)
        assert await self.is_silent(bus, ANALYST)
        (letter,) = await bus.dead_letters()
        assert (letter.subscription, letter.delivery_count) == (ANALYST, MOST_DELIVERIES)
        assert letter.reason

    async def test_dead_letter_when_it_was_scheduled_says_what_it_was(self, bus: Bus, times: Times) -> None:
        await bus.publish([a_message("bad", deliver_at=times.desk.now())])
        await _exhaust(bus, ANALYST, "boom")
        (letter,) = await bus.dead_letters()
        assert letter.message == a_message("bad")

    async def test_messages_when_one_is_given_up_go_on(self, bus: Bus) -> None:
        await bus.publish([a_message("bad"), a_message("good")])
        await _exhaust(bus, ANALYST, "boom")
        assert await take_id(bus, ANALYST) == "good"

    async def test_messages_when_one_locks_out_too_often_go_on(self, bus: Bus, times: Times) -> None:
        await bus.publish([a_message("bad")])
        for _ in range(MOST_DELIVERIES):
            await take(bus, ANALYST)
            times.pass_seconds(LOCK_SECONDS + 1)
        await bus.publish([a_message("good")])
        assert await take_id(bus, ANALYST) == "good"

    async def test_subscription_when_another_gives_up_still_has_the_message(self, bus: Bus) -> None:
        await bus.publish([a_message()])
        await _exhaust(bus, ANALYST, "boom")
        assert await bus.backlog() == {ANALYST: 0, RISK: 1, BARS: 0, CHARTS: 0}
        assert (await take(bus, RISK)).delivery_count == 1

    async def test_dead_letter_when_redriven_comes_again_as_its_next_attempt(self, bus: Bus) -> None:
        await bus.publish([a_message()])
        await _exhaust(bus, ANALYST, "boom")
        (letter,) = await bus.dead_letters()
        again = await bus.redrive(letter)
        assert again == replace(letter.message, message_id=next_attempt(letter.message.message_id))
        assert await bus.dead_letters() == []
        delivery = await take(bus, ANALYST)
        assert (delivery.message, delivery.delivery_count) == (again, 1)

    async def test_dead_letter_when_redriven_twice_is_missing_and_comes_once(self, bus: Bus) -> None:
        await bus.publish([a_message()])
        await _exhaust(bus, ANALYST, "boom")
        (letter,) = await bus.dead_letters()
        await bus.redrive(letter)
        with pytest.raises(MissingError, match="no dead letter"):
            await bus.redrive(letter)
        assert (await bus.backlog())[ANALYST] == 1

    async def test_dead_letter_when_nobody_wants_it_any_more_is_kept(self, bus: Bus) -> None:
        await bus.publish([a_message()])
        await _exhaust(bus, ANALYST, "boom")
        (letter,) = await bus.dead_letters()
        subjects = {each: bus._topology._routes.pop(each) for each in list(bus._topology._routes)}  # type: ignore[attr-defined]
        try:
            with pytest.raises(ConflictError, match="nobody wants"):
                await bus.redrive(letter)
        finally:
            bus._topology._routes.update(subjects)  # type: ignore[attr-defined]
        assert await bus.dead_letters() == [letter]

    async def test_dead_letter_when_redriven_by_two_at_once_comes_once(self, bus: Bus) -> None:
        await bus.publish([a_message()])
        await _exhaust(bus, ANALYST, "boom")
        (letter,) = await bus.dead_letters()
        outcomes = await asyncio.gather(bus.redrive(letter), bus.redrive(letter), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)] in ([], [MissingError])
        assert (await bus.backlog())[ANALYST] == 1
        assert await bus.dead_letters() == []

    async def test_dead_letters_when_several_are_listed_oldest_first(self, bus: Bus) -> None:
        await bus.publish([a_message("older", subject="portfolio.changed")])
        await bus.publish([a_message("younger")])
        await _exhaust(bus, ANALYST, "boom")
        await _exhaust(bus, RISK, "boom")
        letters = await bus.dead_letters()
        assert [letter.message.message_id for letter in letters] == ["older:0", "younger:0"]

    @ORDERINGS
    @given(fates=st.lists(st.sampled_from(FATES), max_size=12))
    async def test_messages_when_met_by_any_fate_end_completed_or_dead_exactly_once(self, fates: list[str]) -> None:
        times = self.new_times()
        async with self.opened(TOPOLOGY, times.desk, times.seconds) as bus:
            await bus.publish([a_message(name) for name in ("a", "b", "c")])
            completed = await self._meet(bus, times, [*fates, *["complete"] * 3])
            dead = [letter.message.message_id.rpartition(":")[0] for letter in await bus.dead_letters()]
            assert sorted(completed + dead) == ["a", "b", "c"]
            assert (await bus.backlog())[ANALYST] == 0

    async def _meet(self, bus: Bus, times: Times, fates: list[str]) -> list[str]:
        """Let deliveries meet their fates one by one while there are any, and give what was completed."""
        completed = []
        for fate in fates:
            delivery = await self.take_if_any(bus, ANALYST)
            if delivery is None:
                break
            if fate == "complete":
                await bus.complete(delivery)
                completed.append(name_of(delivery))
            elif fate == "abandon":
                await bus.abandon(delivery, "boom")
            else:
                times.pass_seconds(LOCK_SECONDS + 1)
        return completed


async def _exhaust(bus: Bus, subscription: str, reason: str) -> int:
    """Abandon the next message until it is given up, and give its sequence number."""
    for _ in range(MOST_DELIVERIES):
        delivery = await take(bus, subscription)
        await bus.abandon(delivery, reason)
    return delivery.sequence

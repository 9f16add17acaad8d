"""What the event bus in SQLite gave up stays given up, in the file and for the next process."""

from pathlib import Path

import pytest

from shared.bus.port import DeadLetter
from tests.builders import CLOSE, a_message, a_topic, a_topology
from tests.contract.event_bus_bench import ANALYST, LOCK_SECONDS, MOST_DELIVERIES, RISK, TOPOLOGY, Times, take, take_id
from tests.contract.sqlite_bus_bench import copy_of, crash_image, give_up, opened, rows_left


async def test_message_when_it_kills_every_process_at_once_is_given_up(tmp_path: Path) -> None:
    times, folder = Times(), tmp_path
    async with opened(folder, times) as (bus, _):
        await bus.publish([a_message("deadly"), a_message("good")])
    for _ in range(MOST_DELIVERIES):
        async with opened(folder, times) as (bus, database):
            assert await take_id(bus, ANALYST) == "deadly"
            folder = copy_of(database)
    async with opened(folder, times) as (bus, _):
        assert await take_id(bus, ANALYST) == "good"
        assert [letter.delivery_count for letter in await bus.dead_letters()] == [MOST_DELIVERIES]


@pytest.mark.parametrize("lapse_seconds", [0.0, LOCK_SECONDS + 1], ids=["abandoned", "lapsed"])
async def test_dead_letters_when_reopened_are_the_same(tmp_path: Path, lapse_seconds: float) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish([a_message("bad", deliver_at=CLOSE), a_message("good")])
        await give_up(bus, times, lapse_seconds)
        assert await take_id(bus, ANALYST) == "good"
        letters = await bus.dead_letters()
        assert [letter.message for letter in letters] == [a_message("bad")]
    async with opened(tmp_path, times) as (bus, _):
        assert await bus.dead_letters() == letters
        assert (await bus.backlog())[ANALYST] == 1


async def test_dead_letter_when_redriven_and_completed_leaves_the_file(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, database):
        await bus.publish([a_message()])
        await give_up(bus, times)
        await bus.complete(await take(bus, RISK))
        await bus.redrive((await bus.dead_letters())[0])
        for subscription in (ANALYST, RISK):
            await bus.complete(await take(bus, subscription))
        await database.write(lambda _: None)
        assert rows_left(database) == {"messages": 0, "deliveries": 0}
        image = await crash_image(database)
    async with opened(image, times) as (bus, _):
        assert await bus.dead_letters() == []


async def test_dead_letter_when_the_other_subscriptions_complete_is_kept(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish([a_message()])
        await give_up(bus, times)
        await bus.complete(await take(bus, RISK))
        letters = await bus.dead_letters()
    async with opened(tmp_path, times) as (bus, database):
        assert await bus.dead_letters() == letters != []
        assert rows_left(database) == {"messages": 1, "deliveries": 1}


async def test_dead_letter_when_the_others_complete_after_a_restart_is_kept(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish([a_message()])
        await give_up(bus, times)
    async with opened(tmp_path, times) as (bus, _):
        await bus.complete(await take(bus, RISK))
    async with opened(tmp_path, times) as (bus, _):
        assert len(await bus.dead_letters()) == 1


async def test_message_when_its_subscription_was_removed_is_a_dead_letter(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish([a_message()])
    smaller = a_topology(a_topic("events", risk=["trade.requested"]))
    async with opened(tmp_path, times, smaller) as (bus, _):
        (letter,) = await bus.dead_letters()
        assert letter == DeadLetter(a_message(), ANALYST, letter.sequence, 0, "the subscription no longer exists")
        assert await bus.backlog() == {RISK: 1}
        await bus.complete(await take(bus, RISK))
    async with opened(tmp_path, times, smaller) as (bus, _):
        assert await bus.dead_letters() == [letter]


async def test_message_when_the_maximum_of_deliveries_was_lowered_below_its_count_is_given_up(tmp_path: Path) -> None:
    times = Times()
    async with opened(tmp_path, times) as (bus, _):
        await bus.publish([a_message("bad"), a_message("good")])
        await bus.abandon(await take(bus, ANALYST), "busy")
        await bus.abandon(await take(bus, ANALYST), "busy")
    stricter = a_topology(*TOPOLOGY.topics, max_delivery_count=1)
    async with opened(tmp_path, times, stricter) as (bus, _):
        assert await take_id(bus, ANALYST) == "good"
        letters = await bus.dead_letters()
        assert [letter.delivery_count for letter in letters] == [2]
    async with opened(tmp_path, times, stricter) as (bus, _):
        assert await bus.dead_letters() == letters

"""Contract of the event bus: who is given what is published, and how often."""

import pytest

from tests.builders import a_message
from tests.contract.event_bus_bench import (
    ANALYST,
    BARS,
    CHARTS,
    RISK,
    WINDOW_SECONDS,
    Bus,
    EventBusBench,
    Times,
    name_of,
    take,
    take_id,
)


class Publishing(EventBusBench):
    """Filters, independence of subscriptions, duplicate detection, content."""

    async def test_message_when_several_want_its_subject_reaches_each(self, bus: Bus) -> None:
        await bus.publish([a_message(subject="trade.requested")])
        assert [await take_id(bus, name) for name in (ANALYST, RISK)] == ["message-1", "message-1"]

    async def test_message_when_its_subject_is_filtered_out_does_not_arrive(self, bus: Bus) -> None:
        await bus.publish([a_message(subject="portfolio.changed")])
        assert await take_id(bus, RISK) == "message-1"
        assert await self.is_silent(bus, ANALYST)

    @pytest.mark.parametrize(
        ("topic", "subject"), [("events", "news.received"), ("market", "trade.requested"), ("other", "trade.requested")]
    )
    async def test_message_when_nobody_wants_it_is_not_sent(self, bus: Bus, topic: str, subject: str) -> None:
        await bus.publish([a_message(topic=topic, subject=subject, session="s")])
        assert await bus.backlog() == {ANALYST: 0, RISK: 0, BARS: 0, CHARTS: 0}
        assert await bus.dead_letters() == []

    async def test_message_when_nobody_wants_it_does_not_hold_up_the_rest(self, bus: Bus) -> None:
        await bus.publish([a_message("unwanted", subject="news.received"), a_message("wanted")])
        assert await take_id(bus, ANALYST) == "wanted"

    async def test_message_when_delivered_is_as_it_was_published(self, bus: Bus) -> None:
        sent = a_message("message", attempt=2, body="{“é”: 1}".encode(), correlation="story-7")
        await bus.publish([sent])
        assert (await take(bus, ANALYST)).message == sent

    async def test_message_when_its_topic_has_sessions_arrives_with_its_own(self, bus: Bus) -> None:
        sent = a_message(topic="market", subject="market.data.received", session="stream-1", correlation="story-7")
        await bus.publish([sent])
        assert (await take(bus, BARS)).message == sent

    async def test_body_when_large_and_binary_arrives_whole(self, bus: Bus) -> None:
        body = bytes(range(256)) * 800
        await bus.publish([a_message(body=body)])
        assert (await take(bus, ANALYST)).message.body == body

    async def test_delivery_when_it_is_the_first_counts_one_and_says_where_from(self, bus: Bus, times: Times) -> None:
        await bus.publish([a_message()])
        delivery = await take(bus, ANALYST)
        assert (delivery.delivery_count, delivery.subscription) == (1, ANALYST)
        assert delivery.enqueued_at.timestamp() == times.seconds()

    async def test_messages_when_received_one_by_one_come_in_the_order_of_publishing(self, bus: Bus) -> None:
        await bus.publish([a_message("a"), a_message("b")])
        await bus.publish([a_message("c")])
        deliveries = [await take(bus, ANALYST) for _ in range(3)]
        assert [name_of(delivery) for delivery in deliveries] == ["a", "b", "c"]
        assert [delivery.sequence for delivery in deliveries] == sorted({delivery.sequence for delivery in deliveries})

    async def test_subscription_when_another_completes_keeps_its_own_copy(self, bus: Bus) -> None:
        await bus.publish([a_message()])
        await bus.complete(await take(bus, ANALYST))
        assert (await take(bus, RISK)).delivery_count == 1

    async def test_subscription_when_another_abandons_counts_its_own_deliveries(self, bus: Bus) -> None:
        await bus.publish([a_message()])
        await bus.abandon(await take(bus, ANALYST), "busy")
        assert (await take(bus, RISK)).delivery_count == 1
        assert (await take(bus, ANALYST)).delivery_count == 2

    async def test_backlog_when_messages_are_held_counts_them_until_they_are_settled(self, bus: Bus) -> None:
        await bus.publish([a_message("a"), a_message("b"), a_message("c", subject="portfolio.changed")])
        held = await take(bus, ANALYST)
        assert await bus.backlog() == {ANALYST: 2, RISK: 3, BARS: 0, CHARTS: 0}
        await bus.complete(held)
        assert await bus.backlog() == {ANALYST: 1, RISK: 3, BARS: 0, CHARTS: 0}

    async def test_duplicate_when_within_the_window_is_dropped(self, bus: Bus, times: Times) -> None:
        await bus.publish([a_message(body=b"first")])
        times.pass_seconds(WINDOW_SECONDS - 1)
        await bus.publish([a_message(body=b"second")])
        assert (await take(bus, ANALYST)).message.body == b"first"
        assert await bus.backlog() == {ANALYST: 1, RISK: 1, BARS: 0, CHARTS: 0}

    async def test_duplicate_when_in_the_same_batch_is_dropped(self, bus: Bus) -> None:
        await bus.publish([a_message(body=b"first"), a_message(body=b"second")])
        assert (await take(bus, ANALYST)).message.body == b"first"
        assert await self.is_silent(bus, ANALYST)

    async def test_duplicate_when_the_first_was_completed_is_dropped(self, bus: Bus) -> None:
        await bus.publish([a_message()])
        await bus.complete(await take(bus, ANALYST))
        await bus.publish([a_message()])
        assert await self.is_silent(bus, ANALYST)

    async def test_duplicate_when_the_window_has_passed_arrives(self, bus: Bus, times: Times) -> None:
        await bus.publish([a_message()])
        times.pass_seconds(WINDOW_SECONDS + 1)
        await bus.publish([a_message()])
        assert await bus.backlog() == {ANALYST: 2, RISK: 2, BARS: 0, CHARTS: 0}

    async def test_duplicate_when_dropped_does_not_prolong_the_window(self, bus: Bus, times: Times) -> None:
        await bus.publish([a_message()])
        times.pass_seconds(WINDOW_SECONDS / 2 + 1)
        await bus.publish([a_message()])
        times.pass_seconds(WINDOW_SECONDS / 2 + 1)
        await bus.publish([a_message()])
        assert (await bus.backlog())[ANALYST] == 2

    async def test_duplicate_when_it_comes_again_after_the_window_opens_a_new_one(self, bus: Bus, times: Times) -> None:
        await bus.publish([a_message()])
        times.pass_seconds(WINDOW_SECONDS + 1)
        await bus.publish([a_message()])
        times.pass_seconds(WINDOW_SECONDS - 2)
        await bus.publish([a_message()])
        assert (await bus.backlog())[ANALYST] == 2

    async def test_message_when_its_id_was_seen_on_another_topic_arrives(self, bus: Bus) -> None:
        await bus.publish([a_message(), a_message(topic="market", subject="market.data.received", session="s")])
        assert await bus.backlog() == {ANALYST: 1, RISK: 1, BARS: 1, CHARTS: 1}

    async def test_message_when_republished_as_a_new_attempt_arrives(self, bus: Bus) -> None:
        await bus.publish([a_message(attempt=0)])
        await bus.publish([a_message(attempt=1)])
        ids = [(await take(bus, ANALYST)).message.message_id for _ in range(2)]
        assert ids == ["message-1:0", "message-1:1"]

    async def test_publish_when_there_is_nothing_to_publish_does_nothing(self, bus: Bus) -> None:
        await bus.publish([])
        assert sum((await bus.backlog()).values()) == 0

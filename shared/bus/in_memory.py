"""The event bus in memory: for replays, tests and as the engine of the embedded, durable one.

Behaves as Service Bus does where a subscriber can tell: filters on the subject, duplicate detection by message id,
peek-lock with delivery counts, sessions, scheduled messages and dead-letter queues.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from shared.bus.port import DeadLetter, Delivery, Message, next_attempt
from shared.bus.queue import Entry, SubscriptionQueue
from shared.bus.topology import Topology
from shared.clock import Clock, wall_seconds, wall_seconds_until
from shared.errors import MissingError

LONGEST_WAIT_SECONDS = 1.0
"""How long a receiver trusts the clock: one that is set forward makes messages due and wakes nobody."""


class InMemoryEventBus:
    """An `EventBus` and `Receiver` that lives as long as the process.

    Parameters
    ----------
    topology : Topology
        Topics and subscriptions.
    clock : Clock
        The desk clock, for scheduled messages.
    monotonic : callable
        Wall seconds, for locks and the duplicate-detection window.
    wall_seconds : callable
        Seconds since 1970, for the time at which a message is enqueued, which is recording time.
    """

    def __init__(
        self,
        topology: Topology,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
        wall_seconds: Callable[[], float] = wall_seconds,
    ) -> None:
        self._topology = topology
        self._clock = clock
        self._monotonic = monotonic
        self._wall_seconds = wall_seconds
        self._sequence = 0
        self._seen: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._dead: dict[tuple[str, int], DeadLetter] = {}
        self._queues = {
            f"{topic.name}/{subscription.name}": SubscriptionQueue(
                f"{topic.name}/{subscription.name}",
                sessions=topic.requires_session,
                lock_seconds=topology.lock_seconds,
                clock=clock,
                monotonic=monotonic,
            )
            for topic in topology.topics
            for subscription in topic.subscriptions
        }
        self._changed = {name: asyncio.Event() for name in self._queues}

    async def publish(self, messages: Sequence[Message]) -> None:
        """Hand the messages over to every subscription that wants them."""
        for message in messages:
            self._route(message)

    async def receive(self, subscription: str, most_sessions: int | None = None) -> Delivery:
        """Wait for the next message and lock it."""
        queue, changed = self._queues[subscription], self._changed[subscription]
        while True:
            changed.clear()
            delivery = queue.take(most_sessions)
            if delivery is None:
                await _wait(changed, queue.seconds_until_change())
            elif not self._is_given_up(delivery):
                return delivery

    async def receive_beside(self, held: Delivery) -> Delivery | None:
        """Lock one more message of the same session, if one is ready."""
        queue = self._queues[held.subscription]
        while (delivery := queue.take_beside(held)) is not None and self._is_given_up(delivery):
            pass
        return delivery

    def release(self, subscription: str, session: str) -> None:
        """Keep a session no longer."""
        self._queues[subscription].release(session)
        self._changed[subscription].set()

    async def complete(self, delivery: Delivery) -> None:
        """Remove the message from the subscription."""
        self._queues[delivery.subscription].remove(delivery)
        self._changed[delivery.subscription].set()
        self._write_off(delivery.sequence, delivery.subscription)

    async def abandon(self, delivery: Delivery, reason: str) -> None:
        """Give the message back, or dead-letter it after its last delivery."""
        if delivery.delivery_count >= self._topology.max_delivery_count:
            self._bury(delivery, reason)
        else:
            self._queues[delivery.subscription].give_back(delivery)
        self._changed[delivery.subscription].set()

    async def renew(self, delivery: Delivery) -> None:
        """Hold the lock for another lock duration."""
        self._queues[delivery.subscription].renew(delivery)

    async def backlog(self) -> dict[str, int]:
        """Give the number of messages in each subscription, without the scheduled ones that are not due."""
        return {name: queue.active() for name, queue in self._queues.items()}

    async def waits(self) -> dict[str, float]:
        """Give how long the oldest message of each subscription could have been taken, in wall seconds."""
        now, oldest = self._wall_seconds(), {name: queue.oldest_since() for name, queue in self._queues.items()}
        return {name: max(0.0, now - since.timestamp()) for name, since in oldest.items() if since is not None}

    async def dead_letters(self) -> list[DeadLetter]:
        """Give what lies in the dead-letter queues, oldest first."""
        return sorted(self._dead.values(), key=lambda letter: letter.sequence)

    async def redrive(self, letter: DeadLetter) -> Message:
        """Publish a dead letter again, then remove it."""
        place = letter.subscription, letter.sequence
        if place not in self._dead:
            raise MissingError(
                f"no dead letter {letter.sequence} in {letter.subscription}: it was redriven, or removed"
            )
        dead = self._dead[place].message
        self._topology.check_wanted(dead.topic, dead.subject)
        again = replace(dead, message_id=next_attempt(dead.message_id))
        await self.publish([again])
        if self._dead.pop(place, None) is not None:
            self._write_off(letter.sequence, letter.subscription)
        return again

    def _write_off(self, sequence: int, subscription: str) -> None:
        """Let go of what is kept elsewhere of a message that a subscription is done with."""

    def _enqueued_at(self, message: Message) -> datetime:
        """Give the recording time at which a message is enqueued: now, or when it comes due."""
        due = message.deliver_at
        wait = 0.0 if due is None else max(0.0, wall_seconds_until(self._clock, due))
        return datetime.fromtimestamp(self._wall_seconds() + wait, UTC)

    def _route(self, message: Message) -> list[Entry]:
        wanting = self._topology.wanting(message.topic, message.subject)
        if not wanting or self._is_duplicate(message):
            return []
        self._sequence += 1
        enqueued_at = self._enqueued_at(message)
        return [self._enqueue(name, Entry(self._sequence, message, enqueued_at)) for name in wanting]

    def _enqueue(self, name: str, entry: Entry) -> Entry:
        self._queues[name].put(entry)
        self._changed[name].set()
        return entry

    def _is_given_up(self, delivery: Delivery) -> bool:
        if delivery.delivery_count <= self._topology.max_delivery_count:
            return False
        handed_out = replace(delivery, delivery_count=delivery.delivery_count - 1)
        self._bury(handed_out, "handed out too often without being settled")
        # Whoever would have kept the session has got nothing of it.
        self._queues[delivery.subscription].release(delivery.message.session_id or "")
        return True

    def _bury(self, delivery: Delivery, reason: str) -> None:
        entry = self._queues[delivery.subscription].remove(delivery)
        self._dead[delivery.subscription, entry.sequence] = DeadLetter(
            replace(entry.message, deliver_at=None),
            delivery.subscription,
            entry.sequence,
            delivery.delivery_count,
            reason,
        )

    def _is_duplicate(self, message: Message) -> bool:
        now, key = self._monotonic(), (message.topic, message.message_id)
        while self._seen and next(iter(self._seen.values())) <= now:
            self._seen.popitem(last=False)
        if key in self._seen:
            return True
        self._seen[key] = now + self._topology.duplicate_detection_seconds
        return False


async def _wait(changed: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(None if seconds is None else min(seconds, LONGEST_WAIT_SECONDS)):
            await changed.wait()
    except TimeoutError:
        return

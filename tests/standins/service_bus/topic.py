"""Topics with duplicate detection and scheduled messages, and the namespace in which everything has its path."""

import heapq
from collections import OrderedDict
from dataclasses import dataclass, field

from shared.bus.topology import Topology
from tests.standins.service_bus.frame import AmqpError
from tests.standins.service_bus.message import AmqpMessage
from tests.standins.service_bus.queue import Clock, Entry, Queue

NOT_FOUND = "amqp:not-found"


@dataclass
class Topic:
    """A topic with its duplicate detection and its scheduled messages."""

    name: str
    clock: Clock
    window_seconds: float
    routes: list[tuple[frozenset[str], Queue]]
    requires_session: bool
    published: int = 0
    _seen: OrderedDict[str, float] = field(default_factory=OrderedDict)
    _scheduled: list[tuple[float, int]] = field(default_factory=list)
    _waiting: dict[int, AmqpMessage] = field(default_factory=dict)

    @property
    def scheduled(self) -> int:
        """How many messages wait for their time."""
        return len(self._waiting)

    def publish(self, message: AmqpMessage, *, copies: int = 1, delay_seconds: float = 0.0) -> int:
        """Take a message, unless its id was seen within the window, and give its number in the topic."""
        if self.requires_session and message.session is None:
            raise AmqpError("amqp:not-allowed", f"{self.name} requires a session id")
        self.published += 1
        if self._is_duplicate(message):
            return self.published
        due = message.scheduled_at
        if due is not None and due > self.clock():
            self._waiting[self.published] = message
            heapq.heappush(self._scheduled, (due, self.published))
        else:
            for _ in range(copies):
                self._route(self.published, message, delay_seconds)
        return self.published

    def cancel(self, number: int) -> None:
        """Take a scheduled message back."""
        if self._waiting.pop(number, None) is None:
            raise AmqpError("com.microsoft:message-not-found", f"no scheduled message {number}")

    def release_due(self) -> None:
        """Hand over the scheduled messages whose time has come."""
        while self._scheduled and self._scheduled[0][0] <= self.clock():
            _, number = heapq.heappop(self._scheduled)
            if (message := self._waiting.pop(number, None)) is not None:
                self._route(number, message, 0.0)

    def clear(self) -> None:
        """Forget what was seen and what waits for its time."""
        self._seen.clear()
        self._scheduled.clear()
        self._waiting.clear()

    def _route(self, number: int, message: AmqpMessage, delay_seconds: float) -> None:
        now = self.clock()
        for subjects, queue in self.routes:
            if message.subject in subjects:
                queue.put(Entry(0, number, message, now, visible_at=now + delay_seconds))
                queue.offer()

    def _is_duplicate(self, message: AmqpMessage) -> bool:
        now = self.clock()
        while self._seen and next(iter(self._seen.values())) <= now:
            self._seen.popitem(last=False)
        if message.id is None or message.id in self._seen:
            return message.id is not None
        self._seen[message.id] = now + self.window_seconds
        return False


class Namespace:
    """All topics, and every entity by its path, which is compared without case as Service Bus does."""

    def __init__(self, topology: Topology, clock: Clock) -> None:
        self.topics: dict[str, Topic] = {}
        self.queues: dict[str, Queue] = {}
        for topic in topology.topics:
            routes = []
            for subscription in topic.subscriptions:
                path = f"{topic.name}/Subscriptions/{subscription.name}"
                lock_seconds = topology.lock_seconds
                buried = Queue(f"{path}/$DeadLetterQueue", clock, lock_seconds=lock_seconds, most_deliveries=0)
                queue = Queue(
                    path,
                    clock,
                    most_deliveries=topology.max_delivery_count,
                    sessions=topic.requires_session,
                    dead_letters=buried,
                    lock_seconds=lock_seconds,
                )
                self.queues |= {path.lower(): queue, buried.path.lower(): buried}
                routes.append((frozenset(subscription.subjects), queue))
            self.topics[topic.name.lower()] = Topic(
                topic.name, clock, topology.duplicate_detection_seconds, routes, topic.requires_session
            )

    def topic(self, path: str) -> Topic:
        """Give a topic by its path."""
        if (topic := self.topics.get(path.lower())) is None:
            raise AmqpError(NOT_FOUND, f"The messaging entity '{path}' could not be found.")
        return topic

    def queue(self, path: str) -> Queue:
        """Give a subscription or dead-letter queue by its path."""
        if (queue := self.queues.get(path.lower())) is None:
            raise AmqpError(NOT_FOUND, f"The messaging entity '{path}' could not be found.")
        return queue

    def clear(self) -> None:
        """Forget all messages."""
        for topic in self.topics.values():
            topic.clear()
        for queue in self.queues.values():
            queue.clear()

    def offer(self) -> None:
        """Let time pass: scheduled messages, delays and locks."""
        for topic in self.topics.values():
            topic.release_due()
        for queue in self.queues.values():
            queue.offer()

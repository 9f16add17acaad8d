"""What the desk needs of an event bus: to publish, and (where it pumps the messages itself) to receive under a lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.events.envelope import Event


@dataclass(frozen=True, slots=True)
class Message:
    """An event on its way.

    Attributes
    ----------
    message_id : str
        `<event id>:<attempt>`; a topic drops a second message with the same id within its duplicate-detection window.
    subject : str
        The event's type; subscriptions filter on it.
    session_id : str or None
        On a topic with sessions, messages of one session are handled one at a time and in order.
    deliver_at : datetime or None
        Desk time before which nobody sees it; None for now.
    """

    message_id: str
    topic: str
    subject: str
    body: bytes
    correlation_id: str
    session_id: str | None = None
    deliver_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that a receiver holds under a lock.

    Attributes
    ----------
    sequence : int
        Its number in the topic, ascending.
    delivery_count : int
        1 at the first delivery.
    lock_token : str
        Names the lock; settling with the token of a lock that was lost raises `MissingError`.
    """

    message: Message
    subscription: str
    sequence: int
    delivery_count: int
    enqueued_at: datetime
    lock_token: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that nobody will be given again, and why."""

    message: Message
    subscription: str
    sequence: int
    delivery_count: int
    reason: str


class EventBus(Protocol):
    """Where events are published. Raises `TransientError` when the bus is busy or away."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Hand the messages over; on return each is durable in every subscription whose filter wants it."""
        ...

    async def backlog(self) -> dict[str, int]:
        """Give the number of messages in each `topic/subscription`, without the scheduled ones that are not due."""
        ...

    async def waits(self) -> dict[str, float]:
        """Give for each subscription with a backlog how long its oldest message could have been taken, in wall seconds.

        A subscription whose messages the bus cannot look at without taking them is left out.
        """
        ...

    async def dead_letters(self) -> list[DeadLetter]:
        """Give what lies in the dead-letter queues, oldest first."""
        ...

    async def redrive(self, letter: DeadLetter) -> Message:
        """Publish a dead letter again as its next attempt, remove it, and give what was published.

        A crash between the two leaves both; doing it again publishes the same message id, which the topic drops.

        Raises
        ------
        MissingError
            It is not there any more.
        ConflictError
            Nobody wants it any more; it stays where it is.
        """
        ...


class Receiver(Protocol):
    """The consuming side, for a host that pumps messages itself. A subscription is named `topic/subscription`."""

    async def receive(self, subscription: str, most_sessions: int | None = None) -> Delivery:
        """Wait for the next message and lock it; on a topic with sessions its session is locked too.

        Parameters
        ----------
        most_sessions : int or None
            Keep the session between messages too, until it is released or a lock in it is lost, and keep so many of
            the subscription's at most; None lets go of it with the message.
        """
        ...

    async def receive_beside(self, held: Delivery) -> Delivery | None:
        """Lock one more message, of the session of `held` if it has one; None when none is ready."""
        ...

    def release(self, subscription: str, session: str) -> None:
        """Keep a session no longer; what comes in it is for whoever receives next."""
        ...

    async def complete(self, delivery: Delivery) -> None:
        """Remove the message from the subscription."""
        ...

    async def abandon(self, delivery: Delivery, reason: str) -> None:
        """Give the message back; after the last allowed delivery it goes to the dead-letter queue with `reason`."""
        ...

    async def renew(self, delivery: Delivery) -> None:
        """Hold the lock for another lock duration."""
        ...


class HostedBus(EventBus, Receiver, Protocol):
    """Both sides, as a host that pumps messages itself needs them."""


def next_attempt(message_id: str) -> str:
    """Give the message id of the next attempt; the same for the same message, so that doing it twice does no harm."""
    origin, _, attempt = message_id.rpartition(":")
    if not origin or not attempt.isdecimal():
        return f"{message_id}:1"
    return f"{origin}:{int(attempt) + 1}"


def message_for(event: Event, attempt: int = 0, deliver_at: datetime | None = None) -> Message:
    """Wrap an event for the bus."""
    return Message(
        message_id=f"{event.id}:{attempt}",
        topic=event.topic,
        subject=event.type,
        body=event.json_bytes,
        correlation_id=event.correlationid,
        session_id=event.stream,
        deliver_at=deliver_at,
    )

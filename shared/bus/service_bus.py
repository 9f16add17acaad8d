"""The event bus on Azure Service Bus, through Microsoft's SDK.

Publishing is safe to repeat: a message id that a topic has seen within its window is dropped there, so that a lost
acknowledgement costs nothing. The packages of Azure are imported at first use: they are heavy.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from shared.bus.port import DeadLetter, Delivery, Message
from shared.bus.service_bus_client import Namespace
from shared.bus.service_bus_dead_letter import DeadLetterQueue, received, topic_sequence
from shared.bus.service_bus_error import ours
from shared.bus.service_bus_inbox import Inbox, Parcel, PlainInbox, SessionInbox
from shared.bus.service_bus_sender import Charge, TopicSender
from shared.bus.topology import Topology
from shared.clock import Clock, wall_seconds, wall_seconds_until
from shared.errors import InvalidError, MissingError, TransientError

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

LONGEST_REASON = 1_000


class ServiceBusEventBus:
    """An `EventBus` and `Receiver` on a Service Bus namespace.

    Parameters
    ----------
    connection : str
        A connection string, or the namespace's host name, for example `desk.servicebus.windows.net`: then by identity.
    topology : Topology
        Topics and subscriptions, as the namespace has them.
    clock : Clock
        The desk clock: when a scheduled message is due is told to the service in wall time.
    timeout_seconds : float
        For one attempt of anything that goes over the network; connections are tried three times.
    administration_url : str, optional
        Where counts are asked for when not at the namespace itself, as with an emulator.
    credential : AsyncTokenCredential, optional
        The identity; by default whatever `DefaultAzureCredential` finds, on Azure the managed identity.
    wall_seconds : callable
        Seconds since 1970 as the service counts them.
    charge : callable
        Told the size in bytes of each message that is sent.

    Notes
    -----
    The identity needs *Azure Service Bus Data Owner* on the namespace for `backlog`, which asks the administration
    service; Sender and Receiver are enough for all else. `enqueued_at` of a delivery is the service's time.
    """

    def __init__(
        self,
        connection: str,
        topology: Topology,
        clock: Clock,
        *,
        timeout_seconds: float = 10.0,
        administration_url: str | None = None,
        credential: "AsyncTokenCredential | None" = None,
        wall_seconds: Callable[[], float] = wall_seconds,
        charge: Charge = lambda size_bytes: None,
    ) -> None:
        self._topology = topology
        self._clock = clock
        self._wall_seconds = wall_seconds
        self._namespace = Namespace(connection, timeout_seconds, administration_url, credential)
        self._work: set[asyncio.Task[Any]] = set()
        self._held: dict[str, Parcel] = {}
        self._senders: dict[str, TopicSender] = {}
        self._inboxes: dict[str, Inbox] = {}
        self._dead: dict[str, DeadLetterQueue] = {}
        for topic in topology.topics:
            sessions = topic.requires_session
            self._senders[topic.name] = TopicSender(
                self._namespace, topic.name, sessions=sessions, broker_time=self._broker_time, charge=charge
            )
            for subscription in topic.subscriptions:
                name = f"{topic.name}/{subscription.name}"
                kind = SessionInbox if sessions else PlainInbox
                self._inboxes[name] = kind(self._namespace, name, self._wall_seconds)
                self._dead[name] = DeadLetterQueue(self._namespace, name)

    async def publish(self, messages: Sequence[Message]) -> None:
        """Hand over the messages that somebody wants, topic by topic; they go on their way even if the caller leaves.

        Raises
        ------
        TransientError
            The service is busy or away: some may not have been sent, and all may be sent again.
        InvalidError
            The service refuses, or a message is too large; those that are not too large were sent.
        """
        by_topic: dict[str, list[Message]] = {}
        for message in messages:
            if self._topology.wanting(message.topic, message.subject):
                by_topic.setdefault(message.topic, []).append(message)
        sending = [self._begun(self._senders[topic].send(all_)) for topic, all_ in by_topic.items()]
        outcomes = await asyncio.gather(*map(asyncio.shield, sending), return_exceptions=True)
        problems = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        # What is worth another try comes first: trying again tells of the rest.
        for problem in sorted(problems, key=lambda problem: not isinstance(problem, TransientError)):
            raise problem

    async def receive(self, subscription: str, most_sessions: int | None = None) -> Delivery:
        """Wait for the next message and lock it; on a topic with sessions its session is locked too.

        A session is kept while messages come in it and for a moment after, however many those are.
        """
        parcel = await self._inboxes[subscription].receive()
        message = parcel.message
        token = str(message.lock_token)
        self._held[token] = parcel
        return Delivery(
            received(message, subscription.partition("/")[0]),
            subscription,
            topic_sequence(message),
            (message.delivery_count or 0) + 1,
            message.enqueued_time_utc or datetime.fromtimestamp(self._wall_seconds(), UTC),
            token,
        )

    async def receive_beside(self, held: Delivery) -> None:
        """Give none: messages come one by one."""

    def release(self, subscription: str, session: str) -> None:
        """Do nothing: a session that is idle is let go anyway."""

    async def complete(self, delivery: Delivery) -> None:
        """Remove the message from the subscription."""
        await asyncio.shield(self._begun(self._settle(delivery, _complete)))

    async def abandon(self, delivery: Delivery, reason: str) -> None:
        """Give the message back, or dead-letter it with `reason` after its last delivery."""
        if delivery.delivery_count < self._topology.max_delivery_count:
            work = self._settle(delivery, _abandon)
        else:
            # Given back once more, the service would bury it itself, with a reason that says nothing.
            words = reason[:LONGEST_REASON]
            work = self._settle(delivery, lambda it: it.hold.receiver.dead_letter_message(it.message, reason=words))
        await asyncio.shield(self._begun(work))

    async def renew(self, delivery: Delivery) -> None:
        """Hold the lock for another lock duration; on a topic with sessions, that of the session."""
        parcel = self._parcel(delivery)
        await asyncio.shield(self._begun(self._renew(delivery, parcel)))

    async def backlog(self) -> dict[str, int]:
        """Give the number of messages in each subscription, without the scheduled ones that are not due.

        Raises
        ------
        InvalidError
            The identity may not ask for counts, or a subscription of the topology does not exist.
        """
        counts: dict[str, int] = {}
        for part in await asyncio.gather(*map(self._namespace.counts, self._senders)):
            counts |= part
        if missing := self._inboxes.keys() - counts.keys():
            raise InvalidError(f"the namespace has no subscription {', '.join(sorted(missing))}")
        return {name: counts[name] for name in self._inboxes}

    async def waits(self) -> dict[str, float]:
        """Give none: the service counts messages, and does not say how old they are."""
        return {}

    async def dead_letters(self) -> list[DeadLetter]:
        """Give what lies in the dead-letter queues, oldest first; of each the first thousand."""
        parts = await asyncio.gather(*(queue.listing() for queue in self._dead.values()))
        return sorted((letter for part in parts for letter in part), key=lambda letter: letter.sequence)

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
        self._topology.check_wanted(letter.message.topic, letter.message.subject)
        return await asyncio.shield(self._begun(self._dead[letter.subscription].redrive(letter, self.publish)))

    async def close(self) -> None:
        """Finish what is being sent and let go of every connection."""
        await asyncio.gather(*self._work, return_exceptions=True)
        await asyncio.gather(
            *(inbox.close() for inbox in self._inboxes.values()),
            *(sender.close() for sender in self._senders.values()),
            *(queue.close() for queue in self._dead.values()),
            *map(self._namespace.close_quietly, {parcel.hold.receiver for parcel in self._held.values()}),
        )
        await self._namespace.close()

    async def _renew(self, delivery: Delivery, parcel: Parcel) -> None:
        hold, seconds = parcel.hold, self._namespace.timeout_seconds
        with ours(_name(delivery)):
            async with hold.lock:
                if hold.session is not None:
                    await hold.session.renew_lock(timeout=seconds)
                else:
                    await hold.receiver.renew_message_lock(parcel.message, timeout=seconds)

    async def _settle(self, delivery: Delivery, settle: Callable[[Parcel], Coroutine[Any, Any, None]]) -> None:
        parcel = self._parcel(delivery)
        try:
            with ours(_name(delivery)):
                async with asyncio.timeout(3 * self._namespace.timeout_seconds), parcel.hold.lock:
                    await settle(parcel)
        except TransientError as error:
            if parcel.hold.session is None:
                raise  # the lock is still there: it may be tried again
            self._forget(delivery, intact=False)
            raise MissingError(f"{_name(delivery)}: its session was lost with the connection") from error
        except MissingError:
            self._forget(delivery, intact=False)
            raise
        self._forget(delivery, intact=True)

    def _forget(self, delivery: Delivery, *, intact: bool) -> None:
        if (parcel := self._held.pop(delivery.lock_token, None)) is not None:
            self._inboxes[delivery.subscription].settled(parcel, intact=intact)

    def _parcel(self, delivery: Delivery) -> Parcel:
        if (parcel := self._held.get(delivery.lock_token)) is None:
            raise MissingError(f"{_name(delivery)}: the lock was lost")
        return parcel

    def _broker_time(self, due: datetime) -> datetime:
        seconds = self._wall_seconds() + max(0.0, wall_seconds_until(self._clock, due))
        return datetime.fromtimestamp(seconds, UTC)

    def _begun[T](self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        # A call of the SDK that is cancelled half-way leaves a sender or receiver of which nobody knows what it sent:
        # callers wait for it behind a shield.
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._work.discard(task)
        with suppress(asyncio.CancelledError):
            task.exception()


def _complete(parcel: Parcel) -> Coroutine[Any, Any, None]:
    return parcel.hold.receiver.complete_message(parcel.message)


def _abandon(parcel: Parcel) -> Coroutine[Any, Any, None]:
    return parcel.hold.receiver.abandon_message(parcel.message)


def _name(delivery: Delivery) -> str:
    return f"message {delivery.message.message_id} in {delivery.subscription}"

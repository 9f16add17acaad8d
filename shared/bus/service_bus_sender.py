"""Sending to one topic: one open sender behind a lock, batches as large as the link allows, each message once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from shared.bus.port import Message
from shared.bus.service_bus_client import RETRIES, Namespace
from shared.bus.service_bus_error import ours
from shared.errors import InvalidError

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusMessage, ServiceBusMessageBatch
    from azure.servicebus.aio import ServiceBusSender

CONTENT_TYPE = "application/cloudevents+json"
ENVELOPE_BYTES = 1_024
"""What a batch has beside what the SDK counts: it repeats the ids of its first message. Without room for it the service
would refuse a batch that the SDK calls full, and all messages in it."""

type Charge = Callable[[int], None]
"""Told the size in bytes of each message that was sent."""
type BrokerTime = Callable[[datetime], datetime]
"""Gives the wall time of a desk time."""


class TopicSender:
    """The only way to one topic; sends are one after the other, for the SDK's sender doubles what overlaps.

    Parameters
    ----------
    sessions : bool
        Whether the topic wants a session id.
    broker_time : callable
        Gives the wall time of a desk time, for scheduled messages.
    charge : callable
        Told of each message, in the context of the caller of `send`; one that may not have been sent is counted too.
    """

    def __init__(
        self, namespace: Namespace, topic: str, *, sessions: bool, broker_time: BrokerTime, charge: Charge
    ) -> None:
        self._namespace = namespace
        self._topic = topic
        self._sessions = sessions
        self._broker_time = broker_time
        self._charge = charge
        self._lock = asyncio.Lock()
        self._sender: ServiceBusSender | None = None

    async def send(self, messages: Sequence[Message]) -> None:
        """Send the messages, in order, in as few batches as they fit in.

        Raises
        ------
        InvalidError
            Some are too large for any batch; all others were sent.
        TransientError
            Some may not have been sent; sending all again is safe, for the topic drops what it has.
        """
        async with self._lock:
            oversized: list[Message] = []
            try:
                sender = await self._open()
                async for batch in self._batches(sender, messages, oversized):
                    await self._hand_over(sender, batch)
            except BaseException:
                await self._drop()
                raise
        if oversized:
            names = ", ".join(f"{message.message_id} ({len(message.body)} bytes)" for message in oversized)
            raise InvalidError(f"too large for topic {self._topic}: {names}")

    async def _open(self) -> "ServiceBusSender":
        if self._sender is None:
            self._sender = await self._namespace.sender(self._topic)
        return self._sender

    async def _hand_over(self, sender: "ServiceBusSender", batch: "ServiceBusMessageBatch") -> None:
        seconds = self._namespace.timeout_seconds * (RETRIES + 1)
        with ours(f"topic {self._topic}"):
            await sender.send_messages(batch, timeout=seconds)

    async def _batches(
        self, sender: "ServiceBusSender", messages: Sequence[Message], oversized: list[Message]
    ) -> "AsyncIterator[ServiceBusMessageBatch]":
        room = (await sender.create_message_batch()).max_size_in_bytes - ENVELOPE_BYTES
        batch = await sender.create_message_batch(room)
        for message in messages:
            self._charge(len(message.body))
            if _added(batch, outgoing := self._outgoing(message)):
                continue
            if len(batch):
                yield batch
                batch = await sender.create_message_batch(room)
            if not _added(batch, outgoing):
                oversized.append(message)
        if len(batch):
            yield batch

    def _outgoing(self, message: Message) -> "ServiceBusMessage":
        from azure.servicebus import ServiceBusMessage

        due = message.deliver_at
        return ServiceBusMessage(
            message.body,
            message_id=message.message_id,
            subject=message.subject,
            correlation_id=message.correlation_id,
            content_type=CONTENT_TYPE,
            session_id=message.session_id if self._sessions else None,
            scheduled_enqueue_time_utc=None if due is None else self._broker_time(due),
        )

    async def _drop(self) -> None:
        if (sender := self._sender) is not None:
            self._sender = None
            await self._namespace.close_quietly(sender)

    async def close(self) -> None:
        """Close the sender once nothing is being sent."""
        async with self._lock:
            await self._drop()


def _added(batch: "ServiceBusMessageBatch", message: "ServiceBusMessage") -> bool:
    from azure.servicebus.exceptions import MessageSizeExceededError

    try:
        batch.add_message(message)
    except MessageSizeExceededError:
        return False
    return True

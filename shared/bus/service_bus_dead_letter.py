"""The dead-letter queue of one subscription: what lies in it and why, and the way back out of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.bus.port import DeadLetter, Message, next_attempt
from shared.bus.service_bus_client import Namespace
from shared.bus.service_bus_error import ours
from shared.errors import MissingError

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage
    from azure.servicebus.aio import ServiceBusReceiver

PAGE = 100
MOST = 1_000
"""How many are listed of one subscription."""
SEARCH_SECONDS = 2.0
TOO_MANY = "MaxDeliveryCountExceeded"
"""The reason that the service gives when it dead-letters by itself."""


class DeadLetterQueue:
    """What a subscription has given up.

    Parameters
    ----------
    subscription : str
        `topic/subscription`.
    """

    def __init__(self, namespace: Namespace, subscription: str) -> None:
        self._namespace = namespace
        self._subscription = subscription
        self._lock = asyncio.Lock()
        self._receiver: ServiceBusReceiver | None = None

    async def listing(self) -> list[DeadLetter]:
        """Give the dead letters without touching them, the first thousand at most."""
        async with self._lock:
            found: list[ServiceBusReceivedMessage] = []
            while len(found) < MOST:
                page = await self._page(1 + max((message.sequence_number or 0 for message in found), default=0))
                found += page
                if not page:
                    break
        return [self._letter(message) for message in found]

    async def redrive(self, letter: DeadLetter, publish: Callable[[list[Message]], Awaitable[None]]) -> Message:
        """Publish a dead letter again, then remove it; and give what was published.

        Raises
        ------
        MissingError
            It is not there any more.
        """
        async with self._lock:
            try:
                return await self._redrive(letter, publish)
            finally:
                # Closing lets go of what was looked at on the way.
                await self._drop()

    async def close(self) -> None:
        """Let go of the receiver."""
        async with self._lock:
            await self._drop()

    async def _redrive(self, letter: DeadLetter, publish: Callable[[list[Message]], Awaitable[None]]) -> Message:
        receiver = await self._open()
        found = await self._find(receiver, letter.sequence)
        again = replace(self._letter(found).message, message_id=next_attempt(letter.message.message_id))
        try:
            await publish([again])
        except BaseException:
            await receiver.abandon_message(found)
            raise
        with ours(f"dead letter {letter.message.message_id}"):
            await receiver.complete_message(found)
        return again

    async def _find(self, receiver: "ServiceBusReceiver", sequence: int) -> "ServiceBusReceivedMessage":
        others: list[ServiceBusReceivedMessage] = []
        try:
            with ours(f"dead letters of {self._subscription}"):
                while messages := await receiver.receive_messages(PAGE, SEARCH_SECONDS):
                    for message in messages:
                        if topic_sequence(message) == sequence:
                            others += [other for other in messages if other is not message]
                            return message
                    others += messages
        finally:
            for other in others:
                await receiver.abandon_message(other)
        raise MissingError(f"no dead letter {sequence} in {self._subscription}: it was redriven, or removed")

    async def _page(self, first: int) -> "list[ServiceBusReceivedMessage]":
        receiver = await self._open()
        try:
            with ours(f"dead letters of {self._subscription}"):
                seconds = self._namespace.timeout_seconds
                return await receiver.peek_messages(PAGE, sequence_number=first, timeout=seconds)
        except BaseException:
            await self._drop()
            raise

    async def _open(self) -> "ServiceBusReceiver":
        if self._receiver is None:
            from azure.servicebus import ServiceBusSubQueue

            receiver = self._namespace.receiver(self._subscription, sub_queue=ServiceBusSubQueue.DEAD_LETTER)
            await self._namespace.opened(receiver, f"dead letters of {self._subscription}")
            self._receiver = receiver
        return self._receiver

    async def _drop(self) -> None:
        if (receiver := self._receiver) is not None:
            self._receiver = None
            await self._namespace.close_quietly(receiver)

    def _letter(self, dead: "ServiceBusReceivedMessage") -> DeadLetter:
        message = received(dead, self._subscription.partition("/")[0])
        words = (dead.dead_letter_reason, dead.dead_letter_error_description)
        reason = ": ".join(word for word in words if word) or "no reason given"
        # The service counts abandonments and lapses; a dead-lettering that a receiver asked for is one delivery more.
        deliveries = (dead.delivery_count or 0) + (dead.dead_letter_reason != TOO_MANY)
        return DeadLetter(message, self._subscription, topic_sequence(dead), deliveries, reason)


def received(message: "ServiceBusReceivedMessage", topic: str) -> Message:
    """Give a message of ours for one of the SDK's. When it was to be delivered is the past, and left out."""
    return Message(
        message_id=message.message_id or "",
        topic=topic,
        subject=message.subject or "",
        body=b"".join(message.body),
        correlation_id=message.correlation_id or "",
        session_id=message.session_id,
    )


def topic_sequence(message: "ServiceBusReceivedMessage") -> int:
    """Give the number that the topic gave the message: the same in all its subscriptions."""
    return message.enqueued_sequence_number or message.sequence_number or 0

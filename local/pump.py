"""Pumps messages from a subscription into its function, as the Service Bus extension does.

Peek-lock: complete when the function returns, abandon when it raises; the lock is renewed while it runs. Where the desk
itself cannot work for the moment, say on a full disk, the message is held and tried again.
"""

import asyncio
import logging
from contextlib import suppress
from uuid import uuid4

import azure.functions as func

from local.host_json import HostOptions
from local.registration import Registered
from shared.bus.port import Delivery, Receiver
from shared.errors import MissingError, TransientError

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0


class Pump:
    """One subscription and its function.

    Parameters
    ----------
    receiver : Receiver
        The bus.
    lock_seconds : float
        How long the bus holds a lock that is not renewed.
    """

    def __init__(self, function: Registered, receiver: Receiver, options: HostOptions, lock_seconds: float) -> None:
        self._function = function
        self._receiver = receiver
        self._options = options
        self._lock_seconds = lock_seconds
        trigger = function.trigger
        self._subscription = f"{trigger['topicName']}/{trigger['subscriptionName']}"
        sessions = trigger.get("isSessionsEnabled", False)
        self._slots = asyncio.Semaphore(options.max_concurrent_sessions if sessions else options.max_concurrent_calls)
        self._running: set[asyncio.Task[None]] = set()
        self._draining = asyncio.Event()

    async def run(self) -> None:
        """Receive and invoke until cancelled."""
        while True:
            await self._slots.acquire()
            delivery = await self._receiver.receive(self._subscription)
            task = asyncio.create_task(self._handle(delivery))
            self._running.add(task)
            task.add_done_callback(self._finished)

    async def drain(self) -> None:
        """Wait for the invocations that are under way; those that wait for another try are left to the next host."""
        self._draining.set()
        while self._running:
            await asyncio.wait(self._running)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._slots.release()

    async def _handle(self, delivery: Delivery) -> None:
        pause = FIRST_PAUSE_SECONDS
        while isinstance(problem := await self._attempt(delivery), TransientError):
            # What the program itself rests on is busy or away, so that it could not even put the message off. Giving it
            # back would bring it again at once, and dead-letter it within milliseconds.
            logger.warning("%s waits %g s: %s", self._function.name, pause, problem)
            if not await self._may_go_on(delivery, pause):
                return
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        await self._settle(delivery, None if problem is None else f"{type(problem).__name__}: {problem}")

    async def _attempt(self, delivery: Delivery) -> Exception | None:
        renewal = asyncio.create_task(self._renew(delivery))
        try:
            async with asyncio.timeout(self._options.function_timeout_seconds):
                await self._function.invoke(_message(delivery), str(uuid4()))
        except TransientError as error:
            return error
        except Exception as error:  # whatever a function raises is its message's fate, never the host's
            logger.exception("%s failed on message %s", self._function.name, delivery.message.message_id)
            return error
        finally:
            renewal.cancel()
        return None

    async def _may_go_on(self, delivery: Delivery, pause: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._draining.wait(), pause)
            return False
        try:
            await self._receiver.renew(delivery)
        except MissingError:
            return False
        return True

    async def _settle(self, delivery: Delivery, problem: str | None) -> None:
        try:
            if problem is None:
                await self._receiver.complete(delivery)
            else:
                await self._receiver.abandon(delivery, problem)
        except MissingError as error:
            logger.warning("%s; the message comes again, and its receipt answers it", error)

    async def _renew(self, delivery: Delivery) -> None:
        with suppress(MissingError, TimeoutError):
            async with asyncio.timeout(self._options.max_auto_lock_renewal_seconds):
                while True:
                    await asyncio.sleep(self._lock_seconds / 2)
                    await self._receiver.renew(delivery)


def _message(delivery: Delivery) -> func.ServiceBusMessage:
    message = delivery.message
    return func.servicebus.ServiceBusMessage(
        body=message.body,
        application_properties={},
        user_properties={},
        content_type="application/cloudevents+json",
        correlation_id=message.correlation_id,
        delivery_count=delivery.delivery_count,
        # The real host gives this time without a zone, so a function that relies on one fails here too.
        enqueued_time_utc=delivery.enqueued_at.replace(tzinfo=None),
        lock_token=delivery.lock_token,
        message_id=message.message_id,
        sequence_number=delivery.sequence,
        session_id=message.session_id,
        subject=message.subject,
        label=message.subject,
    )

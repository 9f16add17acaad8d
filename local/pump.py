"""Pumps messages from a subscription into its function, as the Service Bus extension does.

Peek-lock: complete when the function returns, abandon when it raises; the lock is renewed while it runs. A function of
cardinality many is given what is ready, one batch at a time, and its messages share their fate. A session is kept until
nothing came in it for a while. Where the desk itself cannot work for the moment, say on a full disk, the messages are
held and tried again.
"""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress

import azure.functions as func

from local.host_json import HostOptions
from local.invocation import invocation
from local.lock_keeper import LockKeeper
from local.registration import Registered
from shared.bus.port import Delivery, Receiver
from shared.errors import MissingError, TransientError

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0
BATCH_POLL_SECONDS = 0.05


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
        trigger = function.trigger
        self._subscription = f"{trigger['topicName']}/{trigger['subscriptionName']}"
        self._has_sessions = bool(trigger.get("isSessionsEnabled", False))
        most = options.max_concurrent_sessions if self._has_sessions else options.max_concurrent_calls
        self._most_at_once = 1 if function.takes_batches else most
        self._slots = asyncio.Semaphore(self._most_at_once)
        self._locks = LockKeeper(receiver, lock_seconds, options.max_auto_lock_renewal_seconds)
        self._idle: dict[str, asyncio.TimerHandle] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._draining = asyncio.Event()

    async def run(self) -> None:
        """Receive and invoke until cancelled."""
        while True:
            await self._slots.acquire()
            deliveries = await self._receive()
            task = asyncio.create_task(self._handle(deliveries))
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

    async def _receive(self) -> Sequence[Delivery]:
        if not self._has_sessions:
            first = await self._receiver.receive(self._subscription)
        else:
            first = await self._receiver.receive(self._subscription, self._most_at_once)
            self._keep(first.message.session_id or "")
        return await self._filled(first) if self._function.takes_batches else (first,)

    async def _filled(self, first: Delivery) -> list[Delivery]:
        """Add what is ready; where a batch has a least size, wait a while for it."""
        batch, loop = [first], asyncio.get_running_loop()
        ending = loop.time() + self._options.max_batch_wait_seconds
        while len(batch) < self._options.max_batch_size:
            more = await self._receiver.receive_beside(first)
            if more is not None:
                batch.append(more)
            elif len(batch) >= self._options.min_batch_size or loop.time() >= ending:
                break
            else:
                await asyncio.sleep(BATCH_POLL_SECONDS)
        return batch

    async def _handle(self, deliveries: Sequence[Delivery]) -> None:
        pause = FIRST_PAUSE_SECONDS
        while isinstance(problem := await self._attempt(deliveries), TransientError):
            # What the program itself rests on is busy or away, so that it could not even put the message off. Giving it
            # back would bring it again at once, and dead-letter it within milliseconds.
            logger.warning("%s waits %g s: %s", self._function.name, pause, problem)
            if not await self._may_go_on(deliveries, pause):
                return
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        if self._has_sessions:
            self._let_idle(deliveries[0].message.session_id or "")
        for delivery in deliveries:
            await self._settle(delivery, problem)

    def _keep(self, session: str) -> None:
        if (release := self._idle.pop(session, None)) is not None:
            release.cancel()

    def _let_idle(self, session: str) -> None:
        def release() -> None:
            del self._idle[session]
            self._receiver.release(self._subscription, session)

        self._keep(session)
        seconds = self._options.session_idle_seconds
        self._idle[session] = asyncio.get_running_loop().call_later(seconds, release)

    async def _attempt(self, deliveries: Sequence[Delivery]) -> Exception | None:
        for delivery in deliveries:
            self._locks.hold(delivery)
        try:
            with invocation(self._function.name) as invocation_id:
                return await self._invoke(deliveries, invocation_id)
        finally:
            for delivery in deliveries:
                self._locks.drop(delivery)

    async def _invoke(self, deliveries: Sequence[Delivery], invocation_id: str) -> Exception | None:
        messages = [_message(delivery) for delivery in deliveries]
        try:
            async with asyncio.timeout(self._options.function_timeout_seconds):
                await self._function.invoke(messages if self._function.takes_batches else messages[0], invocation_id)
        except TransientError as error:
            return error
        except Exception as error:  # whatever a function raises is its messages' fate, never the host's
            ids = ", ".join(delivery.message.message_id for delivery in deliveries)
            logger.exception("%s failed on message %s", self._function.name, ids)
            return error
        return None

    async def _may_go_on(self, deliveries: Sequence[Delivery], pause: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._draining.wait(), pause)
            return False
        try:
            for delivery in deliveries:
                await self._receiver.renew(delivery)
        except MissingError:
            return False
        except TransientError:
            return True  # the next try tells whether the lock is still held
        return True

    async def _settle(self, delivery: Delivery, problem: Exception | None) -> None:
        try:
            if problem is None:
                await self._receiver.complete(delivery)
            else:
                await self._receiver.abandon(delivery, f"{type(problem).__name__}: {problem}")
        except (MissingError, TransientError) as error:
            logger.warning("%s; the message comes again, and its receipt answers it", error)


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

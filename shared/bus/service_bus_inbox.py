"""Receiving from one subscription: what the SDK gives, one message at a time, to whoever waits.

The SDK's receive call must not be cancelled while a message is on its way to it, or the message stays locked for
nobody. So tasks of the inbox make the calls, and what comes when a waiter has gone is kept for the next one.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.bus.service_bus_client import Namespace
from shared.bus.service_bus_error import ours, translated
from shared.errors import MissingError, TransientError

if TYPE_CHECKING:
    from azure.servicebus import ServiceBusReceivedMessage
    from azure.servicebus.aio import ServiceBusReceiver, ServiceBusSession

logger = logging.getLogger(__name__)

WAIT_SECONDS = 30.0
"""How long one call waits for a message while none is held."""
SLICE_SECONDS = 0.1
"""How long it waits while some are held, for a settlement has to wait for its end."""
SESSION_WAIT_SECONDS = 4.0
"""How long the service waits for a session with messages before it says that there is none."""
SESSION_IDLE_SECONDS = 0.3
"""How long a session is asked for its next message before it is let go."""
SESSION_TURN = 32
"""Messages of one session in a row before others get a chance."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 10.0


@dataclass(eq=False, slots=True)
class Hold:
    """A receiver and the session that it holds, if any.

    Attributes
    ----------
    lock : asyncio.Lock
        For each call of the receiver: calls that overlap wait for what the other has read, up to their time-out.
    turns : int
        Messages that it has given so far.
    out : int
        Messages that it has given and that are not settled.
    """

    receiver: "ServiceBusReceiver"
    session: "ServiceBusSession | None" = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    turns: int = 0
    out: int = 0

    async def next(self, seconds: float) -> "list[ServiceBusReceivedMessage]":
        """Wait for the next message; give none when none came."""
        async with self.lock:
            messages = await self.receiver.receive_messages(1, seconds)
        self.turns += len(messages)
        self.out += len(messages)
        return messages


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message under a lock, and the receiver that can settle it."""

    message: "ServiceBusReceivedMessage"
    hold: Hold


class Inbox:
    """What waiters of one subscription share.

    Parameters
    ----------
    subscription : str
        `topic/subscription`.
    wall_seconds : callable
        Seconds since 1970, to tell a lock that has run out while nobody waited.
    """

    def __init__(self, namespace: Namespace, subscription: str, wall_seconds: Callable[[], float]) -> None:
        self._namespace = namespace
        self._subscription = subscription
        self._wall_seconds = wall_seconds
        self._ready: asyncio.Queue[Parcel | Exception] = asyncio.Queue()
        self._waiting = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def receive(self) -> Parcel:
        """Wait for a message.

        Raises
        ------
        InvalidError
            The subscription does not exist, or the identity may not read it. What passes is waited out.
        """
        self._waiting += 1
        try:
            while True:
                if self._ready.empty():
                    self._want()
                found = await self._ready.get()
                if isinstance(found, Exception):
                    raise found
                if not self._is_stale(found):
                    return found
                self.settled(found, intact=False)
        finally:
            self._waiting -= 1

    def settled(self, parcel: Parcel, *, intact: bool) -> None:
        """Take note that the message is no longer held; not `intact` if its lock was lost."""
        parcel.hold.out -= 1

    async def close(self) -> None:
        """Stop receiving; what is held is given back when its lock runs out, or with its session."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def _unmet(self) -> bool:
        return self._waiting > self._ready.qsize()

    def _want(self) -> None:
        """See to it that somebody asks for a message."""

    def _is_stale(self, parcel: Parcel) -> bool:
        session = parcel.hold.session
        until = session.locked_until_utc if session else parcel.message.locked_until_utc
        return until is not None and until.timestamp() <= self._wall_seconds()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _after(self, error: Exception, pause: float) -> float:
        """Say what went wrong to a waiter if it lasts, else wait; and give the next pause."""
        problem = translated(self._subscription, error)
        if isinstance(problem, TransientError):
            logger.warning("%s; asking again in %g s", problem, pause)
        else:
            self._ready.put_nowait(problem)
        await asyncio.sleep(pause)
        return min(2 * pause, LONGEST_PAUSE_SECONDS)


class PlainInbox(Inbox):
    """A subscription without sessions: one receiver for all its messages."""

    def __init__(self, namespace: Namespace, subscription: str, wall_seconds: Callable[[], float]) -> None:
        super().__init__(namespace, subscription, wall_seconds)
        self._hold: Hold | None = None
        self._pumping = False

    async def close(self) -> None:
        """Stop receiving."""
        await super().close()
        if self._hold is not None:
            await self._namespace.close_quietly(self._hold.receiver)

    def _want(self) -> None:
        if not self._pumping:
            self._pumping = True
            self._start(self._pump())

    async def _pump(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        try:
            while self._unmet:
                try:
                    await self._fetch()
                    pause = FIRST_PAUSE_SECONDS
                except Exception as error:  # noqa: BLE001 - a waiter is told, or it is tried again
                    pause = await self._after(error, pause)
        finally:
            self._pumping = False

    async def _fetch(self) -> None:
        if self._hold is None:
            receiver = self._namespace.receiver(self._subscription)
            await self._namespace.opened(receiver, self._subscription)
            self._hold = Hold(receiver)
        # A receive call opens it too, but within its own short time.
        async with self._hold.lock:
            await self._namespace.reopened(self._hold.receiver, self._subscription)
        for message in await self._hold.next(SLICE_SECONDS if self._hold.out else WAIT_SECONDS):
            self._ready.put_nowait(Parcel(message, self._hold))


class SessionInbox(Inbox):
    """A subscription with sessions: a receiver for each session that is held, and one message of it at a time."""

    def __init__(self, namespace: Namespace, subscription: str, wall_seconds: Callable[[], float]) -> None:
        super().__init__(namespace, subscription, wall_seconds)
        self._idle: deque[Hold] = deque()
        self._asking = 0

    def settled(self, parcel: Parcel, *, intact: bool) -> None:
        """Go on with the session, or let others have a turn."""
        super().settled(parcel, intact=intact)
        hold = parcel.hold
        if hold.turns >= SESSION_TURN or not intact:
            self._start(self._let_go(hold))
        elif self._unmet:
            self._start(self._ask(hold))
        else:
            self._idle.append(hold)
            self._start(self._let_go_if_idle(hold))

    async def close(self) -> None:
        """Stop receiving, and free the sessions."""
        await super().close()
        await asyncio.gather(*(self._namespace.close_quietly(hold.receiver) for hold in self._idle))

    def _want(self) -> None:
        if self._idle:
            self._start(self._ask(self._idle.popleft()))
        elif self._waiting > self._ready.qsize() + self._asking:
            self._start(self._ask(None))

    async def _ask(self, hold: Hold | None) -> None:
        self._asking += 1
        pause = FIRST_PAUSE_SECONDS
        try:
            while self._unmet or hold is not None:
                try:
                    if await self._fetch(hold):
                        return
                    pause = FIRST_PAUSE_SECONDS
                except Exception as error:  # noqa: BLE001 - a waiter is told, or it is tried again
                    pause = await self._after(error, pause)
                hold = None
        finally:
            self._asking -= 1

    async def _fetch(self, hold: Hold | None) -> bool:
        hold = hold or await self._accept()
        if hold is None:
            return False
        messages = []
        try:
            with suppress(MissingError), ours(self._subscription):
                messages = await hold.next(SESSION_IDLE_SECONDS)
        finally:
            if not messages:
                self._start(self._let_go(hold))
        if not messages:
            return False
        self._ready.put_nowait(Parcel(messages[0], hold))
        return True

    async def _accept(self) -> Hold | None:
        from azure.servicebus import NEXT_AVAILABLE_SESSION
        from azure.servicebus.exceptions import OperationTimeoutError

        options: dict[str, Any] = {"session_id": NEXT_AVAILABLE_SESSION, "max_wait_time": SESSION_WAIT_SECONDS}
        receiver = self._namespace.receiver(self._subscription, **options)
        try:
            await self._namespace.opened(receiver, self._subscription)
        except TransientError as error:
            if isinstance(error.__cause__, OperationTimeoutError):
                return None
            raise
        return Hold(receiver, receiver.session)

    async def _let_go_if_idle(self, hold: Hold) -> None:
        await asyncio.sleep(SESSION_IDLE_SECONDS)
        if hold in self._idle:
            self._idle.remove(hold)
            await self._let_go(hold)

    async def _let_go(self, hold: Hold) -> None:
        await self._namespace.close_quietly(hold.receiver)
